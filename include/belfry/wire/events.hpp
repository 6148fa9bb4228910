#pragma once

#include <string>
#include <string_view>

#include "belfry/domain/events.hpp"
#include "belfry/domain/unit_of_work.hpp"

/// The one schema of every event, as stored, and the envelope that dialects of the mobile API send.
namespace belfry::wire {

/// Stored form of a payload (schema `kPayloadSchema`).
std::string encode_payload(const domain::EventPayload& payload);
/// Throws std::runtime_error on what no version of this server wrote.
domain::EventPayload decode_payload(domain::EventType type, std::int16_t schema, std::string_view text);

/// Takes the content out of a payload whose entity is deleted (created, updated and restored; the rest has none).
void mask_payload(domain::EventType type, domain::EventPayload& payload);

/// `{"eventId","eventType","occurredAt","data"}` for a visible event; pure.
std::string encode_envelope(const domain::Event& event, std::string_view attachment_url_base);

/// Stored form of a first answer kept under an idempotency key.
std::string encode_answer(const domain::IdempotentAnswer& answer);
domain::IdempotentAnswer decode_answer(std::string_view text);

}  // namespace belfry::wire
