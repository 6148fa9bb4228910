#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "belfry/runtime/loop.hpp"

namespace belfry::runtime {

/// Owns coroutines: counts them, reports what they throw, and says when all have ended. Never `detached`.
/// Not thread-safe: used on the loop's thread only.
class TaskGroup {
 public:
  /// `on_error(name, exception)` hears of a task that threw.
  TaskGroup(Loop& loop, std::function<void(const std::string&, std::exception_ptr)> on_error);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  void spawn(std::string name, Task<void> task);
  std::size_t size() const;
  /// `done` runs on the loop once no task is left (at once when there is none). New tasks are refused from then on.
  void close(std::move_only_function<void()> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace belfry::runtime
