#include <algorithm>
#include <utility>

#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

constexpr std::size_t kRememberedTargets = 10'000;
/// Commands of one subscriber that may wait for the same decision.
constexpr std::size_t kMaxWaitingJoins = 16;

core::Error not_ready() { return core::Error::unavailable("Rooms are not available at the moment."); }

}  // namespace

HubCore::HubCore(HubOptions options, std::unique_ptr<Reads> reads, runtime::Wheel& wheel, const core::Clock& clock,
                 telemetry::Metrics& metrics)
    : options_(std::move(options)),
      reads_(std::move(reads)),
      wheel_(wheel),
      clock_(clock),
      metrics_(metrics),
      targets_(kRememberedTargets),
      access_(std::make_shared<Room>()) {
  access_->key = domain::kAccessLog;
}

void HubCore::start() { follow_access(); }

void HubCore::stop() {
  if (stopped_) return;
  stopped_ = true;
  sweep_timer_.cancel();
  joins_.stop();
  rechecks_.stop();
  resolving_.clear();
  access_retry_.cancel();
  access_->retry.cancel();
  while (!members_.empty()) {
    const MemberPtr member = members_.begin()->second;
    member->resolving = 0;
    for (const auto& sub : std::vector(member->subscriptions)) detach(sub);
    forget_if_idle(member);
  }
  interests_.clear();
}

void HubCore::join(Subscriber& subscriber, const domain::RoomTarget& target, JoinDone done) {
  if (subscriber.actor().anonymous()) {
    return done(core::fail(core::Error::unauthorized(core::Reason::kLoginRequired, "Sign in to use rooms.")));
  }
  if (!started_ || stopped_) return done(core::fail(not_ready()));
  const MemberPtr member = member_of(subscriber);
  if (const auto room = targets_.find(target)) return attach(member, *room, std::move(done));
  resolve(target, member, std::move(done));
}

void HubCore::attach(const MemberPtr& member, const domain::RoomKey& key, JoinDone done) {
  if (const auto sub = member->find(key)) {
    if (sub->state == State::kLive || sub->state == State::kBehind) return done(joined(*sub));
    if (sub->joins.size() >= kMaxWaitingJoins) return done(core::fail(not_ready()));
    sub->joins.push_back(std::move(done));
    return;
  }
  const RoomPtr room = room_of(key);
  const auto sub = std::make_shared<Subscription>();
  sub->member = member.get();
  sub->room = room.get();
  sub->subscriber = member->subscriber;
  sub->begun_at = clock_.now();
  sub->joins.push_back(std::move(done));
  // Records that were applied before this moment found no subscription to suspend: the decision must contain them
  // itself.
  sub->need_room_seq = room->live ? room->position.seq : 0;
  sub->need_access_seq = access_applied();
  sub->index = room->members.size();
  room->members.push_back(sub);
  ++room->count;
  member->subscriptions.push_back(sub);
  ++subscriptions_;
  metrics_.subscriptions.add();
  ask_when_followed(sub);
}

/// One question for all who name the same target meanwhile. A room is the same for everybody; why there is none is not.
void HubCore::resolve(const domain::RoomTarget& target, const MemberPtr& member, JoinDone done) {
  ++member->resolving;
  if (const auto at = resolving_.find(target); at != resolving_.end()) {
    at->second.emplace_back(member, std::move(done));
    return;
  }
  resolving_.try_emplace(target);
  reads_->resolve(target, member->subscriber->actor(),
                  guarded([this, target, weak = std::weak_ptr(member),
                           done = std::move(done)](const core::Result<domain::RoomKey>& room) mutable {
                    auto waiting = std::move(resolving_.extract(target).mapped());
                    if (room) targets_.put(target, *room);
                    safely([&] { resolved(weak.lock(), room, std::move(done)); });
                    const bool for_all = room || room.error().code == core::ErrorCode::kUnavailable;
                    for (auto& [other, answer] : waiting) {
                      if (for_all) {
                        safely([&] { resolved(other.lock(), room, std::move(answer)); });
                      } else if (const auto still = other.lock()) {
                        resolve_alone(target, still, std::move(answer));
                      }
                    }
                  }));
}

void HubCore::resolve_alone(const domain::RoomTarget& target, const MemberPtr& member, JoinDone done) {
  reads_->resolve(target, member->subscriber->actor(),
                  guarded([this, weak = std::weak_ptr(member),
                           done = std::move(done)](const core::Result<domain::RoomKey>& room) mutable {
                    resolved(weak.lock(), room, std::move(done));
                  }));
}

void HubCore::resolved(const MemberPtr& member, const core::Result<domain::RoomKey>& room, JoinDone done) {
  if (!member) return;
  --member->resolving;
  if (room) return attach(member, *room, std::move(done));
  forget_if_idle(member);
  done(core::fail(room.error()));
}

void HubCore::leave(Subscriber& subscriber, const domain::RoomKey& key) {
  const auto at = members_.find(&subscriber);
  if (at == members_.end()) return;
  const MemberPtr member = at->second;
  const auto sub = member->find(key);
  if (!sub) return;
  auto waiting = std::exchange(sub->joins, {});
  detach(sub);
  forget_if_idle(member);
  for (auto& done : waiting) done(core::fail(core::Error::unavailable("The room was left before the join ended.")));
}

void HubCore::remove(Subscriber& subscriber) {
  const auto at = members_.find(&subscriber);
  if (at == members_.end()) return;
  const MemberPtr member = at->second;
  member->resolving = 0;
  for (const auto& sub : std::vector(member->subscriptions)) detach(sub);
  forget_if_idle(member);
}

void HubCore::drained(Subscriber& subscriber) {
  const auto at = members_.find(&subscriber);
  if (at == members_.end()) return;
  const MemberPtr member = at->second;
  for (const auto& sub : member->subscriptions) {
    if (sub->state == State::kBehind) catch_up(sub);
  }
  pump_refills();
}

bool HubCore::has_expired(Subscriber& subscriber) const {
  const auto at = members_.find(&subscriber);
  return at != members_.end() && std::ranges::any_of(at->second->subscriptions, [now = clock_.now()](const auto& sub) {
           return sub->valid_until && now >= *sub->valid_until;
         });
}

void HubCore::actor_changed(Subscriber& subscriber) {
  const auto at = members_.find(&subscriber);
  if (at == members_.end()) return;
  for (const auto& sub : at->second->subscriptions) {
    sub->dirty = sub->asking;
    suspend(sub);
  }
}

Hub::Counts HubCore::counts() const { return {rooms_.size(), subscriptions_, members_.size()}; }

HubCore::MemberPtr HubCore::member_of(Subscriber& subscriber) {
  auto& member = members_[&subscriber];
  if (!member) {
    member = std::make_shared<Member>();
    member->subscriber = &subscriber;
    member->user = subscriber.actor().id;
    users_[member->user].push_back(member.get());
  }
  return member;
}

RoomPtr HubCore::room_of(const domain::RoomKey& key) {
  auto& room = rooms_[key];
  if (!room) {
    room = std::make_shared<Room>();
    room->key = key;
    metrics_.rooms.add();
  }
  return room;
}

RoomPtr HubCore::followed(const domain::RoomKey& key) const {
  if (key == domain::kAccessLog) return access_;
  const auto at = rooms_.find(key);
  return at == rooms_.end() ? nullptr : at->second;
}

/// By value: the tables that are changed here may own what the caller refers to.
void HubCore::detach(SubscriptionPtr sub) {
  if (sub->gone()) return;
  Room& room = *sub->room;
  if (room.iterating > 0) {
    room.members[sub->index] = nullptr;
    room.holes = true;
  } else {
    std::swap(room.members[sub->index], room.members.back());
    room.members[sub->index]->index = sub->index;
    room.members.pop_back();
  }
  --room.count;
  std::erase(sub->member->subscriptions, sub);
  sub->state = State::kGone;
  sub->member = nullptr;
  sub->room = nullptr;
  sub->subscriber = nullptr;
  sub->timer.cancel();
  sub->joins.clear();
  --subscriptions_;
  metrics_.subscriptions.sub();
  drop_if_empty(room);
}

void HubCore::drop_if_empty(Room& room) {
  if (room.count > 0 || room.dropped) return;
  room.dropped = true;
  room.retry.cancel();
  room.refill_retry.cancel();
  room.held.clear();
  room.pending.clear();
  metrics_.rooms.sub();
  const auto key = room.key;
  rooms_.erase(key);
  if (!stopped_) lose_interest(key);
}

void HubCore::forget_if_idle(const MemberPtr& member) {
  if (member->resolving > 0 || !member->subscriptions.empty()) return;
  const auto at = members_.find(member->subscriber);
  if (at == members_.end() || at->second != member) return;
  const auto user = users_.find(member->user);
  std::erase(user->second, member.get());
  if (user->second.empty()) users_.erase(user);
  members_.erase(at);
}

void HubCore::compact(Room& room) {
  if (!room.holes || room.iterating > 0) return;
  std::erase(room.members, nullptr);
  for (std::size_t i = 0; i < room.members.size(); ++i) room.members[i]->index = i;
  room.holes = false;
}

Joined HubCore::joined(const Subscription& sub) const {
  return {sub.room->key, sub.room->channel_id, position_of(sub).visible};
}

void HubCore::answer_joins(const SubscriptionPtr& sub, const core::Result<Joined>& answer) {
  for (auto& done : std::exchange(sub->joins, {})) {
    if (sub->gone()) return;  // an earlier answer made its subscriber go away
    safely([&] { done(answer); });
  }
}

void HubCore::evict(SubscriptionPtr sub, core::Reason reason, const core::Error& error) {
  if (sub->gone()) return;
  const bool was_in = sub->state != State::kJoining;
  Subscriber& subscriber = *sub->subscriber;
  const auto key = sub->room->key;
  const MemberPtr member = members_.at(sub->subscriber);
  // Whoever is called may end the subscriber: only a member that is still in the table may hear the next word.
  auto waiting = std::exchange(sub->joins, {});
  detach(sub);
  ++member->resolving;
  const auto here = [&] {
    const auto at = members_.find(&subscriber);
    return at != members_.end() && at->second == member;
  };
  if (was_in && here()) {
    metrics_.evictions.add();
    safely([&] { subscriber.room_left(key, reason); });
  }
  for (auto& done : waiting) {
    if (!here()) return;
    safely([&] { done(core::fail(error)); });
  }
  if (!here()) return;
  --member->resolving;
  forget_if_idle(member);
}

}  // namespace belfry::realtime
