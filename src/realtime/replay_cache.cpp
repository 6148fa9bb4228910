#include "replay_cache.hpp"

#include <algorithm>
#include <utility>

namespace belfry::realtime {

namespace {

constexpr std::size_t kMaxMeanwhile = 4096;

}  // namespace

const RoomTail* ReplayCache::find(const domain::RoomKey& room) {
  const auto found = tails_.find(room);
  if (found == tails_.end()) return nullptr;
  found->second.share.touch();
  return &found->second.tail;
}

void ReplayCache::load(const domain::RoomKey& room, std::optional<core::EventId> since, Done done) {
  const auto [at, fresh] = flights_.try_emplace(room);
  at->second.waiting.push_back({since, std::move(done)});
  if (fresh) send(room, at->second);
}

void ReplayCache::send(const domain::RoomKey& room, Flight& flight) {
  flight.asked = std::exchange(flight.waiting, {});
  flight.meanwhile.clear();
  flight.overrun = false;
  const auto since = std::ranges::min_element(flight.asked, {}, &Waiter::since)->since;
  metrics_.replay_reads.add();
  reads_.replay(room, since, line_.guard([this, room, since, epoch = epoch_](core::Result<Replay> replay) {
    answer(room, since, epoch, std::move(replay));
  }));
}

void ReplayCache::answer(const domain::RoomKey& room, const std::optional<core::EventId>& since, std::uint64_t epoch,
                         core::Result<Replay> replay) {
  // Callbacks may load again: they queue behind this flight until all were called.
  auto& flight = flights_.at(room);
  auto asked = std::exchange(flight.asked, {});
  auto waiting = std::exchange(flight.waiting, {});
  const bool read = replay.has_value();
  const bool absorbed = read && epoch == epoch_ && absorb(room, since, std::move(*replay), flight);
  for (auto& waiter : asked) waiter.done(absorbed || (read && waiter.since != since));
  for (auto& waiter : waiting) waiter.done(true);
  auto& still = flights_.at(room);
  if (still.waiting.empty()) {
    flights_.erase(room);
  } else {
    send(room, still);
  }
  budget_.trim();
}

/// False: nothing can be replayed from `since`.
bool ReplayCache::absorb(const domain::RoomKey& room, const std::optional<core::EventId>& since, Replay replay,
                         const Flight& flight) {
  if (replay.page.gap != domain::Gap::kNone) {
    // It may have been the end of our own tail: then that is of another history, or older than retention.
    const auto known = tails_.find(room);
    if (known != tails_.end() && known->second.tail.at().head.last_id == since) drop(room);
    return false;
  }
  RoomTail fresh(std::move(replay.at));
  fresh.add(since, replay.page.events, !replay.page.has_more);
  if (flight.overrun) {
    drop(room);
    return true;
  }
  for (const auto& event : flight.meanwhile) {
    if (fresh.grow(event) != RoomTail::Grown::kRewritten) continue;
    drop(room);
    return true;
  }
  join(room, std::move(fresh));
  return true;
}

void ReplayCache::join(const domain::RoomKey& room, RoomTail fresh) {
  const auto known = tails_.find(room);
  if (known == tails_.end()) return keep(room, std::move(fresh));
  RoomTail& tail = known->second.tail;
  if (tail.at().head.last_seq < fresh.at().head.last_seq) {
    for (const auto& event : tail.continuation(fresh)) {
      if (tail.grow(event) != RoomTail::Grown::kYes) return keep(room, std::move(fresh));
    }
  }
  if (tail.at().head.last_seq != fresh.at().head.last_seq || tail.at().head.last_id != fresh.at().head.last_id) {
    return keep(room, std::move(fresh));
  }
  Moment both = later(fresh.at(), tail.at());
  tail.set_moment(both);
  tail.merge(std::move(fresh));
  known->second.share.resize(tail.bytes());
}

void ReplayCache::keep(const domain::RoomKey& room, RoomTail tail) {
  tails_.erase(room);
  const auto bytes = tail.bytes();
  tails_.emplace(room, Entry{std::move(tail), ByteBudget::Share(budget_, bytes, [this, room] { drop(room); })});
}

void ReplayCache::grow(const domain::SharedEvent& event) {
  if (const auto flight = flights_.find(event->room); flight != flights_.end()) {
    auto& meanwhile = flight->second.meanwhile;
    if (meanwhile.size() >= kMaxMeanwhile) flight->second.overrun = true;
    if (!flight->second.overrun) meanwhile.push_back(event);
  }
  const auto known = tails_.find(event->room);
  if (known == tails_.end()) return;
  if (known->second.tail.grow(event) == RoomTail::Grown::kRewritten) return drop(event->room);
  known->second.share.resize(known->second.tail.bytes());
  budget_.trim();
}

void ReplayCache::clear() {
  ++epoch_;
  tails_.clear();
}

}  // namespace belfry::realtime
