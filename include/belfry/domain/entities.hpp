#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "belfry/core/ids.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/actor.hpp"

/// The nouns of the product, as stored. Optional means "null on the wire". Plain values: copy freely, no thread rules.
namespace belfry::domain {

using core::AttachmentId;
using core::ChannelId;
using core::MessageId;
using core::PostId;
using core::ThreadId;
using core::TimePoint;
using core::UserId;

enum class ChannelKind : std::uint8_t { kBroadcast = 0, kGroup = 1 };
enum class AccessPolicy : std::uint8_t { kOpen = 0, kExternalGated = 1 };
enum class ChannelStatus : std::uint8_t { kDraft = 0, kActive = 1, kArchived = 2 };
enum class Visibility : std::uint8_t { kPublic = 0, kPrivate = 1 };
enum class PostType : std::uint8_t { kText = 0, kLink = 1, kChart = 2, kMedia = 3 };

struct Channel {
  ChannelId id;
  core::Uuid public_id;
  ChannelKind kind = ChannelKind::kBroadcast;
  AccessPolicy access_policy = AccessPolicy::kOpen;
  ChannelStatus status = ChannelStatus::kDraft;
  Visibility visibility = Visibility::kPublic;
  std::string title;
  std::optional<std::string> description;
  std::optional<std::string> entitlement_key;  ///< set exactly when gated; shown to admins only
  UserId created_by;
  TimePoint created_at;
  TimePoint updated_at;
};

struct Attachment {
  AttachmentId id;
  std::string storage_key;
  std::string file_name;
  std::string mime_type;
  std::int64_t size_bytes = 0;
  std::int32_t display_order = 0;
  friend bool operator==(const Attachment&, const Attachment&) = default;
};

struct Post {
  PostId id;
  ChannelId channel_id;
  TimePoint published_at;
  UserId created_by;
  PostType type = PostType::kText;
  std::optional<std::string> body_text;
  std::optional<std::string> link_url;
  std::optional<std::string> chart_payload_json;  ///< compact JSON text of an object
  bool is_pinned = false;
  std::optional<TimePoint> pinned_at;
  std::optional<TimePoint> deleted_at;
  std::vector<Attachment> attachments;  ///< by (display_order, id)
  TimePoint created_at;
  TimePoint updated_at;

  bool deleted() const { return deleted_at.has_value(); }
  /// Takes the content out: what a deleted post may still show.
  void mask();
};

struct Discussion {
  ThreadId id;
  core::Uuid public_id;
  ChannelId channel_id;
  std::string title;
  bool is_enabled = true;
  std::optional<std::string> required_feature_key;
  bool slow_mode_enabled = false;
  std::optional<std::int32_t> slow_mode_interval_seconds;
  UserId created_by;
  TimePoint created_at;
  TimePoint updated_at;
};

struct Message {
  MessageId id;
  core::Uuid public_id;
  ThreadId thread_id;
  ChannelId channel_id;
  std::optional<MessageId> parent_id;
  Author author;
  std::string body;
  std::optional<std::string> client_message_id;
  std::optional<TimePoint> deleted_at;
  std::optional<ActorRef> deleted_by;
  std::optional<TimePoint> edited_at;
  std::optional<ActorRef> edited_by;
  TimePoint created_at;
  TimePoint updated_at;
  bool masked = false;  ///< the body was taken out: shown as null

  bool deleted() const { return deleted_at.has_value(); }
  void mask();
};

/// Whether a user takes part in a channel's broadcasts now. Stored as intervals.
struct Membership {
  ChannelId channel_id;
  bool joined = false;
  std::optional<TimePoint> joined_at;
  std::optional<TimePoint> left_at;
};

struct ReadState {
  ChannelId channel_id;
  PostId last_seen_post_id;  ///< 0 when never written or the channel is empty
  std::optional<TimePoint> last_seen_at;
  std::int32_t unread_count = 0;  ///< tombstones left out, at most 1000
};

enum class GrantKind : std::uint8_t { kEntitlement = 0, kFeature = 1 };

/// A right by key, with its end. The answer of a provider or a row of ours.
struct Grant {
  GrantKind kind = GrantKind::kEntitlement;
  std::string key;
  std::optional<TimePoint> valid_from;
  std::optional<TimePoint> valid_until;
};

enum class SanctionKind : std::uint8_t { kBan = 0, kMute = 1 };

struct Sanction {
  SanctionKind kind = SanctionKind::kBan;
  ThreadId thread_id;
  ChannelId channel_id;
  UserId user_id;
  std::optional<std::string> reason;
  std::optional<TimePoint> until;
  TimePoint created_at;
  UserId admin_id;
};

struct User {
  UserId id;
  std::optional<std::string> username;
  std::optional<std::string> picture;
};

struct AuditEntry {
  std::int64_t id = 0;
  TimePoint at;
  UserId admin_id;
  std::string action;       ///< e.g. `channel.update`
  std::string entity_type;  ///< `channel`, `post`, `discussion`, `message`, `user`
  std::string entity_id;
  std::string details_json = "{}";  ///< a JSON object; never content or secrets
};

}  // namespace belfry::domain
