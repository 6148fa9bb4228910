#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "storage/pending.hpp"

namespace belfry::storage {

/// Wakes threads that wait for something of others to change. Thread-safe.
class Signal {
 public:
  void tell() {
    {
      const std::lock_guard lock(mutex_);
      ++told_;
    }
    changed_.notify_all();
  }
  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  /// Until something is told that `count` had not in it when it gave `seen`, or `until`.
  void wait(std::uint64_t seen, SteadyTime until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return told_ != seen; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t told_ = 0;
};

}  // namespace belfry::storage
