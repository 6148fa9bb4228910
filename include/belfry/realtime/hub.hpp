#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "belfry/core/result.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/log.hpp"
#include "belfry/domain/room_access.hpp"
#include "belfry/realtime/subscriber.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::realtime {

/// The carrier sends what was queued in passes over its sockets. Only the large ones are told.
struct SendPass {
  std::uint64_t number = 0;  ///< of the one that runs, else of the last one; they follow each other
  bool running = false;
  std::chrono::steady_clock::time_point ended{};  ///< the last one
  std::chrono::steady_clock::duration took{};     ///< the last one
  std::size_t sockets = 0;                        ///< of the last one
};

struct HubOptions {
  std::chrono::milliseconds sweep_interval{500};  ///< at most a second: the bound on latency when every hint is lost
  std::chrono::seconds provider_silence{300};     ///< a subscription lives on its last answer this long
  std::chrono::seconds recheck_interval{0};       ///< external provider without validUntil; zero: never
  bool external_grants = false;                   ///< what rests on a grant is as old as its question
  std::int32_t refill_records = 200;              ///< log records per refill read
  std::size_t max_concurrent_refills = 8;
  /// Once joins come in numbers, a read for them begins at most this often, unless it is full or `soon` finds that no
  /// more come; zero: never waits. Counted by the wheel, so up to a tick more.
  std::chrono::milliseconds join_pace{0};
  /// Calls back on the I/O thread, and ends a turn, after times that are too short for the wheel. Null: nothing ends a
  /// pace early.
  std::function<void(std::chrono::microseconds, std::function<void()>)> soon;
  /// Hears of every subject whose access changed, on whichever node, before anything is decided again: what is
  /// remembered of that subject elsewhere must go.
  std::function<void(core::UserId)> on_access_changed;
  /// A bus that tells of followed rooms only, which outlives the hub's use; null: hints come unasked.
  domain::Bus* bus = nullptr;
  /// Registers what runs at the end of every turn of the loop, in front of what sends: the events of one turn then
  /// leave a room as one frame. Null: each event leaves at once.
  std::function<void(std::function<void()>)> at_turn_end;
  /// How the carrier's last sending went. With it and `soon`, large rooms may collect for longer than a turn.
  std::function<SendPass()> last_pass;
};

class HubObserver;

/// What a join answers: the position after which events follow live.
struct Joined {
  domain::RoomKey room;
  core::ChannelId channel_id;
  std::optional<core::EventId> last_event_id;
};

/// Rooms and their members on one I/O thread. Delivers each room's log in order, once, to whoever may see it. Hints
/// (commits, bus, sweep) only say that a log grew; a hole is closed by reading the log. Losing access, slowness and
/// expiry are one state, "suspended, behind since P": decided again and refilled from the log, or ended with
/// `room_left`.
class Hub {
 public:
  Hub(HubOptions options, domain::Database& database, runtime::Wheel& wheel, const core::Clock& clock,
      telemetry::Metrics& metrics);
  ~Hub();

  /// Follows the access log from its present head and starts the sweep. Until then joins are kUnavailable. Retries
  /// while the database is away.
  void start();
  /// Whether joins are answered: a part of the node's readiness. Any thread.
  bool started() const;
  /// Cancels timers; drops every member without a frame. Answers of running jobs are ignored from here on.
  void stop();

  /// Attaches first, then reads decision and head in one snapshot, then merges by position. `done` runs on the I/O
  /// thread before the first live frame of that room is delivered. Joining twice is one subscription and answers again
  /// with the present position.
  void join(Subscriber& subscriber, const domain::RoomTarget& target,
            std::move_only_function<void(core::Result<Joined>)> done);
  void leave(Subscriber& subscriber, const domain::RoomKey& room);
  /// Leaves every room, at once. The subscriber may be destroyed afterwards; a pending join's `done` is dropped.
  void remove(Subscriber& subscriber);
  /// The subscriber is writable again: refills what it missed.
  void drained(Subscriber& subscriber);
  /// Whether the clock has ended a right that one of its rooms needs.
  bool has_expired(Subscriber& subscriber) const;
  /// The subscriber's actor is another now (a renewed token with another role): every room of it is decided again.
  void actor_changed(Subscriber& subscriber);

  void on_commit(const domain::CommitNotice& notice);
  /// Of one room, which is then read, or of any.
  void on_hint(const std::optional<domain::LogHint>& hint = std::nullopt);
  /// The database came back: verify positions, sweep now.
  void on_database_restored();

  /// One, or null; it must outlive its use.
  void observe(HubObserver* observer);
  /// The access log is said to reach that far: read it.
  void want_access(std::int64_t seq);

  struct Counts {
    std::size_t rooms = 0;
    std::size_t subscriptions = 0;
    std::size_t subscribers = 0;
  };
  Counts counts() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace belfry::realtime
