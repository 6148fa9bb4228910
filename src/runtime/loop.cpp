#include "belfry/runtime/loop.hpp"

#include <memory>
#include <utility>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace belfry::runtime {
namespace {

constexpr std::size_t kMaxHandlersPerTurn = 256;
constexpr auto kMaxTurn = std::chrono::microseconds(300);

void run_turn(boost::asio::io_context& context) {
  if (context.run_one() == 0) return;
  const auto end = std::chrono::steady_clock::now() + kMaxTurn;
  for (std::size_t handlers = 1; handlers < kMaxHandlersPerTurn; ++handlers) {
    if (context.poll_one() == 0 || std::chrono::steady_clock::now() >= end) return;
  }
}

}  // namespace

// One thread runs the context; posting from others stays safe with this hint.
Loop::Loop() : context_(1) {}

Loop::~Loop() = default;

void Loop::post(std::move_only_function<void()> task) {
  boost::asio::post(context_, [task = std::move(task)]() mutable { task(); });
}

void Loop::after(std::chrono::microseconds delay, std::move_only_function<void()> task) {
  using Clock = std::chrono::steady_clock;
  using Timer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Executor>;
  auto timer = std::make_unique<Timer>(context_.get_executor(), delay);
  auto& waits = *timer;
  waits.async_wait([timer = std::move(timer), task = std::move(task)](const boost::system::error_code& error) mutable {
    if (!error) task();
  });
}

void Loop::at_turn_end(std::function<void()> hook) { hooks_.push_back(std::move(hook)); }

void Loop::run(const std::function<void(std::exception_ptr)>& on_error) {
  const auto guarded = [&](const auto& step) {
    try {
      step();
    } catch (...) {
      on_error(std::current_exception());
    }
  };
  const auto work = boost::asio::make_work_guard(context_);
  // The hooks come first, so that what was queued before `run` does not wait for the first handler.
  while (true) {
    for (const auto& hook : hooks_) guarded(hook);
    if (context_.stopped()) return;
    guarded([this] { run_turn(context_); });
  }
}

void Loop::stop() { context_.stop(); }

}  // namespace belfry::runtime
