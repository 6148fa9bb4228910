#pragma once

#include <chrono>

#include "belfry/core/time.hpp"

namespace belfry::outbound {

/// Circuit breaker: after `threshold` failures in a row nothing is asked for `pause`; then one call tries again. Not
/// thread-safe.
class Breaker {
 public:
  Breaker(int threshold, std::chrono::milliseconds pause, const core::Clock& clock)
      : threshold_(threshold), pause_(pause), clock_(clock) {}

  bool allows() const {
    if (failures_ < threshold_) return true;
    const auto left = retry_at_ - clock_.now();
    return left <= left.zero() || left > pause_;  // more than a pause is left: the clock was set back
  }
  void succeeded() { failures_ = 0; }
  void failed() {
    if (failures_ < threshold_) ++failures_;
    retry_at_ = clock_.now() + pause_;
  }
  /// A trial call is on its way: others wait for its outcome.
  void trying() {
    if (failures_ >= threshold_) retry_at_ = clock_.now() + pause_;
  }

 private:
  int threshold_;
  std::chrono::milliseconds pause_;
  const core::Clock& clock_;
  int failures_ = 0;
  core::TimePoint retry_at_{};
};

}  // namespace belfry::outbound
