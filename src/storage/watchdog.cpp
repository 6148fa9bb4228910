#include "storage/watchdog.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "belfry/telemetry/log.hpp"

namespace belfry::storage {

Watchdog::Watchdog() : thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Clock::now();
    wakes_at_ = Clock::time_point::max();
    for (auto& entry : watched_) {
      if (entry.until <= now && entry.socket >= 0) {
        telemetry::warn("database_socket_shut", {{"reason", "no answer past the deadline"}});
        ::shutdown(entry.socket, SHUT_RDWR);
        entry.socket = -1;
      }
      if (entry.socket >= 0) wakes_at_ = std::min(wakes_at_, entry.until);
    }
    if (wakes_at_ == Clock::time_point::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, wakes_at_);
    }
  }
}

Watchdog::Watch::Watch(Watchdog& dog, int socket, Clock::time_point until) : dog_(dog) {
  bool sooner = false;
  {
    const std::lock_guard lock(dog_.mutex_);
    entry_ = dog_.watched_.insert(dog_.watched_.end(), {socket, until});
    sooner = until < dog_.wakes_at_;
    if (sooner) dog_.wakes_at_ = until;
  }
  if (sooner) dog_.changed_.notify_one();
}

Watchdog::Watch::~Watch() {
  const std::lock_guard lock(dog_.mutex_);
  dog_.watched_.erase(entry_);
}

}  // namespace belfry::storage
