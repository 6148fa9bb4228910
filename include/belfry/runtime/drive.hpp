#pragma once

#include <memory>

#include "belfry/runtime/loop.hpp"
#include "belfry/runtime/wheel.hpp"

namespace belfry::runtime {

/// Advances a wheel from a loop every 50 ms. Dropping it stops that; loop and wheel must outlive it.
class WheelDriver {
 public:
  WheelDriver(Loop& loop, Wheel& wheel);
  ~WheelDriver();
  WheelDriver(const WheelDriver&) = delete;
  WheelDriver& operator=(const WheelDriver&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace belfry::runtime
