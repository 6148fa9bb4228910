#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "belfry/realtime/hub.hpp"
#include "hub_observer.hpp"
#include "question_lane.hpp"
#include "reads.hpp"
#include "room_state.hpp"

namespace belfry::realtime {

/// The hub behind `Hub`, over the `Reads` seam. One I/O thread, no locks. Continuations of reads and timers hold it,
/// rooms and subscriptions weakly, so anything may end while they are under way. Callbacks of subscribers and joins are
/// called only when the tables are consistent.
class HubCore : public std::enable_shared_from_this<HubCore> {
 public:
  HubCore(HubOptions options, std::unique_ptr<Reads> reads, runtime::Wheel& wheel, const core::Clock& clock,
          telemetry::Metrics& metrics);

  void start();
  /// Once, before the loop runs.
  void hook_turn_end();
  bool started() const { return started_.load(std::memory_order_relaxed); }
  void stop();
  void join(Subscriber& subscriber, const domain::RoomTarget& target, JoinDone done);
  void leave(Subscriber& subscriber, const domain::RoomKey& room);
  void remove(Subscriber& subscriber);
  void drained(Subscriber& subscriber);
  bool has_expired(Subscriber& subscriber) const;
  void actor_changed(Subscriber& subscriber);
  void on_commit(const domain::CommitNotice& notice);
  /// Of one room, or of any.
  void on_hint(const std::optional<domain::LogHint>& hint = std::nullopt);
  void on_database_restored();
  Hub::Counts counts() const;
  /// Null: nobody. It hears at once how far the access log is followed.
  void observe(HubObserver* observer);
  void want_access(std::int64_t seq);

 private:
  using State = Subscription::State;
  using MemberPtr = std::shared_ptr<Member>;
  using FrameCache = std::vector<std::pair<const Encoder*, SharedFrame>>;

  // membership.cpp: who is where.
  MemberPtr member_of(Subscriber& subscriber);
  RoomPtr room_of(const domain::RoomKey& key);
  void resolve(const domain::RoomTarget& target, const MemberPtr& member, JoinDone done);
  void resolve_alone(const domain::RoomTarget& target, const MemberPtr& member, JoinDone done);
  void resolved(const MemberPtr& member, const core::Result<domain::RoomKey>& room, JoinDone done);
  void attach(const MemberPtr& member, const domain::RoomKey& key, JoinDone done);
  void detach(SubscriptionPtr sub);
  void forget_if_idle(const MemberPtr& member);
  void drop_if_empty(Room& room);
  void compact(Room& room);
  void evict(SubscriptionPtr sub, core::Reason reason, const core::Error& error);
  void answer_joins(const SubscriptionPtr& sub, const core::Result<Joined>& answer);
  Joined joined(const Subscription& sub) const;

  // interest.cpp: which rooms the bus tells of.
  struct Interest {
    bool followed = false;  ///< or not to be waited for
    std::vector<std::weak_ptr<Subscription>> waiting;
    runtime::Wheel::Timer timer;  ///< patience with the bus; once followed, and nobody there, what is left of its time
  };
  void ask_when_followed(const SubscriptionPtr& sub);
  void followed_by_bus(const domain::RoomKey& key);
  void lose_interest(const domain::RoomKey& key);

  // delivery.cpp: the log in order, to the members.
  enum class Run : std::uint8_t { kDone, kHole };
  void grow(const RoomPtr& room, std::span<const domain::SharedEvent> events, domain::Timeline timeline);
  Run run(const RoomPtr& room, std::span<const domain::SharedEvent> events);
  void hold(Room& room, std::span<const domain::SharedEvent> events);
  void deliver(const RoomPtr& room, const domain::SharedEvent& event);
  bool large(const Room& room) const;
  void wait_for_pass(Room& room);
  void wait_for_commit(Room& room, bool more);
  std::chrono::steady_clock::time_point leaves_at(const Room& room) const;
  void flush_due();
  void flush_all();
  void flush(const RoomPtr& room);
  void send_pending(const RoomPtr& room);
  void observe_commit(Room& room);

  // fan_out.cpp: one room's events to its members.
  /// Events that leave together, and what each dialect makes of them.
  struct Piece {
    std::span<const domain::SharedEvent> events;
    std::span<FrameCache> frames;  ///< parallel to `events`
    FrameCache joined;
    core::TimePoint latest{};
    bool everybody = true;  ///< nothing in it is for some members only
  };
  Piece next_piece(Room& room, std::span<const domain::SharedEvent> events, std::span<FrameCache> frames);
  void fan_out(Room& room, Piece piece, const Position& before);
  bool give_one_by_one(const SubscriptionPtr& sub, Piece& piece, Position before, core::TimePoint now);
  const SharedFrame& frame_for(Piece& piece, const Encoder& encoder);
  static void fall_behind(Subscription& sub, const Position& before);
  bool give(Subscriber& subscriber, FrameCache& frames, const domain::Event& event, core::TimePoint now);
  void give_up(const SubscriptionPtr& sub);
  void apply_control(const RoomPtr& room, const domain::Event& event);
  /// Null when the encoder cannot tell this event.
  const SharedFrame& frame_for(FrameCache& cache, const Encoder& encoder, const domain::Event& event);
  static bool may_see(const Subscription& sub, const domain::Event& event);
  static bool expired(const Subscription& sub, core::TimePoint now, core::TimePoint occurred_at);

  // log_follower.cpp: closing holes by reading.
  static void hint(Room& room, std::int64_t seq);
  void want(const RoomPtr& room, std::int64_t seq);
  void read_if_behind(const RoomPtr& room);
  void pump_reads();
  void read(const RoomPtr& room);
  void on_page(const RoomPtr& room, const Position& asked, std::uint32_t hints, core::Result<domain::LogPage> page);
  void forked(const RoomPtr& room);

  // access_log.cpp: what concerns a subject.
  std::int64_t access_applied() const { return access_->live ? access_->position.seq : -1; }
  void follow_access();
  void on_access_head(core::Result<Scan> scan);
  void apply_access(const domain::Event& event);
  void release_stalled();
  void decide_everybody(std::int64_t access_seq);

  // decisions.cpp: suspend, and what ends it.
  using Question = QuestionLane::Question;
  using Batch = QuestionLane::Batch;
  static Position position_of(const Subscription& sub);
  void suspend(const SubscriptionPtr& sub);
  void mark_suspended(const SubscriptionPtr& sub);
  void suspend_expired(const SubscriptionPtr& sub);
  void ask(const SubscriptionPtr& sub);
  void pump_decisions();
  void pump(QuestionLane& lane);
  void hold(QuestionLane& lane, std::size_t questions);
  void listen_for_quiet();
  void submit(QuestionLane& lane, Batch batch);
  void on_decisions(QuestionLane& lane, Batch batch, core::Result<std::vector<domain::RoomDecision>> answer);
  void on_decision(const Question& question, core::Result<domain::RoomDecision> answer);
  void on_unknown(const SubscriptionPtr& sub, const core::Error& error);
  void on_allowed(const SubscriptionPtr& sub, const domain::RoomDecision& decision);
  void settle_join(const SubscriptionPtr& sub, const domain::RoomHead& head);
  void ask_again(const SubscriptionPtr& sub);
  void retry_later(const SubscriptionPtr& sub);
  void arm(const SubscriptionPtr& sub);
  void set_timer(const SubscriptionPtr& sub, std::chrono::milliseconds delay);
  std::chrono::milliseconds patience_left(const Subscription& sub) const;
  void due(const SubscriptionPtr& sub);
  std::chrono::milliseconds jittered(std::chrono::milliseconds delay);

  // refill.cpp: what a subscription missed.
  void catch_up(const SubscriptionPtr& sub);
  void queue_refill(const RoomPtr& room);
  void pump_refills();
  bool start_refill(const RoomPtr& room);
  void on_refill(const RoomPtr& room, const Position& from, core::Result<domain::LogPage> page);
  void feed(const SubscriptionPtr& sub, const domain::LogPage& page, std::vector<FrameCache>& frames);

  // sweep.cpp: what nobody told us.
  void sweep_now();
  void on_swept(const std::vector<std::pair<domain::RoomKey, Position>>& verified, core::Result<Scan> scan);
  void verify(const std::vector<std::pair<domain::RoomKey, Position>>& verified,
              const std::vector<domain::RoomHead>& heads);
  bool other_timeline(domain::Timeline timeline);
  void arm_sweep();
  RoomPtr followed(const domain::RoomKey& key) const;

  /// Calls what is not ours: its failure is its own, and everybody behind it is still served.
  template <class Call>
  static bool safely(Call&& call) {
    try {
      call();
      return true;
    } catch (const std::exception& failure) {
      report(failure.what());
      return false;
    }
  }
  static void report(std::string_view what);

  template <class F>
  auto guarded(F body) {
    return [weak = weak_from_this(), body = std::move(body)](auto&&... args) mutable {
      if (const auto self = weak.lock(); self && !self->stopped_) body(std::forward<decltype(args)>(args)...);
    };
  }

  HubOptions options_;
  std::unique_ptr<Reads> reads_;
  HubObserver* observer_ = nullptr;
  runtime::Wheel& wheel_;
  const core::Clock& clock_;
  telemetry::Metrics& metrics_;

  std::atomic<bool> started_ = false;  ///< the access log was followed once
  bool stopped_ = false;
  std::unordered_map<domain::RoomKey, RoomPtr> rooms_;
  std::unordered_map<const Subscriber*, MemberPtr> members_;
  std::unordered_map<core::UserId, std::vector<Member*>> users_;
  std::unordered_map<domain::RoomKey, Interest> interests_;
  std::size_t subscriptions_ = 0;
  TargetCache targets_;
  std::vector<std::weak_ptr<Room>> unflushed_;  ///< have something pending
  /// The end of a turn is asked for then.
  std::chrono::steady_clock::time_point wakes_at_ = std::chrono::steady_clock::time_point::max();
  /// Joins that wait for somebody's question about the same target.
  std::map<domain::RoomTarget, std::vector<std::pair<std::weak_ptr<Member>, JoinDone>>> resolving_;

  RoomPtr access_;
  bool access_asked_ = false;
  runtime::Wheel::Timer access_retry_;
  std::vector<std::weak_ptr<Room>> stalled_;

  std::deque<std::weak_ptr<Room>> read_queue_;
  std::size_t reads_in_flight_ = 0;
  std::deque<std::weak_ptr<Room>> refill_queue_;
  std::size_t refills_in_flight_ = 0;
  QuestionLane joins_{8};
  bool listening_for_quiet_ = false;
  QuestionLane rechecks_{1};

  bool sweeping_ = false;
  bool sweep_again_ = false;
  bool verify_ = false;
  std::uint64_t next_xid_ = 0;
  core::TimePoint swept_at_{};
  domain::Timeline timeline_ = 0;  ///< of the last sweep
  runtime::Wheel::Timer sweep_timer_;
  std::minstd_rand random_;
};

}  // namespace belfry::realtime
