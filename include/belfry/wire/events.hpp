#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/events.hpp"
#include "belfry/domain/log.hpp"
#include "belfry/domain/unit_of_work.hpp"

/// The one schema of every event, as stored, and the envelope that dialects of the mobile API send.
namespace belfry::wire {

/// Stored form of a payload (schema `kPayloadSchema`).
std::string encode_payload(const domain::EventPayload& payload);
/// Throws std::runtime_error on what no version of this server wrote.
domain::EventPayload decode_payload(domain::EventType type, std::int16_t schema, std::string_view text);

/// A record with its place, as nodes tell each other: payload in its stored form.
std::string encode_record(const domain::Event& record);
/// `{"timeline":…,"schema":…,"records":[…]}` of records that `encode_record` gave, of one room, each following the one
/// before.
std::string encode_records(domain::Timeline timeline, std::span<const std::string> records);
struct Records {
  domain::Timeline timeline = 0;
  std::vector<domain::SharedEvent> events;
};
/// Hostile text. kMalformed unless it is exactly what this version writes for `room`.
core::Result<Records> decode_records(const domain::RoomKey& room, std::string_view text);

/// Takes the content out of a payload whose entity is deleted (created, updated and restored; the rest has none).
void mask_payload(domain::EventType type, domain::EventPayload& payload);

/// `{"eventId","eventType","occurredAt","data"}` for a visible event; pure.
std::string encode_envelope(const domain::Event& event, std::string_view attachment_url_base);

/// Stored form of a first answer kept under an idempotency key.
std::string encode_answer(const domain::IdempotentAnswer& answer);
domain::IdempotentAnswer decode_answer(std::string_view text);

}  // namespace belfry::wire
