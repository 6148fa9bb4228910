#include "belfry/wire/frames.hpp"

#include <array>
#include <limits>

#include "belfry/core/text.hpp"
#include "belfry/wire/events.hpp"
#include "belfry/wire/json.hpp"
#include "belfry/wire/value.hpp"
#include "wire/names.hpp"
#include "wire/writer.hpp"

namespace belfry::wire {
namespace {

using core::Error;
using domain::RoomKind;

constexpr std::size_t kMaxIdCharacters = 128;
constexpr std::size_t kMaxEventCharacters = 128;
constexpr std::size_t kMaxSyncReplyBytes = std::size_t{1} << 20;
constexpr std::int64_t kMaxSyncLimit = 500;

/// Over a socket everything that cannot be used is one code: a validation error.
Error as_invalid(Error error) {
  error.code = core::ErrorCode::kInvalid;
  return error;
}

Result<std::int64_t> read_id(const Value& data, std::string_view name) {
  const Value* value = data.find(name);
  if (value == nullptr) return core::fail(Error::invalid(std::string(name), "is required"));
  if (!value->is(Value::Kind::kInteger) || value->integer <= 0) {
    return core::fail(Error::invalid(std::string(name), "must be a positive integer"));
  }
  return value->integer;
}

Result<domain::RoomTarget> read_target(const Value& data, RoomKind kind) {
  const auto id = read_id(data, "channelId");
  if (!id) return core::fail(id.error());
  return domain::RoomTarget{kind, {*id}};
}

template <RoomKind kKind>
Result<RoomCommand> read_join(const Value& data) {
  const auto target = read_target(data, kKind);
  if (!target) return core::fail(target.error());
  return JoinRoom{*target};
}

Result<RoomCommand> read_leave_posts(const Value& data) {
  const auto id = read_id(data, "channelId");
  if (!id) return core::fail(id.error());
  return LeavePosts{{*id}};
}

Result<RoomCommand> read_leave_discussion(const Value& data) {
  const auto id = read_id(data, "discussionId");
  if (!id) return core::fail(id.error());
  return LeaveDiscussion{{*id}};
}

template <RoomKind kKind>
Result<RoomCommand> read_sync(const Value& data) {
  const auto target = read_target(data, kKind);
  if (!target) return core::fail(target.error());
  domain::SyncRoom sync;
  sync.target = *target;
  if (const Value* since = data.find("sinceEventId")) {
    const auto id = since->is(Value::Kind::kString) ? core::Uuid::parse(since->text) : std::nullopt;
    if (!id) return core::fail(Error::invalid("sinceEventId", "must be a UUID"));
    sync.since = core::EventId{*id};
  }
  if (const Value* limit = data.find("limit")) {
    if (!limit->is(Value::Kind::kInteger) || limit->integer < 1 || limit->integer > kMaxSyncLimit) {
      return core::fail(Error::invalid("limit", "must be an integer from 1 to 500"));
    }
    sync.limit = static_cast<std::int32_t>(limit->integer);
  }
  return SyncCommand{sync};
}

Result<RoomCommand> read_authenticate(const Value& data) {
  const Value* token = data.find("token");
  if (token == nullptr) return core::fail(Error::invalid("token", "is required"));
  if (!token->is(Value::Kind::kString) || token->text.empty()) {
    return core::fail(Error::invalid("token", "must be a non-empty string"));
  }
  return Authenticate{token->text};
}

struct CommandEntry {
  std::string_view event;
  Result<RoomCommand> (*read)(const Value&);
};

constexpr std::array<CommandEntry, 7> kCommands{{
    {"communication:join_channel_posts", read_join<RoomKind::kPosts>},
    {"communication:leave_channel_posts", read_leave_posts},
    {"communication:join_discussion", read_join<RoomKind::kDiscussion>},
    {"communication:leave_discussion", read_leave_discussion},
    {"communication:sync_channel_posts", read_sync<RoomKind::kPosts>},
    {"communication:sync_discussion", read_sync<RoomKind::kDiscussion>},
    {"authenticate", read_authenticate},
}};

/// JSON text of a frame's id, given back as it came. Empty when it is neither a number nor a short string.
std::optional<std::string> echo_id(const Value& id) {
  const bool number = id.is(Value::Kind::kInteger) || id.is(Value::Kind::kNumber);
  const bool text = id.is(Value::Kind::kString) && core::count_characters(id.text) <= kMaxIdCharacters;
  if (!number && !text) return std::nullopt;
  auto echoed = dump(id);
  if (number && echoed.size() > kMaxIdCharacters) return std::nullopt;
  return echoed;
}

/// The position a client goes on from after this reply.
std::optional<core::EventId> last_event_id(const domain::LogPage& page, std::optional<core::EventId> last_sent,
                                           const std::optional<core::EventId>& since) {
  if (page.gap != domain::Gap::kNone) return page.head.last_visible_id;
  if (last_sent) return last_sent;
  if (since) return since;
  // Nothing is retained: what comes next follows the head.
  return page.has_more ? std::nullopt : page.head.last_visible_id;
}

}  // namespace

Result<RoomCommand> decode_room_command(std::string_view event, const Value& data) {
  for (const auto& command : kCommands) {
    if (command.event != event) continue;
    if (!data.is(Value::Kind::kObject)) return core::fail(Error::invalid("data", "must be an object"));
    return command.read(data);
  }
  return core::fail(Error::invalid("event", "is not a known event"));
}

std::expected<ClientFrame, FrameError> decode_client_frame(std::string_view text) {
  ClientFrame frame;
  FrameError failure;
  const auto refuse = [&](Error error) {
    failure.error = as_invalid(std::move(error));
    return std::unexpected(std::move(failure));
  };

  auto object = parse_object(text, "frame");
  if (!object) return refuse(std::move(object.error()));
  const Value* id = object->find("id");
  if (id != nullptr) failure.id = frame.id = echo_id(*id);
  const Value* event = object->find("event");
  const bool named = event != nullptr && event->is(Value::Kind::kString) && !event->text.empty() &&
                     core::count_characters(event->text) <= kMaxEventCharacters;
  if (named) failure.event = frame.event = event->text;

  if (id != nullptr && !frame.id)
    return refuse(Error::invalid("id", "must be a number or a string of at most 128 characters"));
  if (!named) return refuse(Error::invalid("event", "must be a string of 1 to 128 characters"));
  if (Value* data = object->find("data")) {
    if (!data->is(Value::Kind::kObject)) return refuse(Error::invalid("data", "must be an object"));
    frame.data = std::move(*data);
  }
  return frame;
}

std::string room_name(const domain::RoomKey& room) {
  const std::string key = std::to_string(room.key);
  return room.kind == RoomKind::kPosts ? "communication:channel:" + key + ":posts"
                                       : "communication:discussion:" + key + ":messages";
}

std::string encode_join_reply(const domain::RoomKey& room, core::ChannelId channel,
                              const std::optional<core::EventId>& last) {
  JsonWriter out;
  out.begin_object();
  out.field("room", room_name(room));
  out.field("channelId", channel);
  if (room.kind == RoomKind::kDiscussion) out.field("discussionId", room.key);
  out.field("lastEventId", last);
  out.end_object();
  return std::move(out).text();
}

std::string encode_leave_reply(const domain::RoomKey& room) {
  JsonWriter out;
  out.begin_object();
  out.field("room", room_name(room));
  out.end_object();
  return std::move(out).text();
}

std::string encode_sync_reply(const domain::SyncedRoom& synced, const std::optional<core::EventId>& since,
                              std::string_view attachment_url_base) {
  const domain::LogPage& page = synced.page;
  const bool gap = page.gap != domain::Gap::kNone;
  bool has_more = page.has_more && !gap;
  std::optional<core::EventId> last_sent;

  JsonWriter out;
  out.begin_object();
  out.field("room", room_name(synced.room));
  out.key("events");
  out.begin_array();
  if (!gap) {
    for (const auto& event : page.events) {
      const auto envelope = encode_envelope(*event, attachment_url_base);
      // The first event always goes out: otherwise a client could never get past it.
      if (last_sent && out.size() + envelope.size() > kMaxSyncReplyBytes) {
        has_more = true;
        break;
      }
      out.raw(envelope);
      last_sent = event->id;
    }
  }
  out.end_array();
  out.field("lastEventId", last_event_id(page, last_sent, since));
  out.field("hasMore", has_more);
  out.field("gap", gap);
  if (gap) out.field("gapReason", name_of(kGapNames, page.gap));
  out.end_object();
  return std::move(out).text();
}

std::string encode_authenticated(core::UserId user, core::TimePoint expires_at) {
  JsonWriter out;
  out.begin_object();
  out.field("userId", user);
  out.field("expiresAt", expires_at);
  out.end_object();
  return std::move(out).text();
}

}  // namespace belfry::wire
