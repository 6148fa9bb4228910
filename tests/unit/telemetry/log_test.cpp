#include "belfry/telemetry/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace belfry::telemetry {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(LogTest, EndsWhileOthersStillTellAndLosesNothingThatWasSaidBefore) {
  ::testing::internal::CaptureStderr();
  configure_logging(LogLevel::kInfo, LogFormat::kJson);
  std::atomic<bool> done = false;
  std::atomic<int> busy = 0;
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&] {
      while (!done) {
        info("other", {{"count", 1}});
        ++busy;
        std::this_thread::yield();
      }
    });
  }
  while (busy < 10) std::this_thread::yield();
  warn("last", {{"signal", 15}});
  shutdown_logging();
  const int then = busy;
  while (busy < then + 10) std::this_thread::yield();
  done = true;
  for (auto& thread : others) thread.join();
  info("behind");

  int last = 0;
  int behind = 0;
  for (const auto& line : lines_of(::testing::internal::GetCapturedStderr())) {
    EXPECT_THAT(line, ::testing::MatchesRegex(R"re(\{"time":"[^"]+","level":"(info|warn)","event":"[a-z]+".*\})re"));
    if (line.find(R"("event":"last","signal":15)") != std::string::npos) ++last;
    if (line.find(R"("event":"behind")") != std::string::npos) ++behind;
  }
  EXPECT_EQ(last, 1);
  EXPECT_EQ(behind, 1);
}

}  // namespace
}  // namespace belfry::telemetry
