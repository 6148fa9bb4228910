#include "dialects/socketio/resumption.hpp"

#include <utility>

namespace belfry::dialects::socketio {
namespace {

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

Resumption::Resumption(realtime::Hub& hub, domain::RoomReader& reader, domain::Database& database,
                       realtime::Subscriber& subscriber, const Positions& positions, Done done)
    : hub_(hub), reader_(reader), database_(database), subscriber_(subscriber), done_(std::move(done)) {
  for (const auto& position : positions.rooms()) rooms_.push_back({.from = position});
}

template <class F>
auto Resumption::later(F body) {
  return [weak = weak_from_this(), body = std::move(body)](auto&&... args) mutable {
    if (const auto self = weak.lock(); self && self->done_) body(std::forward<decltype(args)>(args)...);
  };
}

/// One more than the rooms, until all of them have begun.
void Resumption::start() {
  const auto self = shared_from_this();
  open_ = rooms_.size() + 1;
  for (std::size_t at = 0; at < rooms_.size() && done_; ++at) {
    hub_.join(subscriber_, rooms_[at].from.room,
              later([this, at](core::Result<realtime::Joined> joined) { on_joined(at, std::move(joined)); }));
  }
  settle();
}

void Resumption::on_joined(std::size_t at, core::Result<realtime::Joined> joined) {
  auto& room = rooms_[at];
  if (!joined) return lose(at, joined.error());
  room.joined = std::move(*joined);
  // Nothing was missed: there is nothing to read, and the join was the decision.
  if (room.from.event == room.joined->last_event_id) return settle();
  reader_.sync(subscriber_.actor(), {.target = room.from.room, .since = room.from.event, .limit = kMaxReplayInRoom},
               later([this, at](core::Result<domain::SyncedRoom> synced) { on_read(at, std::move(synced)); }));
}

void Resumption::on_read(std::size_t at, core::Result<domain::SyncedRoom> synced) {
  auto& room = rooms_[at];
  if (!synced) {
    if (!undecided(synced.error())) hub_.leave(subscriber_, room.joined->room);
    return lose(at, synced.error());
  }
  const auto missed = prove_replay(room.from.event, synced->page.events, room.joined->last_event_id);
  if (!missed) return fail();
  room.missed.assign(missed->begin(), missed->end());
  settle();
}

void Resumption::lose(std::size_t at, const core::Error& error) {
  if (undecided(error)) return fail();
  auto& room = rooms_[at];
  room.lost = {.target = room.from.room, .room = {}, .reason = reason_of(error)};
  if (room.joined) room.lost->room = room.joined->room;
  room.joined = std::nullopt;
  if (room.from.room.kind == domain::RoomKind::kPosts) room.lost->room = domain::posts_room(room.from.room.channel_id);
  if (room.lost->room || error.code == core::ErrorCode::kNotFound) return settle();
  domain::JobOptions options;
  options.name = "rooms.resolve";
  database_.run<domain::RoomKey>(
      domain::JobMode::kRead, std::move(options),
      [target = room.from.room](domain::UnitOfWork& work) { return domain::resolve_room(work, target); },
      later([this, at](core::Result<domain::RoomKey> key) {
        if (!key && undecided(key.error())) return fail();
        if (key) rooms_[at].lost->room = *key;
        settle();
      }));
}

void Resumption::fail() {
  if (auto done = std::exchange(done_, nullptr)) done(std::nullopt);
}

void Resumption::settle() {
  if (!done_ || --open_ > 0) return;
  Resumed resumed;
  std::size_t events = 0;
  for (auto& room : rooms_) {
    events += room.missed.size();
    if (room.lost) {
      resumed.lost.push_back(std::move(*room.lost));
    } else {
      resumed.rooms.push_back({std::move(*room.joined), std::move(room.missed)});
    }
  }
  if (events > kMaxReplay) return fail();
  std::exchange(done_, nullptr)(std::move(resumed));
}

}  // namespace belfry::dialects::socketio
