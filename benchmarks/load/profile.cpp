#include "profile.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

namespace bench {

Profile::Profile(int pid) {
  const char* file = std::getenv("BELFRY_BENCH_PERF");
  if (file == nullptr) return;
  const auto target = std::to_string(pid);
  perf_ = ::fork();
  if (perf_ == 0) {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);  // our own output is JSON
    ::execlp("perf", "perf", "record", "-q", "-e", "cpu-clock", "-F", "4000", "-o", file, "-p", target.c_str(),
             nullptr);
    ::_exit(127);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // it attaches
}

Profile::~Profile() {
  if (perf_ <= 0) return;
  ::kill(perf_, SIGINT);
  ::waitpid(perf_, nullptr, 0);
}

}  // namespace bench
