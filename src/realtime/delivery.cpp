#include <algorithm>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

/// Events a stalled room keeps; what is beyond is read from the log again.
constexpr std::size_t kMaxHeld = 256;
/// Events that a room collects in one turn.
constexpr std::size_t kMaxPending = 256;
/// What one more write to a socket costs at least, and how long a room waits to save one for each of its members.
constexpr std::chrono::microseconds kSendCost{5};
constexpr std::chrono::microseconds kLeastPatience{300};
constexpr std::chrono::microseconds kMostPatience{12000};
/// A pass that takes longer is not waited for.
constexpr std::chrono::milliseconds kLongestPass{50};

using Clock = std::chrono::steady_clock;

/// As the last pass found it, with all that the loop did in between: on a busy machine commits are late as well, and
/// who waits for less than they take waits in vain.
Clock::duration send_cost(const SendPass& last) {
  if (last.sockets == 0) return kSendCost;
  return std::max<Clock::duration>(kSendCost, last.took / static_cast<std::int64_t>(last.sockets));
}

}  // namespace

void HubCore::on_commit(const domain::CommitNotice& notice) {
  if (stopped_ || !started_) return;
  const auto tell = [&](const domain::CommitNotice::Growth& growth) {
    const RoomPtr room = followed(growth.room);
    if (!room || growth.events.empty()) return;
    const auto before = room->position.seq;
    grow(room, growth.events, notice.timeline);
    if (room->live && room->position.seq > before && !room->pending_commit) {
      room->pending_commit = notice.committed_at;
    }
    if (room->pending.empty()) observe_commit(*room);
    wait_for_commit(*room, notice.more);
    read_if_behind(room);
  };
  // The access log first: what follows it in the same notice then need not stall.
  for (const auto& growth : notice.rooms) {
    if (growth.room == domain::kAccessLog) tell(growth);
  }
  for (const auto& growth : notice.rooms) {
    if (growth.room != domain::kAccessLog) tell(growth);
  }
}

/// What somebody says was committed. Of another history than ours it is a reason to read and no more: a promoted
/// standby may never have had it.
void HubCore::grow(const RoomPtr& room, std::span<const domain::SharedEvent> events, domain::Timeline timeline) {
  const auto last = events.back()->seq;
  const bool direct = room->live && timeline == timeline_;
  if (!direct || run(room, events) == Run::kHole) hint(*room, last);
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
  hint(room, events.back()->seq);
}

/// From the commit to the end of the turn in which its members' sockets got it.
void HubCore::observe_commit(Room& room) {
  if (const auto committed = std::exchange(room.pending_commit, std::nullopt)) {
    metrics_.commit_to_socket_seconds.observe(std::chrono::steady_clock::now() - *committed);
  }
}

bool HubCore::large(const Room& room) const {
  return options_.last_pass && options_.soon && kSendCost * room.count >= kLeastPatience;
}

/// One more write to each of a thousand sockets costs milliseconds, however little is written. What comes while a pass
/// over the sockets is under way waits until that has ended and as long again: then all that is under way comes along,
/// and fan-out leaves half of the time to others.
void HubCore::wait_for_pass(Room& room) {
  if (room.wait == Room::Wait::kPass || !large(room)) return;
  const auto pass = options_.last_pass();
  if (!pass.running) return;
  room.wait = Room::Wait::kPass;
  room.waits_for = pass.number;
  room.waits_since = wheel_.now();
}

/// The same where the room's next commit is on its way: up to the time that the writes would take.
void HubCore::wait_for_commit(Room& room, bool more) {
  if (room.pending.empty() || room.wait == Room::Wait::kPass) return;
  if (!more || !large(room)) {
    room.wait = Room::Wait::kNothing;
  } else if (room.wait == Room::Wait::kNothing) {
    room.wait = Room::Wait::kCommit;
    room.waits_since = wheel_.now();
  }
}

Clock::time_point HubCore::leaves_at(const Room& room) const {
  if (room.wait == Room::Wait::kNothing) return {};
  const auto pass = options_.last_pass();
  if (room.wait == Room::Wait::kCommit) {
    return room.waits_since + std::min<Clock::duration>(kMostPatience, send_cost(pass) * room.count);
  }
  if (pass.number != room.waits_for) return {};  // another room's is next already
  return pass.running ? room.waits_since + kLongestPass
                      : pass.ended + std::min<Clock::duration>(kMostPatience, pass.took);
}

/// In order; what members see waits for the end of the turn, and leaves before anything that takes members away.
void HubCore::deliver(const RoomPtr& room, const domain::SharedEvent& event) {
  const Position before = room->position;
  if (!event->visible()) room == access_ ? flush_all() : flush(room);
  room->position.step(*event);
  room->hinted = std::max(room->hinted, event->seq);
  if (observer_ != nullptr && room != access_) observer_->delivered(event);
  if (event->visible()) {
    if (room->pending.empty()) {
      room->pending_before = before;
      if (options_.at_turn_end) unflushed_.push_back(room);
    }
    room->pending.push_back(event);
    wait_for_pass(*room);
    if (!options_.at_turn_end || room->pending.size() >= kMaxPending) flush(room);
  } else if (room == access_) {
    apply_access(*event);
  } else {
    apply_control(room, *event);
  }
}

void HubCore::hook_turn_end() {
  if (!options_.at_turn_end) return;
  options_.at_turn_end(guarded([this] { flush_due(); }));
}

void HubCore::flush_due() {
  if (unflushed_.empty()) return;
  const auto now = wheel_.now();
  std::vector<std::weak_ptr<Room>> waiting;
  auto next = Clock::time_point::max();
  std::erase_if(unflushed_, [&](const std::weak_ptr<Room>& weak) {
    const auto room = weak.lock();
    if (!room || room->pending.empty()) return false;
    const auto at = leaves_at(*room);
    if (at <= now) return false;
    next = std::min(next, at);
    waiting.push_back(weak);
    return true;
  });
  flush_all();
  unflushed_.insert(unflushed_.end(), waiting.begin(), waiting.end());
  if (waiting.empty() || next >= wakes_at_) return;
  wakes_at_ = next;
  options_.soon(std::chrono::ceil<std::chrono::microseconds>(next - now),
                guarded([this] { wakes_at_ = Clock::time_point::max(); }));
}

void HubCore::flush_all() {
  for (const auto& weak : std::exchange(unflushed_, {})) {
    if (const RoomPtr room = weak.lock()) flush(room);
  }
}

/// Where sending fails nobody knows who has had what: the members begin anew, and the other rooms go on.
void HubCore::flush(const RoomPtr& room) {
  if (room->pending.empty() || safely([&] { send_pending(room); })) return;
  room->iterating = 0;
  room->pending.clear();
  compact(*room);
  forked(room);
}

void HubCore::send_pending(const RoomPtr& room) {
  auto pending = std::exchange(room->pending, {});
  room->wait = Room::Wait::kNothing;
  Position before = room->pending_before;
  std::vector<FrameCache> frames(pending.size());
  for (std::size_t at = 0; at < pending.size() && !room->dropped;) {
    auto piece = next_piece(*room, std::span(pending).subspan(at), std::span(frames).subspan(at));
    at += piece.events.size();
    const auto events = piece.events;
    fan_out(*room, std::move(piece), before);
    for (const auto& event : events) before.step(*event);
  }
  observe_commit(*room);
  pending.clear();
  if (room->pending.empty()) room->pending = std::move(pending);  // its memory, for the next turn
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

}  // namespace belfry::realtime
