#pragma once

#include <string_view>

#include "belfry/domain/entities.hpp"
#include "belfry/domain/events.hpp"
#include "belfry/wire/value.hpp"
#include "wire/writer.hpp"

/// Entities as the log and the idempotency table keep them: every field, numbers for enumerations, times as ISO 8601.
/// The chart is kept as a string, since jsonb would reorder its fields. Reading throws std::runtime_error on what this
/// server never wrote.
namespace belfry::wire {

void write_stored(JsonWriter& out, const domain::Channel& channel);
void write_stored(JsonWriter& out, const domain::Post& post);
void write_stored(JsonWriter& out, const domain::Message& message);
void write_stored(JsonWriter& out, const domain::ActorRef& ref);

domain::Channel read_stored_channel(const Value& value);
domain::Post read_stored_post(const Value& value);
domain::Message read_stored_message(const Value& value);
domain::ActorRef read_stored_ref(const Value& value);

/// A payload of schema `kPayloadSchema`.
domain::EventPayload read_stored_payload(domain::EventType type, const Value& value);

// Fields of a stored object.
const Value& stored_field(const Value& object, std::string_view name);
std::int64_t stored_integer(const Value& object, std::string_view name);
const std::string& stored_text(const Value& object, std::string_view name);
bool stored_bool(const Value& object, std::string_view name);
core::Uuid stored_uuid(const Value& object, std::string_view name);
/// A number of an enumeration whose last one is `last`.
std::int64_t stored_number(const Value& object, std::string_view name, std::int64_t last);
[[noreturn]] void throw_stored(std::string_view name);
Value parse_stored(std::string_view text);

}  // namespace belfry::wire
