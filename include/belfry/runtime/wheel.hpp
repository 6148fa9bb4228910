#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace belfry::runtime {

/// All timeouts of one I/O thread on one timer wheel: deadlines, pings, expiries. Ticks of 50 ms, so a timer fires up
/// to one tick late and never early. Not thread-safe: used on the loop's thread only.
class Wheel {
  struct Impl;
  struct Entry;

 public:
  using Clock = std::chrono::steady_clock;

  /// Owns one pending callback; dropping it cancels. A fired or empty timer is inactive.
  class Timer {
   public:
    Timer() = default;
    Timer(Timer&& other) noexcept;
    Timer& operator=(Timer&& other) noexcept;
    ~Timer();
    void cancel();
    bool active() const;

   private:
    friend class Wheel;
    std::weak_ptr<Impl> wheel_;
    std::shared_ptr<Entry> entry_;
  };

  /// For a loop: delays count from the machine's clock.
  Wheel();
  /// For a test with a clock of its own: delays count from the time of the last `advance`.
  explicit Wheel(Clock::time_point start);
  ~Wheel();
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

  [[nodiscard]] Timer after(std::chrono::milliseconds delay, std::move_only_function<void()> callback);
  /// Fires what is due. Called by the loop's driver (`drive`) or by a test with a clock of its own.
  void advance(Clock::time_point now);
  /// The time from which `after` counts: for deadlines that move often and are looked at rarely.
  Clock::time_point now() const;
  /// Pending timers; for the baseline test.
  std::size_t size() const;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace belfry::runtime
