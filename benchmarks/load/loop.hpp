#pragma once

#include <cstdint>

namespace bench {

/// What waits for a descriptor. Not owned by the loop; removes itself before it dies.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void ready() = 0;
};

/// Level-triggered epoll on one thread.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void watch(int fd, Handler& handler);
  void forget(int fd);
  /// One wait of at most `timeout_ns` and everything that was ready.
  void turn(std::int64_t timeout_ns);

 private:
  int epoll_;
};

}  // namespace bench
