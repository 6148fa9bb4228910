#include <utility>

#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

/// Journal rows live ten minutes: after a longer silence heads are compared instead of trusted.
constexpr std::chrono::minutes kTrustJournal{5};

}  // namespace

void HubCore::on_hint(const std::optional<domain::LogHint>& hint) {
  if (!started_ || stopped_) return;
  metrics_.hints.add();
  if (!hint) return sweep_now();
  const RoomPtr room = followed(hint->room);
  if (!room) return;
  const auto before = room->position.seq;
  if (!hint->events.empty()) grow(room, hint->events, hint->timeline);
  if (room->live && hint->last_seq > room->position.seq) metrics_.hints_read.add();
  if (room->live && hint->last_seq <= room->position.seq && room->position.seq > before) metrics_.hints_delivered.add();
  want(room, hint->last_seq);
}

void HubCore::on_database_restored() {
  verify_ = true;
  targets_.clear();  // a failover may have taken rooms back, and given their numbers to others
  follow_access();   // at once where it waits to try again
  sweep_now();
}

void HubCore::arm_sweep() {
  sweep_timer_ = wheel_.after(options_.sweep_interval, guarded([this] { sweep_now(); }));
}

/// One in flight; whatever asks for one meanwhile shares the next.
void HubCore::sweep_now() {
  if (!started_ || stopped_) return;
  if (sweeping_) {
    sweep_again_ = true;
    return;
  }
  sweeping_ = true;
  sweep_timer_.cancel();
  metrics_.sweeps.add();
  if (clock_.now() - swept_at_ > kTrustJournal) verify_ = true;
  ScanQuery query{.from_xid = next_xid_, .rooms = {}};
  std::vector<std::pair<domain::RoomKey, Position>> verified;
  if (std::exchange(verify_, false)) {
    if (access_->live) verified.emplace_back(domain::kAccessLog, access_->position);
    for (const auto& [key, room] : rooms_) {
      if (room->live) verified.emplace_back(key, room->position);
    }
    for (const auto& [key, position] : verified) query.rooms.push_back(key);
  }
  const bool verifies = !verified.empty();
  reads_->scan(std::move(query), guarded([this, verifies, verified = std::move(verified)](core::Result<Scan> scan) {
                 if (!scan && verifies) verify_ = true;
                 if (!safely([&] { on_swept(verified, std::move(scan)); })) arm_sweep();
               }));
}

void HubCore::on_swept(const std::vector<std::pair<domain::RoomKey, Position>>& verified, core::Result<Scan> scan) {
  sweeping_ = false;
  const bool again = std::exchange(sweep_again_, false);
  if (!scan) return arm_sweep();
  next_xid_ = scan->journal.next_xid;
  swept_at_ = clock_.now();
  const bool promoted = other_timeline(scan->journal.timeline);
  verify(verified, scan->heads);
  // The access log first: rooms that grew together with it then need not stall.
  for (const auto& [key, seq] : scan->journal.heads) {
    if (key == domain::kAccessLog) want(access_, seq);
  }
  for (const auto& [key, seq] : scan->journal.heads) {
    if (const RoomPtr room = followed(key); room && room != access_) want(room, seq);
  }
  if (again || promoted) return sweep_now();
  arm_sweep();
}

/// After a promotion every position is compared, and nothing of before is delivered that has not been yet.
bool HubCore::other_timeline(domain::Timeline timeline) {
  if (timeline == timeline_) return false;
  timeline_ = timeline;
  if (observer_ != nullptr) observer_->history(std::nullopt);
  for (const auto& [key, room] : rooms_) room->held.clear();
  verify_ = true;
  return true;
}

void HubCore::verify(const std::vector<std::pair<domain::RoomKey, Position>>& verified,
                     const std::vector<domain::RoomHead>& heads) {
  std::unordered_map<domain::RoomKey, Position> found;
  for (const auto& head : heads) found.emplace(head.room, Position::of(head));
  for (const auto& [key, position] : verified) {
    const RoomPtr room = followed(key);
    if (!room || !room->live) continue;
    const auto head = found.find(key);
    const bool same_history = head != found.end() && (head->second.seq > position.seq || head->second.same(position));
    room->held.clear();  // may be of a lost history: read again
    if (same_history) {
      if (room == access_ && observer_ != nullptr) observer_->history(timeline_);
      want(room, head->second.seq);
    } else {
      forked(room);
    }
  }
}

}  // namespace belfry::realtime
