#include "process.hpp"

#include <time.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>

#include <fmt/core.h>

namespace bench {

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

double Process::cpu_us() const {
  if (pid_ <= 0) return 0;
  clockid_t clock = 0;
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    throw std::runtime_error(fmt::format("process {} is gone", pid_));
  }
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}

long Process::rss_kb() const {
  if (pid_ <= 0) return 0;
  std::ifstream file(fmt::format("/proc/{}/statm", pid_));
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

}  // namespace bench
