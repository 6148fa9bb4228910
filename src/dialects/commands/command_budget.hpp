#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "belfry/core/time.hpp"

namespace belfry::dialects::commands {

/// Token bucket of one connection, in thousandths of a command so that milliseconds add up exactly.
class CommandBudget {
 public:
  CommandBudget(int burst, int per_second, core::TimePoint now)
      : capacity_(std::int64_t{burst} * kCost), per_second_(per_second), left_(capacity_), at_(now) {}

  /// False: these are too many, and are not taken.
  bool take(core::TimePoint now, std::size_t commands = 1) {
    const auto cost = kCost * static_cast<std::int64_t>(commands);
    // A clock that was set back gives nothing and takes nothing.
    const auto elapsed = std::clamp<std::int64_t>((now - at_).count(), 0, kLongestIdleMs);
    at_ = now;
    left_ = std::min(capacity_, left_ + elapsed * per_second_);
    if (left_ < cost) return false;
    left_ -= cost;
    return true;
  }

 private:
  static constexpr std::int64_t kCost = 1000;
  static constexpr std::int64_t kLongestIdleMs = 3'600'000;
  std::int64_t capacity_;
  std::int64_t per_second_;
  std::int64_t left_;
  core::TimePoint at_;
};

}  // namespace belfry::dialects::commands
