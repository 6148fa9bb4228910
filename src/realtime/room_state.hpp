#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/log.hpp"
#include "belfry/domain/room_access.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/realtime/subscriber.hpp"
#include "belfry/runtime/wheel.hpp"

/// The hub's tables: rooms, members, and the subscription that ties one to the other. I/O thread only.
namespace belfry::realtime {

/// A place in a room's log: after the record `id`, whose number is `seq`.
struct Position {
  std::int64_t seq = 0;
  std::optional<core::EventId> id;
  std::optional<core::EventId> visible;  ///< the last event at or before it that clients can see

  static Position of(const domain::RoomHead& head) { return {head.last_seq, head.last_id, head.last_visible_id}; }
  void step(const domain::Event& event) {
    seq = event.seq;
    id = event.id;
    if (event.visible()) visible = event.id;
  }
  /// The same place in the same history.
  bool same(const Position& other) const { return seq == other.seq && id == other.id; }
};

using JoinDone = std::move_only_function<void(core::Result<Joined>)>;

struct Room;
struct Member;

/// One member in one room. `member` and `room` are valid until it is gone; whatever waits elsewhere holds it weakly.
struct Subscription {
  enum class State : std::uint8_t {
    kJoining,    ///< attached, waits for its first decision; has no position
    kLive,       ///< gets what is delivered, from after `since`
    kBehind,     ///< allowed, gets nothing live; is refilled from the log after `since`
    kSuspended,  ///< gets nothing after `since` until it is decided again
    kGone,
  };

  Member* member = nullptr;
  Room* room = nullptr;
  Subscriber* subscriber = nullptr;
  State state = State::kJoining;
  bool asking = false;     ///< a decision is queued or in flight
  bool dirty = false;      ///< the decision in flight may be older than what made it doubtful
  bool refilling = false;  ///< stands in its room's `ready` list
  std::uint8_t attempts = 0;
  std::size_t index = 0;  ///< in the room's member list
  Position since;
  std::optional<core::TimePoint> valid_until;
  /// A decision counts when its snapshot contains the room's log and the access log at least this far.
  std::int64_t need_room_seq = 0;
  std::int64_t need_access_seq = 0;
  /// What the last decision's snapshot contained: records up to here change nothing.
  std::int64_t decided_room_seq = 0;
  std::int64_t decided_access_seq = 0;
  core::TimePoint confirmed_at{};  ///< last allowed
  core::TimePoint suspended_at{};
  core::TimePoint begun_at{};   ///< of the join
  std::vector<JoinDone> joins;  ///< commands that wait for the decision
  runtime::Wheel::Timer timer;  ///< end of validity, patience, next check or next try, whichever its state waits for

  bool gone() const { return state == State::kGone; }
};
using SubscriptionPtr = std::shared_ptr<Subscription>;

/// A subscriber that is in rooms, or about to be.
struct Member {
  Subscriber* subscriber = nullptr;
  core::UserId user;
  std::size_t resolving = 0;  ///< joins that still look for their room
  std::vector<SubscriptionPtr> subscriptions;

  SubscriptionPtr find(const domain::RoomKey& room) const;
};

/// A room with members here, or the access log.
struct Room {
  domain::RoomKey key;
  core::ChannelId channel_id;
  bool live = false;     ///< `position` is known
  bool reading = false;  ///< a log read is queued or in flight
  bool stalled = false;  ///< `held` waits for the access log
  bool dropped = false;
  bool refill_queued = false;
  bool refill_reading = false;
  int iterating = 0;  ///< members leave holes instead of moving while it is not zero
  bool holes = false;
  Position position;                      ///< processed and delivered up to here
  std::int64_t hinted = 0;                ///< the log is said to reach this far
  std::uint32_t hints = 0;                ///< how often it was said
  std::vector<domain::SharedEvent> held;  ///< directly after `position`
  /// Up to `position`; leaves at the end of the loop's turn, or of one a little later. Whoever is suspended before that
  /// has not had it.
  std::vector<domain::SharedEvent> pending;
  Position pending_before;  ///< in front of `pending`
  /// What `pending` may wait for, and since when.
  enum class Wait : std::uint8_t { kNothing, kCommit, kPass } wait = Wait::kNothing;
  std::chrono::steady_clock::time_point waits_since{};
  std::uint64_t waits_for = 0;                                          ///< the pass's number
  std::optional<std::chrono::steady_clock::time_point> pending_commit;  ///< the first of `pending` was committed then
  std::vector<SubscriptionPtr> members;
  std::vector<SubscriptionPtr> ready;  ///< behind and writable
  std::size_t count = 0;               ///< members without holes
  runtime::Wheel::Timer retry;
  runtime::Wheel::Timer refill_retry;
};
using RoomPtr = std::shared_ptr<Room>;

/// Rooms of targets that were found before; the least recently used one makes place.
class TargetCache {
 public:
  explicit TargetCache(std::size_t capacity) : capacity_(capacity) {}
  std::optional<domain::RoomKey> find(const domain::RoomTarget& target);
  void put(const domain::RoomTarget& target, const domain::RoomKey& room);
  void clear();

 private:
  struct Hash {
    std::size_t operator()(const domain::RoomTarget& target) const noexcept {
      return std::hash<std::int64_t>{}(target.channel_id.value * 4 + static_cast<std::int64_t>(target.kind));
    }
  };
  using Entries = std::list<std::pair<domain::RoomTarget, domain::RoomKey>>;
  std::size_t capacity_;
  Entries entries_;
  std::unordered_map<domain::RoomTarget, Entries::iterator, Hash> index_;
};

}  // namespace belfry::realtime
