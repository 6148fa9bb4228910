#include "loop.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "sockets.hpp"

namespace bench {

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail_with_errno("epoll_create");
}

Loop::~Loop() { ::close(epoll_); }

void Loop::watch(int fd, Handler& handler) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &handler;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail_with_errno("epoll_ctl");
}

void Loop::forget(int fd) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void Loop::turn(std::int64_t timeout_ns) {
  std::array<epoll_event, 512> events;
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  const int ready = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (ready < 0 && errno != EINTR) fail_with_errno("epoll_wait");
  for (int i = 0; i < ready; ++i) static_cast<Handler*>(events[static_cast<std::size_t>(i)].data.ptr)->ready();
}

}  // namespace bench
