#pragma once

#include <functional>
#include <thread>

#include "belfry/runtime/drive.hpp"
#include "belfry/runtime/loop.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::app {

/// A loop with its timers and what is counted on it. The first one of a node runs on the thread that runs the node; the
/// others have a thread of their own.
struct IoThread {
  telemetry::Metrics metrics;
  runtime::Loop loop;
  runtime::Wheel wheel;
  runtime::WheelDriver driver{loop, wheel};
  std::thread thread;

  /// Callable from any thread for as long as this lives.
  std::function<void(std::move_only_function<void()>)> poster() {
    return [this](std::move_only_function<void()> task) { loop.post(std::move(task)); };
  }
};

}  // namespace belfry::app
