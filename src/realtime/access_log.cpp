#include <algorithm>
#include <utility>

#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

constexpr std::chrono::milliseconds kRetry{500};

}  // namespace

/// Begins at the access log's present head; again when its history forked.
void HubCore::follow_access() {
  if (stopped_ || access_asked_ || access_->live) return;
  access_asked_ = true;
  reads_->scan({.from_xid = 0, .rooms = {domain::kAccessLog}},
               guarded([this](core::Result<Scan> scan) { on_access_head(std::move(scan)); }));
}

void HubCore::on_access_head(core::Result<Scan> scan) {
  access_asked_ = false;
  if (!scan || scan->heads.empty()) {
    access_retry_ = wheel_.after(kRetry, guarded([this] { follow_access(); }));
    return;
  }
  access_->position = Position::of(scan->heads.front());
  access_->hinted = access_->position.seq;
  access_->live = true;
  if (observer_ != nullptr) {
    observer_->access_restarted(access_->position.seq);
    observer_->history(scan->journal.timeline);
  }
  if (!started_) {
    started_ = true;
    next_xid_ = scan->journal.next_xid;
    timeline_ = scan->journal.timeline;
    swept_at_ = clock_.now();
    arm_sweep();
    return;
  }
  // What stalled rooms hold may be of the lost history: they read it again.
  for (const auto& weak : stalled_) {
    if (const RoomPtr room = weak.lock()) room->held.clear();
  }
  decide_everybody(access_->position.seq);
  release_stalled();
  on_database_restored();
}

void HubCore::observe(HubObserver* observer) {
  observer_ = observer;
  if (observer_ == nullptr || !access_->live) return;
  observer_->access_restarted(access_->position.seq);
  observer_->history(timeline_);
}

void HubCore::want_access(std::int64_t seq) {
  if (!stopped_ && access_->live) want(access_, seq);
}

void HubCore::decide_everybody(std::int64_t access_seq) {
  for (const auto& [key, room] : rooms_) {
    for (const auto& sub : room->members) {
      if (!sub) continue;
      sub->dirty = sub->asking;
      sub->need_access_seq = access_seq;
      sub->decided_access_seq = 0;
      suspend(sub);
    }
  }
}

void HubCore::apply_access(const domain::Event& event) {
  const auto* access = std::get_if<domain::AccessPayload>(&event.payload);
  if (access == nullptr) return;
  if (observer_ != nullptr) observer_->access_applied(access->subject, event.seq);
  if (options_.on_access_changed) safely([&] { options_.on_access_changed(access->subject); });
  const auto user = users_.find(access->subject);
  if (user == users_.end()) return;
  for (const Member* member : user->second) {
    for (const auto& sub : member->subscriptions) {
      if (event.seq <= sub->decided_access_seq) continue;
      sub->need_access_seq = std::max(sub->need_access_seq, event.seq);
      suspend(sub);
    }
  }
}

void HubCore::release_stalled() {
  for (const auto& weak : std::exchange(stalled_, {})) {
    const RoomPtr room = weak.lock();
    if (!room || room->dropped) continue;
    room->stalled = false;
    const auto held = std::exchange(room->held, {});
    if (run(room, held) == Run::kHole) hint(*room, held.back()->seq);
    read_if_behind(room);
  }
}

}  // namespace belfry::realtime
