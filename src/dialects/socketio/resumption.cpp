#include "dialects/socketio/resumption.hpp"

#include <chrono>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "dialects/commands/later.hpp"

namespace belfry::dialects::socketio {
namespace {

using commands::later;

constexpr std::chrono::milliseconds kPatience{8000};
constexpr std::chrono::milliseconds kRetry{250};

core::Reason reason_of(const core::Error& refusal) {
  if (refusal.code == core::ErrorCode::kNotFound || refusal.reason == core::Reason::kNone) {
    return core::Reason::kChannelUnavailable;
  }
  return refusal.reason;
}

bool undecided(const core::Error& error) {
  return error.code == core::ErrorCode::kUnavailable || error.code == core::ErrorCode::kInternal;
}

}  // namespace

Resumption::Resumption(const Parts& parts, realtime::Subscriber& subscriber, const Positions& positions, Done done)
    : parts_(parts),
      subscriber_(subscriber),
      patience_ends_(parts.wheel.now() + kPatience),
      retries_(positions.size()),
      done_(std::move(done)) {
  for (const auto& position : positions.rooms()) rooms_.push_back({.from = position});
}

void Resumption::broke(std::string_view what) {
  telemetry::error("session_failed", {{"what", what}});
  fail();
}

/// One more than the rooms, until all of them have begun.
void Resumption::start() {
  const auto self = shared_from_this();
  joining_ = rooms_.size() + 1;
  for (std::size_t at = 0; at < rooms_.size() && done_; ++at) join(at);
  joined_one();
}

void Resumption::join(std::size_t at) {
  parts_.hub.join(subscriber_, rooms_[at].from.room, later(*this, [this, at](core::Result<realtime::Joined> joined) {
                    on_joined(at, std::move(joined));
                  }));
}

void Resumption::on_joined(std::size_t at, core::Result<realtime::Joined> joined) {
  if (joined) {
    rooms_[at].joined = std::move(*joined);
    return joined_one();
  }
  if (undecided(joined.error())) return try_again(at, [this, at] { join(at); });
  lose(at, joined.error(), [this] { joined_one(); });
}

void Resumption::joined_one() {
  if (done_ && --joining_ == 0) read(0);
}

/// The next room of which something was missed; what was not has been decided by its join.
void Resumption::read(std::size_t at) {
  const auto has_missed = [](const Room& room) { return room.joined && room.from.event != room.joined->last_event_id; };
  while (at < rooms_.size() && !has_missed(rooms_[at])) ++at;
  if (at == rooms_.size()) return finish();
  parts_.reader.sync(
      subscriber_.actor(), {.target = rooms_[at].from.room, .since = rooms_[at].from.event, .limit = kMaxReplayInRoom},
      later(*this, [this, at](core::Result<domain::SyncedRoom> synced) { on_read(at, std::move(synced)); }));
}

void Resumption::on_read(std::size_t at, core::Result<domain::SyncedRoom> synced) {
  auto& room = rooms_[at];
  if (!synced) {
    if (undecided(synced.error())) return try_again(at, [this, at] { read(at); });
    parts_.hub.leave(subscriber_, room.joined->room);
    return lose(at, synced.error(), [this, at] { read(at + 1); });
  }
  const auto missed = prove_replay(room.from.event, synced->page.events, room.joined->last_event_id);
  if (!missed) return fail();
  missed_ += missed->size();
  if (missed_ > kMaxReplay) return fail();
  room.missed.assign(missed->begin(), missed->end());
  read(at + 1);
}

void Resumption::try_again(std::size_t at, std::function<void()> step) {
  if (parts_.wheel.now() >= patience_ends_) return fail();
  retries_[at] = parts_.wheel.after(kRetry, later(*this, std::move(step)));
}

/// It is told by the name of its room, which for a discussion only the database knows.
void Resumption::lose(std::size_t at, const core::Error& error, std::function<void()> then) {
  auto& room = rooms_[at];
  room.lost = {.target = room.from.room, .room = {}, .reason = reason_of(error)};
  if (room.joined) room.lost->room = room.joined->room;
  room.joined = std::nullopt;
  if (room.from.room.kind == domain::RoomKind::kPosts) room.lost->room = domain::posts_room(room.from.room.channel_id);
  if (room.lost->room || error.code == core::ErrorCode::kNotFound) return then();
  name_lost_room(at, std::move(then));
}

void Resumption::name_lost_room(std::size_t at, std::function<void()> then) {
  domain::JobOptions options;
  options.name = "rooms.resolve";
  parts_.database.run<domain::RoomKey>(
      domain::JobMode::kRead, std::move(options),
      [target = rooms_[at].from.room](domain::UnitOfWork& work) { return domain::resolve_room(work, target); },
      later(*this, [this, at, then = std::move(then)](core::Result<domain::RoomKey> key) {
        if (!key && undecided(key.error())) return try_again(at, [this, at, then] { name_lost_room(at, then); });
        if (key) rooms_[at].lost->room = *key;
        then();
      }));
}

void Resumption::fail() {
  if (auto done = std::exchange(done_, nullptr)) done(std::nullopt);
}

void Resumption::finish() {
  Resumed resumed;
  for (auto& room : rooms_) {
    if (room.lost) {
      resumed.lost.push_back(std::move(*room.lost));
    } else {
      resumed.rooms.push_back({std::move(*room.joined), std::move(room.missed)});
    }
  }
  std::exchange(done_, nullptr)(std::move(resumed));
}

}  // namespace belfry::dialects::socketio
