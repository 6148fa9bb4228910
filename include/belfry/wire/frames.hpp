#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "belfry/core/result.hpp"
#include "belfry/domain/room_access.hpp"
#include "belfry/wire/value.hpp"

/// The room commands of the mobile API, shared by every dialect that speaks them, and the pieces of their replies.
namespace belfry::wire {

using core::Result;

struct JoinRoom {
  domain::RoomTarget target;
};
struct LeavePosts {
  core::ChannelId channel_id;
};
struct LeaveDiscussion {
  core::ThreadId discussion_id;
};
struct SyncCommand {
  domain::SyncRoom sync;
};
struct Authenticate {
  std::string token;
};
using RoomCommand = std::variant<JoinRoom, LeavePosts, LeaveDiscussion, SyncCommand, Authenticate>;

/// `event` is the client's event name, `data` its payload. Unknown events and wrong values are kInvalid; unknown fields
/// are ignored.
Result<RoomCommand> decode_room_command(std::string_view event, const Value& data);

/// One frame of the native dialect: `{"id"?, "event", "data"?}`. Depth is bounded. kInvalid for anything else.
struct ClientFrame {
  std::optional<std::string> id;  ///< JSON text, number or string, given back as it came
  std::string event;
  Value data{.kind = Value::Kind::kObject};
};
/// On failure `id` and `event` may still be known, so that the reply can carry them.
struct FrameError {
  std::optional<std::string> id;
  std::optional<std::string> event;
  core::Error error;
};
std::expected<ClientFrame, FrameError> decode_client_frame(std::string_view text);

/// `communication:channel:{id}:posts`, `communication:discussion:{id}:messages`.
std::string room_name(const domain::RoomKey& room);

std::string encode_join_reply(const domain::RoomKey& room, core::ChannelId channel,
                              const std::optional<core::EventId>& last);
std::string encode_leave_reply(const domain::RoomKey& room);
std::string encode_sync_reply(const domain::SyncedRoom& synced, const std::optional<core::EventId>& since,
                              std::string_view attachment_url_base);
std::string encode_authenticated(core::UserId user, core::TimePoint expires_at);

}  // namespace belfry::wire
