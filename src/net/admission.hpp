#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <random>

#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::net {

/// How many WebSocket handshakes begin: a bounded number a second, two seconds' worth of them at once, and a bounded
/// number between request and decision. Who finds no place is told when to come back; those times follow each other at
/// the same rate, so that a herd returns as a queue. Loop's thread only.
class Admission {
 public:
  using Clock = runtime::Wheel::Clock;
  /// One handshake under way, until dropped. May outlive the Admission.
  using Place = std::shared_ptr<void>;

  Admission(int per_second, std::size_t most_in_flight, telemetry::Metrics& metrics);
  /// A place, or the whole seconds (1 to 30) to stay away.
  std::expected<Place, std::chrono::seconds> ask(Clock::time_point now);
  /// The next free moment to come back at, in whole seconds (1 to 30) from now: also for those who do not get as far as
  /// to ask. Each call gives one out.
  std::chrono::seconds next_moment(Clock::time_point now);

 private:
  std::chrono::seconds turn_away(Clock::time_point now);
  void tell(Clock::time_point now);

  const std::chrono::nanoseconds interval_;
  const std::size_t most_in_flight_;
  telemetry::Metrics& metrics_;
  std::shared_ptr<std::size_t> in_flight_ = std::make_shared<std::size_t>(0);
  Clock::time_point paid_until_{};  ///< as far as admitted handshakes have used the rate up
  Clock::time_point promised_{};    ///< the last time that somebody was told to come back at
  Clock::time_point tell_at_{};
  std::size_t untold_ = 0;
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace belfry::net
