#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace belfry::runtime {

/// Concrete executor and coroutine types: no type erasure on the data path.
using Executor = boost::asio::io_context::executor_type;
template <class T>
using Task = boost::asio::awaitable<T, Executor>;

/// The I/O thread's loop: runs ready handlers for at most a turn (about 300 us or some hundreds of handlers), then
/// calls the turn-end hooks, so that what one turn produced for a socket leaves in one write.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::io_context& context() { return context_; }
  /// Runs `task` on the loop soon. Any thread.
  void post(std::move_only_function<void()> task);
  /// Runs `task` on the loop after a delay too short for the wheel. Cannot be taken back. Loop's thread only.
  void after(std::chrono::microseconds delay, std::move_only_function<void()> task);
  /// Called on the loop's thread at the end of each turn, in the order they were added. Add before `run`.
  void at_turn_end(std::function<void()> hook);
  /// Returns after `stop`. An exception that a handler lets out is logged by the caller's `on_error` and the loop goes
  /// on.
  void run(const std::function<void(std::exception_ptr)>& on_error);
  /// Any thread.
  void stop();

 private:
  boost::asio::io_context context_;
  std::vector<std::function<void()>> hooks_;
};

}  // namespace belfry::runtime
