#include <algorithm>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

/// Events a stalled room keeps; what is beyond is read from the log again.
constexpr std::size_t kMaxHeld = 256;

}  // namespace

void HubCore::on_commit(const domain::CommitNotice& notice) {
  if (stopped_ || !started_) return;
  const auto grow = [&](const domain::CommitNotice::Growth& growth) {
    const RoomPtr room = followed(growth.room);
    if (!room || growth.events.empty()) return;
    const auto last = growth.events.back()->seq;
    if (!room->live) {
      room->hinted = std::max(room->hinted, last);
      return;
    }
    const auto before = room->position.seq;
    if (run(room, growth.events) == Run::kHole) room->hinted = std::max(room->hinted, last);
    if (room->position.seq > before) {
      metrics_.commit_to_socket_seconds.observe(std::chrono::steady_clock::now() - notice.committed_at);
    }
    read_if_behind(room);
  };
  // The access log first: what follows it in the same notice then need not stall.
  for (const auto& growth : notice.rooms) {
    if (growth.room == domain::kAccessLog) grow(growth);
  }
  for (const auto& growth : notice.rooms) {
    if (growth.room != domain::kAccessLog) grow(growth);
  }
}

HubCore::Run HubCore::run(const RoomPtr& room, std::span<const domain::SharedEvent> events) {
  const bool is_access = room == access_;
  Run outcome = Run::kDone;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto& event = events[i];
    if (room->dropped) return Run::kDone;
    if (event->seq <= room->position.seq) continue;
    if (!room->held.empty()) {
      hold(*room, events.subspan(i));
      return Run::kDone;
    }
    if (event->seq != room->position.seq + 1 || event->prev_id != room->position.id) {
      outcome = Run::kHole;
      break;
    }
    if (!is_access && event->access_seq > access_applied()) {
      hold(*room, events.subspan(i));
      if (!room->stalled) stalled_.push_back(room);
      room->stalled = true;
      want(access_, event->access_seq);
      return Run::kDone;
    }
    deliver(room, event);
  }
  if (is_access) release_stalled();
  return outcome;
}

void HubCore::hold(Room& room, std::span<const domain::SharedEvent> events) {
  for (const auto& event : events) {
    const bool follows =
        room.held.empty() || (event->seq == room.held.back()->seq + 1 && event->prev_id == room.held.back()->id);
    if (follows && room.held.size() < kMaxHeld) room.held.push_back(event);
  }
  room.hinted = std::max(room.hinted, events.back()->seq);
}

void HubCore::deliver(const RoomPtr& room, const domain::SharedEvent& event) {
  const Position before = room->position;
  room->position.step(*event);
  room->hinted = std::max(room->hinted, event->seq);
  if (observer_ != nullptr && room != access_) observer_->delivered(event);
  if (event->visible()) {
    fan_out(*room, *event, before);
  } else if (room == access_) {
    apply_access(*event);
  } else {
    apply_control(room, *event);
  }
}

void HubCore::fan_out(Room& room, const domain::Event& event, const Position& before) {
  const auto now = clock_.now();
  const auto occurred_at = event.occurred_at();
  std::uint64_t delivered = 0;
  std::vector<SubscriptionPtr> broken;
  frames_.clear();
  ++room.iterating;
  // By index and with holes: the list may grow or lose members while a subscriber is called.
  for (std::size_t i = 0; i < room.members.size(); ++i) {
    Subscription* const sub = room.members[i].get();
    if (sub == nullptr || sub->state != State::kLive || event.seq <= sub->since.seq) continue;
    if (expired(*sub, now, occurred_at)) {
      fall_behind(*sub, before);
      suspend_expired(room.members[i]);
    } else if (!sub->subscriber->writable()) {
      fall_behind(*sub, before);
      metrics_.suspensions.add();
    } else if (may_see(*sub, event)) {
      if (give(*sub->subscriber, frames_, event)) {
        ++delivered;
      } else if (room.members[i]) {
        broken.push_back(room.members[i]);
      }
    }
  }
  --room.iterating;
  frames_.clear();
  compact(room);
  metrics_.deliveries.add(delivered);
  for (const auto& sub : broken) give_up(sub);
}

/// False: this subscriber has not got the event and never will.
bool HubCore::give(Subscriber& subscriber, FrameCache& frames, const domain::Event& event) {
  bool given = false;
  const bool whole = safely([&] {
    if (const auto& frame = frame_for(frames, subscriber.encoder(), event)) {
      subscriber.deliver(frame);
      given = true;
    }
  });
  return whole && given;
}

/// An event that cannot be given is a gap, and a gap is said.
void HubCore::give_up(const SubscriptionPtr& sub) {
  evict(sub, core::Reason::kServiceUnavailable, core::Error::unavailable("The room's events cannot be delivered."));
}

void HubCore::report(std::string_view what) { telemetry::error("hub_callback_failed", {{"what", what}}); }

/// The room already stands after the event that this subscription does not get.
void HubCore::fall_behind(Subscription& sub, const Position& before) {
  if (sub.since.seq < before.seq) sub.since = before;
  sub.state = State::kBehind;
}

void HubCore::apply_control(const RoomPtr& room, const domain::Event& event) {
  const auto* control = std::get_if<domain::ControlPayload>(&event.payload);
  if (control == nullptr) return;
  const auto doubt = [&](const SubscriptionPtr& sub) {
    if (event.seq <= sub->decided_room_seq) return;
    sub->need_room_seq = std::max(sub->need_room_seq, event.seq);
    suspend(sub);
  };
  const bool ban = control->kind == domain::ControlKind::kBan;
  if (control->kind == domain::ControlKind::kPolicy || (ban && !control->subject)) {
    for (const auto& sub : room->members) {
      if (sub) doubt(sub);
    }
  } else if (ban) {
    const auto user = users_.find(*control->subject);
    if (user == users_.end()) return;
    for (const Member* member : user->second) {
      if (const auto sub = member->find(room->key)) doubt(sub);
    }
  }
}

const SharedFrame& HubCore::frame_for(FrameCache& cache, const Encoder& encoder, const domain::Event& event) {
  for (const auto& [known, frame] : cache) {
    if (known == &encoder) return frame;
  }
  metrics_.events_encoded.add();
  SharedFrame frame;
  safely([&] { frame = encoder.encode(event); });
  return cache.emplace_back(&encoder, std::move(frame)).second;
}

/// Two audiences are two rooms; this is the second lock.
bool HubCore::may_see(const Subscription& sub, const domain::Event& event) {
  return event.audience == domain::Audience::kPublic || sub.subscriber->actor().admin();
}

bool HubCore::expired(const Subscription& sub, core::TimePoint now, core::TimePoint occurred_at) {
  return sub.valid_until && (now >= *sub.valid_until || occurred_at >= *sub.valid_until);
}

}  // namespace belfry::realtime
