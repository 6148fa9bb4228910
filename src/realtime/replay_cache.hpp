#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "belfry/telemetry/metrics.hpp"
#include "byte_budget.hpp"
#include "lifeline.hpp"
#include "reader_reads.hpp"
#include "room_tail.hpp"

namespace belfry::realtime {

/// The tails of the rooms that are replayed, fed by the hub where it follows the room and by reads of the log
/// otherwise: one in flight per room, from the earliest place that is asked for. I/O thread only.
class ReplayCache {
 public:
  /// False: the log cannot be read from there.
  using Done = std::move_only_function<void(bool)>;

  ReplayCache(ReaderReads& reads, ByteBudget& budget, telemetry::Metrics& metrics)
      : reads_(reads), budget_(budget), metrics_(metrics) {}

  /// Valid until the next call.
  const RoomTail* find(const domain::RoomKey& room);
  /// Reads from `since`, or from the end of what is here when that is asked for. Who comes while a read is in flight is
  /// called after it as well, since it may have served.
  void load(const domain::RoomKey& room, std::optional<core::EventId> since, Done done);
  void grow(const domain::SharedEvent& event);
  void drop(const domain::RoomKey& room) { tails_.erase(room); }
  void clear();

 private:
  struct Waiter {
    std::optional<core::EventId> since;
    Done done;
  };
  struct Flight {
    std::vector<Waiter> asked;
    std::vector<Waiter> waiting;
    std::vector<domain::SharedEvent> meanwhile;  ///< delivered since the read began
    bool overrun = false;
  };
  struct Entry {
    RoomTail tail;
    ByteBudget::Share share;
  };

  void send(const domain::RoomKey& room, Flight& flight);
  void answer(const domain::RoomKey& room, const std::optional<core::EventId>& since, std::uint64_t epoch,
              core::Result<Replay> replay);
  bool absorb(const domain::RoomKey& room, const std::optional<core::EventId>& since, Replay replay,
              const Flight& flight);
  void join(const domain::RoomKey& room, RoomTail fresh);
  void keep(const domain::RoomKey& room, RoomTail tail);

  ReaderReads& reads_;
  ByteBudget& budget_;
  telemetry::Metrics& metrics_;
  std::unordered_map<domain::RoomKey, Entry> tails_;
  std::unordered_map<domain::RoomKey, Flight> flights_;
  std::uint64_t epoch_ = 0;
  Lifeline line_;
};

}  // namespace belfry::realtime
