#pragma once

#include <cstdint>

namespace bench {

/// Monotonic nanoseconds.
std::int64_t now_ns();

/// Another process, as the kernel counts it.
class Process {
 public:
  explicit Process(int pid) : pid_(pid) {}
  /// User and system time of all its threads, in microseconds; nanosecond clock, no ticks.
  double cpu_us() const;
  long rss_kb() const;
  int pid() const { return pid_; }

 private:
  int pid_;
};

}  // namespace bench
