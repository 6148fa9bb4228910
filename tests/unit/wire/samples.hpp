#pragma once

#include "belfry/domain/events.hpp"

/// Entities as the API's examples show them.
namespace belfry::wire::testing {

inline core::Uuid uuid(std::string_view text) { return core::Uuid::parse(text).value(); }
inline core::TimePoint time(std::string_view text) { return core::parse_iso8601(text).value(); }

inline constexpr std::string_view kAdminText = "0190c0de-1647-75b9-a5ba-07758a4f7675";
inline constexpr std::string_view kUserText = "0190c0de-0000-7000-8000-000000000001";
inline domain::ActorRef admin_ref() { return {domain::ActorType::kAdmin, {uuid(kAdminText)}}; }
inline domain::ActorRef user_ref() { return {domain::ActorType::kUser, {uuid(kUserText)}}; }

inline domain::Channel channel() {
  domain::Channel made;
  made.id = {3};
  made.public_id = uuid("0190c0de-0000-7000-8000-0000000000aa");
  made.kind = domain::ChannelKind::kBroadcast;
  made.access_policy = domain::AccessPolicy::kExternalGated;
  made.status = domain::ChannelStatus::kActive;
  made.visibility = domain::Visibility::kPrivate;
  made.title = "Harbour log";
  made.entitlement_key = "vip";
  made.created_by = {uuid(kAdminText)};
  made.created_at = time("2026-03-10T10:00:00Z");
  made.updated_at = time("2026-03-11T10:00:00.120Z");
  return made;
}

inline domain::Attachment attachment() {
  domain::Attachment made;
  made.id = {7};
  made.storage_key = "posts/101/über chart.png";
  made.file_name = "chart.png";
  made.mime_type = "image/png";
  made.size_bytes = 2048;
  made.display_order = 1;
  return made;
}

inline domain::Post post(std::int64_t id = 101) {
  domain::Post made;
  made.id = {id};
  made.channel_id = {3};
  made.published_at = time("2026-03-17T10:15:00Z");
  made.created_by = {uuid(kAdminText)};
  made.type = domain::PostType::kChart;
  made.body_text = "Look\n\"here\"";
  made.link_url = "https://example.org/a?b=c";
  made.chart_payload_json = R"({"z":1.50,"a":[12345678901234567890123,null]})";
  made.is_pinned = true;
  made.pinned_at = time("2026-03-18T00:00:00Z");
  made.attachments = {attachment()};
  made.created_at = time("2026-03-17T10:15:00Z");
  made.updated_at = time("2026-03-17T10:16:00Z");
  return made;
}

inline domain::Discussion discussion() {
  domain::Discussion made;
  made.id = {1};
  made.public_id = uuid("0190c0de-0000-7000-8000-0000000000bb");
  made.channel_id = {3};
  made.title = "Harbour talk";
  made.required_feature_key = "talk.read";
  made.created_by = {uuid(kAdminText)};
  made.created_at = made.updated_at = time("2026-03-16T10:00:00Z");
  return made;
}

inline domain::Message message(std::int64_t id = 11) {
  domain::Message made;
  made.id = {id};
  made.public_id = uuid("0190c0de-0000-7000-8000-0000000000cc");
  made.thread_id = {1};
  made.channel_id = {3};
  made.author = {admin_ref(), "desk", std::nullopt};
  made.body = "The tide turns at noon.";
  made.created_at = made.updated_at = time("2026-03-16T10:05:00Z");
  return made;
}

inline domain::Event event(domain::EventType type, domain::EventPayload payload) {
  domain::Event made;
  made.room = domain::posts_room({3});
  made.id = {core::Uuid::v7_floor(time("2026-03-17T10:15:00Z"))};
  made.type = type;
  made.payload = std::move(payload);
  return made;
}

}  // namespace belfry::wire::testing
