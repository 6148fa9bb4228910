#include <algorithm>
#include <utility>

#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstRetry{250};
constexpr milliseconds kLongestRetry{5000};
/// A decision that ran out is not asked for again sooner: our clock may be ahead of the database's.
constexpr milliseconds kExpiryPause{250};
/// A join whose decision still waits its turn then is answered as unavailable.
constexpr milliseconds kJoinPatience{10'000};
constexpr milliseconds kLongestTimer{std::chrono::hours{1}};
constexpr std::uint8_t kPromptTries = 4;
/// A read that takes longer does not keep the next one waiting.
constexpr milliseconds kShareFor{100};

core::Reason reason_of(const core::Error& refusal) {
  if (refusal.code == core::ErrorCode::kNotFound || refusal.reason == core::Reason::kNone) {
    return core::Reason::kChannelUnavailable;
  }
  return refusal.reason;
}

}  // namespace

/// Up to where the subscription has had everything.
Position HubCore::position_of(const Subscription& sub) {
  if (sub.state != State::kLive) return sub.since;
  const Position& reached = sub.room->pending.empty() ? sub.room->position : sub.room->pending_before;
  return reached.seq > sub.since.seq ? reached : sub.since;
}

void HubCore::mark_suspended(const SubscriptionPtr& sub) {
  if (sub->state != State::kLive && sub->state != State::kBehind) return;
  sub->since = position_of(*sub);
  sub->state = State::kSuspended;
  sub->suspended_at = clock_.now();
  sub->attempts = 0;
  metrics_.suspensions.add();
}

void HubCore::suspend(const SubscriptionPtr& sub) {
  mark_suspended(sub);
  ask(sub);
}

void HubCore::suspend_expired(const SubscriptionPtr& sub) {
  mark_suspended(sub);
  if (clock_.now() >= sub->confirmed_at + kExpiryPause) return ask(sub);
  if (!sub->asking) set_timer(sub, kExpiryPause);
}

void HubCore::ask(const SubscriptionPtr& sub) {
  if (sub->asking) return;
  sub->asking = true;
  sub->timer.cancel();
  const bool joining = sub->state == State::kJoining;
  if (joining) set_timer(sub, patience_left(*sub));
  (joining ? joins_ : rechecks_).push(sub, wheel_.now());
  pump_decisions();
  if (joining) listen_for_quiet();
}

void HubCore::pump_decisions() {
  pump(joins_);
  pump(rechecks_);
}

void HubCore::pump(QuestionLane& lane) {
  while (lane.ready()) {
    Batch batch = lane.take();
    if (batch.empty()) break;
    submit(lane, std::move(batch));
  }
}

/// What comes while a read is in flight shares the next one. Joins that come in numbers are also paced by the clock, so
/// that a herd that trickles in costs few reads; who comes alone never waits, nor a herd that is complete.
void HubCore::hold(QuestionLane& lane, std::size_t questions) {
  lane.share(wheel_.after(kShareFor, guarded([this, &lane] {
                            lane.stop_sharing();
                            pump(lane);
                          })));
  if (&lane != &joins_ || options_.join_pace.count() == 0) return;
  if (!lane.counts(questions)) return;
  lane.pace(wheel_.after(options_.join_pace, guarded([this, &lane] {
                           lane.breathe();
                           pump(lane);
                         })));
}

/// A herd often stops by itself (clients that wait for their answers before the next ones come): nobody then waits for
/// the end of the breath.
void HubCore::listen_for_quiet() {
  if (!options_.soon || listening_for_quiet_ || !joins_.holds_back()) return;
  const auto left = joins_.until_quiet(wheel_.now());
  if (left <= left.zero()) {
    joins_.breathe();
    return pump(joins_);
  }
  listening_for_quiet_ = true;
  options_.soon(std::chrono::ceil<std::chrono::microseconds>(left), guarded([this] {
                  listening_for_quiet_ = false;
                  listen_for_quiet();
                }));
}

void HubCore::submit(QuestionLane& lane, Batch batch) {
  std::vector<domain::RoomQuestion> questions;
  questions.reserve(batch.size());
  for (auto& question : batch) {
    const auto sub = question.sub.lock();
    sub->dirty = false;
    question.room_seq = sub->room->live ? sub->room->position.seq : 0;
    question.access_seq = access_applied();
    questions.push_back({sub->subscriber->actor(), sub->room->key});
  }
  lane.begun();
  hold(lane, batch.size());
  reads_->decide(
      std::move(questions), &lane == &joins_,
      guarded([this, &lane, batch = std::move(batch)](core::Result<std::vector<domain::RoomDecision>> answer) mutable {
        lane.ended();
        on_decisions(lane, std::move(batch), std::move(answer));
        pump_decisions();
        pump_refills();
      }));
}

void HubCore::on_decisions(QuestionLane& lane, Batch batch, core::Result<std::vector<domain::RoomDecision>> answer) {
  if (answer && answer->size() != batch.size()) answer = core::fail(core::Error::internal());
  if (answer) {
    lane.succeeded();
    for (std::size_t i = 0; i < batch.size(); ++i) on_decision(batch[i], std::move((*answer)[i]));
    return;
  }
  // One question that the provider cannot answer, or one asker who cannot be written down, fails them all: find the
  // others.
  for (const auto& question : lane.failed(std::move(batch))) on_decision(question, core::fail(answer.error()));
}

void HubCore::on_decision(const Question& question, core::Result<domain::RoomDecision> answer) {
  const auto sub = question.sub.lock();
  if (!sub || sub->gone()) return;
  sub->asking = false;
  if (!answer) return on_unknown(sub, answer.error());
  auto& decision = *answer;
  // What is answered outside may be older than the snapshot that it was judged in: of what changed behind the question
  // it knows nothing. Whatever was applied before the question was forgotten there first.
  if (options_.external_grants && decision.granted) {
    decision.access_seq = std::min(decision.access_seq, question.access_seq);
  }
  if (decision.refusal && decision.refusal->code == core::ErrorCode::kUnavailable) {
    return on_unknown(sub, *decision.refusal);
  }
  if (sub->dirty) return ask_again(sub);
  // A refusal of any moment after the question is one; an allowance must contain all that raised the doubt.
  if (decision.refusal) return evict(sub, reason_of(*decision.refusal), *decision.refusal);
  if (decision.head.last_seq < question.room_seq) return forked(rooms_.at(sub->room->key));
  if (decision.access_seq < question.access_seq && access_applied() >= question.access_seq) forked(access_);
  const bool current = decision.access_seq >= sub->need_access_seq && decision.head.last_seq >= sub->need_room_seq;
  if (!current) return ask_again(sub);
  sub->attempts = 0;
  on_allowed(sub, decision);
}

/// Neither yes nor no: nothing new is given, and what was given lives on its last answer for a while.
void HubCore::on_unknown(const SubscriptionPtr& sub, const core::Error& error) {
  if (sub->state == State::kJoining) return evict(sub, core::Reason::kServiceUnavailable, error);
  const auto silent_since = sub->state == State::kSuspended ? sub->suspended_at : sub->confirmed_at;
  if (clock_.now() - silent_since >= options_.provider_silence) {
    return evict(sub, core::Reason::kServiceUnavailable, error);
  }
  retry_later(sub);
}

void HubCore::on_allowed(const SubscriptionPtr& sub, const domain::RoomDecision& decision) {
  sub->confirmed_at = clock_.now();
  sub->valid_until = decision.valid_until;
  sub->decided_room_seq = decision.head.last_seq;
  sub->decided_access_seq = decision.access_seq;
  if (observer_ != nullptr) observer_->allowed(sub->subscriber->actor(), sub->room->key, decision);
  const RoomPtr room = rooms_.at(sub->room->key);
  room->channel_id = decision.channel_id;
  if (sub->state == State::kJoining) return settle_join(sub, decision.head);
  arm(sub);
  if (sub->state != State::kSuspended) return;
  if (sub->valid_until && clock_.now() >= *sub->valid_until) return set_timer(sub, kExpiryPause);
  sub->state = State::kBehind;
  answer_joins(sub, joined(*sub));
  if (!sub->gone() && sub->state == State::kBehind) catch_up(sub);
}

/// Decision and head are of one snapshot; the stream begins exactly after that head, whatever the room did meanwhile.
void HubCore::settle_join(const SubscriptionPtr& sub, const domain::RoomHead& head) {
  const RoomPtr room = rooms_.at(sub->room->key);
  sub->since = Position::of(head);
  if (!room->live) {
    room->live = true;
    room->position = sub->since;
    // Control records up to here are never run: those who wait need decisions that contain them.
    for (const auto& other : room->members) {
      if (other && other != sub) other->need_room_seq = std::max(other->need_room_seq, room->position.seq);
    }
  } else if (room->position.seq == sub->since.seq && room->position.id != sub->since.id) {
    return forked(room);
  }
  sub->state = room->position.seq > sub->since.seq ? State::kBehind : State::kLive;
  hint(*room, sub->since.seq);
  arm(sub);
  answer_joins(sub, Joined{room->key, room->channel_id, head.last_visible_id});
  if (!sub->gone() && sub->state == State::kBehind) catch_up(sub);
  if (!room->dropped) read_if_behind(room);
}

/// At once while that can help; a snapshot that stays older than our own past waits for the logs to be verified.
void HubCore::ask_again(const SubscriptionPtr& sub) {
  if (sub->attempts >= kPromptTries) return retry_later(sub);
  ++sub->attempts;
  ask(sub);
}

void HubCore::retry_later(const SubscriptionPtr& sub) {
  const auto delay = std::min(kLongestRetry, kFirstRetry * (1 << std::min<int>(sub->attempts, 5)));
  if (sub->attempts < 5) ++sub->attempts;
  set_timer(sub, sub->state == State::kJoining ? std::min(jittered(delay), patience_left(*sub)) : jittered(delay));
}

milliseconds HubCore::patience_left(const Subscription& sub) const {
  return std::clamp<milliseconds>(sub.begun_at + kJoinPatience - clock_.now(), milliseconds{1}, kJoinPatience);
}

/// Waits for the end of validity, or for the next check.
void HubCore::arm(const SubscriptionPtr& sub) {
  if (sub->valid_until) {
    const auto left = *sub->valid_until - clock_.now();
    set_timer(sub, std::clamp<milliseconds>(left, milliseconds{1}, kLongestTimer));
  } else if (options_.recheck_interval.count() > 0) {
    set_timer(sub, jittered(options_.recheck_interval));
  } else {
    sub->timer.cancel();
  }
}

void HubCore::set_timer(const SubscriptionPtr& sub, milliseconds delay) {
  sub->timer = wheel_.after(delay, guarded([this, weak = std::weak_ptr(sub)] {
                              if (const auto still = weak.lock(); still && !still->gone()) due(still);
                            }));
}

void HubCore::due(const SubscriptionPtr& sub) {
  if (sub->state == State::kJoining && clock_.now() >= sub->begun_at + kJoinPatience) {
    return evict(sub, core::Reason::kServiceUnavailable,
                 core::Error::unavailable("The room cannot be joined at the moment."));
  }
  if (sub->state == State::kSuspended) return ask(sub);
  if (!sub->valid_until) return ask(sub);
  if (clock_.now() >= *sub->valid_until) return suspend_expired(sub);
  arm(sub);
}

/// A fifth more or less, so that what began together does not stay together.
milliseconds HubCore::jittered(milliseconds delay) {
  const auto fifth = delay.count() / 5;
  return delay - milliseconds{fifth} +
         milliseconds{static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(2 * fifth + 1))};
}

}  // namespace belfry::realtime
