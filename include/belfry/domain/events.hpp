#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "belfry/domain/entities.hpp"
#include "belfry/domain/rooms.hpp"

namespace belfry::domain {

/// Stored as smallint: numbers are for ever. From 100 on: records that never reach a client.
enum class EventType : std::int16_t {
  kPostCreated = 1,
  kPostUpdated = 2,
  kPostDeleted = 3,
  kPostPinned = 4,
  kMessageCreated = 11,
  kMessageUpdated = 12,
  kMessageDeleted = 13,
  kMessageRestored = 14,
  kControl = 100,       ///< in a room's log: who may be in it changed
  kAccessChanged = 101  ///< in the access log: what a subject may see changed
};

enum class Audience : std::int16_t { kPublic = 0, kStaff = 1, kSubject = 2 };

/// Fields of a post that an update changed.
enum class PostField : std::uint32_t {
  kType = 1U << 0,
  kBodyText = 1U << 1,
  kLinkUrl = 1U << 2,
  kChartPayloadJson = 1U << 3,
  kAttachments = 1U << 4,
  kPublishedAt = 1U << 5,
};

/// The canonical after-image plus the mask of what changed. Dialects cut their wire form from it.
struct PostPayload {
  ActorRef actor;
  Post post;
  std::uint32_t changed = 0;  ///< PostField bits; meaningful for kPostUpdated
};

struct MessagePayload {
  ActorRef actor;
  Message message;
};

enum class ControlKind : std::uint8_t {
  kPolicy = 0,  ///< status, access policy, key, discussion switch or feature: every member is decided again
  kBan = 1,
  kUnban = 2,
  kMute = 3,
  kUnmute = 4,
};

struct ControlPayload {
  ActorRef actor;
  ControlKind kind = ControlKind::kPolicy;
  std::optional<UserId> subject;  ///< absent: concerns everybody in the room
};

struct AccessPayload {
  ActorRef actor;
  UserId subject;
  std::optional<GrantKind> kind;  ///< absent: anything may have changed (access-changed)
  std::optional<std::string> key;
};

using EventPayload = std::variant<PostPayload, MessagePayload, ControlPayload, AccessPayload>;

/// Version of the stored payload; raised when its meaning changes. Readers decode every version that retention can
/// hold.
inline constexpr std::int16_t kPayloadSchema = 1;

/// One record of a room's log. `occurred_at` is the id's own time.
struct Event {
  RoomKey room;
  EventId id;
  std::int64_t seq = 0;                    ///< 1, 2, 3 … without holes, control records included
  std::optional<EventId> prev_id;          ///< the record before this one, whatever its kind
  std::optional<EventId> prev_visible_id;  ///< the event before this one that clients can see
  std::int64_t access_seq = 0;  ///< head of the access log, read under this room's lock: apply it that far first
  Audience audience = Audience::kPublic;
  EventType type = EventType::kPostCreated;
  std::int64_t entity_id = 0;
  EventPayload payload;
  bool masked = false;  ///< the entity is deleted at the snapshot that read this: content was taken out

  bool visible() const { return type < EventType::kControl; }
  TimePoint occurred_at() const { return id.value.v7_time(); }
};

using SharedEvent = std::shared_ptr<const Event>;

/// What a service hands to the log; the log adds place, id and order.
struct EventDraft {
  EventType type = EventType::kPostCreated;
  Audience audience = Audience::kPublic;
  std::int64_t entity_id = 0;
  std::vector<MessageId> embeds;  ///< messages whose text the payload carries
  EventPayload payload;
};

/// `channel_post.created` …; empty for records that clients never see.
std::string_view event_type_name(EventType type);

}  // namespace belfry::domain
