#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "belfry/telemetry/metrics.hpp"
#include "lifeline.hpp"
#include "reader_reads.hpp"

namespace belfry::realtime {

/// How far the logs reach, for requests that would be answered from memory. One statement at a time for the whole node:
/// a request waits for one that begins after it came, and all that wait share it. I/O thread only.
class Barrier {
 public:
  using Done = std::move_only_function<void(core::Result<Moment>)>;

  Barrier(ReaderReads& reads, telemetry::Metrics& metrics, std::size_t max_waiting = 20'000)
      : reads_(reads), metrics_(metrics), max_waiting_(max_waiting) {}

  /// kUnavailable when the statement failed or too many wait, kNotFound when there is no such room.
  void pass(const domain::RoomKey& room, Done done);

 private:
  struct Waiter {
    domain::RoomKey room;
    Done done;
  };
  void send();
  void answer(const core::Result<Heads>& heads);

  ReaderReads& reads_;
  telemetry::Metrics& metrics_;
  std::size_t max_waiting_;
  std::vector<Waiter> asked_;    ///< of the statement in flight
  std::vector<Waiter> waiting_;  ///< came after it began
  bool in_flight_ = false;
  Lifeline line_;
};

}  // namespace belfry::realtime
