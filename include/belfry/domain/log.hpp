#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/events.hpp"

namespace belfry::domain {

enum class Gap : std::uint8_t { kNone, kUnknownEvent, kExpired };

struct LogPageQuery {
  RoomKey room;
  std::optional<EventId> since;       ///< strictly after; absent: from the oldest retained
  std::optional<std::int64_t> up_to;  ///< last seq to return
  std::int32_t limit = 100;           ///< records, control records included when asked for
  std::size_t max_bytes = 1 << 20;    ///< of stored payloads; at least one record is returned
  bool control_records = false;       ///< the hub needs them; clients never see them
};

/// A stretch of a room's log, oldest first, with the content masked that is deleted as of
/// the snapshot that it was read in.
struct LogPage {
  std::vector<SharedEvent> events;
  bool has_more = false;
  Gap gap = Gap::kNone;  ///< then `events` is empty
  RoomHead head;         ///< at the same snapshot
};

/// Which of a database's histories something belongs to: PostgreSQL's timeline, another one after each promotion of a
/// standby, which may have lost the tail of the one before. 0: not known.
using Timeline = std::uint32_t;

struct JournalPage {
  std::vector<std::pair<RoomKey, std::int64_t>> heads;  ///< (room, last_seq), may repeat what was seen before
  std::uint64_t next_xid = 0;                           ///< pass it to the next call: nothing falls between
  Timeline timeline = 0;                                ///< of the snapshot
};

/// Heads at one snapshot, and the database's clock as it was taken. Rooms that do not exist are left out.
struct HeadsNow {
  std::vector<RoomHead> rooms;
  std::int64_t access_seq = 0;  ///< head of the access log
  TimePoint now{};
  Timeline timeline = 0;
};

/// Reads of the log within one transaction's snapshot.
class LogRepository {
 public:
  virtual ~LogRepository() = default;
  /// Empty when the room does not exist.
  virtual std::optional<RoomHead> head(const RoomKey& room) = 0;
  virtual std::vector<RoomHead> heads(std::span<const RoomKey> rooms) = 0;
  /// One statement, fit for JobMode::kStatement.
  virtual HeadsNow heads_now(std::span<const RoomKey> rooms) = 0;
  virtual LogPage page(const LogPageQuery& query) = 0;
  /// Heads written by transactions that were not visible at the snapshot which gave `from_xid`. 0: only a new start
  /// point.
  virtual JournalPage journal_since(std::uint64_t from_xid) = 0;
};

/// What one committed transaction added to the log, in order per room. Shared by everyone who hears of it.
struct CommitNotice {
  struct Growth {
    RoomKey room;
    std::vector<SharedEvent> events;
  };
  std::vector<Growth> rooms;
  Timeline timeline = 0;
  std::chrono::steady_clock::time_point committed_at;  ///< for the commit-to-socket histogram
  /// Its writer has more for the same rooms in hand and commits that next: a guess, not a promise.
  bool more = false;
};

/// Called after COMMIT on the I/O thread, in no promised order: a hint, never the truth.
using CommitListener = std::function<void(std::shared_ptr<const CommitNotice>)>;

/// "This log reaches at least this far." May be lost, doubled, late, out of order, or wrong.
struct LogHint {
  RoomKey room;
  std::int64_t last_seq = 0;
  /// Some of what leads there, oldest first, or nothing: committed once, in this history of the database.
  std::vector<SharedEvent> events = {};
  Timeline timeline = 0;
};

/// Spreads "the log grew" between nodes. Lossy by contract: the sweep finds what it loses.
class Bus {
 public:
  using Ready = std::move_only_function<void()>;

  virtual ~Bus() = default;
  /// Tells the other nodes, never this one. Coalesced; never waits; any thread.
  virtual void publish(const CommitNotice& notice) = 0;
  /// Hints of this room are wanted. `ready` runs on the I/O thread, inside the call or later, when what is published
  /// from then on arrives, or when the bus cannot promise that. Once per room until `unfollow`. I/O thread only.
  virtual void follow(const RoomKey& /*room*/, Ready ready) { ready(); }
  virtual void unfollow(const RoomKey& /*room*/) {}
  /// `hint` runs on the I/O thread; without a room: some log may have grown. Set once before start.
  virtual void on_hint(std::function<void(std::optional<LogHint>)> hint) = 0;
  virtual void start() = 0;
  virtual void stop() = 0;
};

}  // namespace belfry::domain
