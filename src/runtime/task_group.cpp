#include "belfry/runtime/task_group.hpp"

#include <utility>

#include <boost/asio/co_spawn.hpp>

namespace belfry::runtime {

struct TaskGroup::Impl {
  Executor executor;
  std::function<void(const std::string&, std::exception_ptr)> on_error;
  std::size_t running = 0;
  bool closed = false;
  std::move_only_function<void()> done;

  void finish(const std::string& name, std::exception_ptr exception) {
    --running;
    if (exception && on_error) on_error(name, std::move(exception));
    if (running == 0 && done) std::exchange(done, nullptr)();
  }
};

TaskGroup::TaskGroup(Loop& loop, std::function<void(const std::string&, std::exception_ptr)> on_error)
    : impl_(std::make_shared<Impl>(loop.context().get_executor(), std::move(on_error))) {}

TaskGroup::~TaskGroup() {
  // Tasks that still run must not call into an owner that is going.
  impl_->closed = true;
  impl_->on_error = nullptr;
  impl_->done = nullptr;
}

void TaskGroup::spawn(std::string name, Task<void> task) {
  if (impl_->closed) return;
  ++impl_->running;
  boost::asio::co_spawn(impl_->executor, std::move(task),
                        [impl = impl_, name = std::move(name)](std::exception_ptr exception) {
                          impl->finish(name, std::move(exception));
                        });
}

std::size_t TaskGroup::size() const { return impl_->running; }

void TaskGroup::close(std::move_only_function<void()> done) {
  impl_->closed = true;
  if (impl_->running == 0) return done();
  impl_->done = std::move(done);
}

}  // namespace belfry::runtime
