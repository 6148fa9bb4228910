#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "process.hpp"
#include "stamp.hpp"

namespace bench {

class Arguments;
class Loop;

struct WritesPlan {
  int port = 0;
  int writers = 1;  ///< each has one message under way
  int messages = 0;
  std::vector<std::string> rooms;  ///< in turns
  std::string token;
  std::int64_t deadline_ns = 0;
};

struct WritesResult {
  double seconds = 0;
  double server_us = 0;  ///< of CPU, all together
  double p50_ms = 0;
  double p99_ms = 0;
};

/// Durable messages without anybody listening.
WritesResult write_messages(Loop& loop, const WritesPlan& plan, const Process& server);

/// The command `create`.
void run_create(Arguments& arguments);

}  // namespace bench
