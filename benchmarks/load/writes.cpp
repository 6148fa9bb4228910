#include "writes.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "arguments.hpp"
#include "loop.hpp"
#include "profile.hpp"
#include "publisher.hpp"

namespace bench {
namespace {

double percentile_ms(std::vector<std::int64_t>& times, double part) {
  if (times.empty()) return 0;
  const auto place = static_cast<std::ptrdiff_t>(part * static_cast<double>(times.size() - 1));
  std::ranges::nth_element(times, times.begin() + place);
  return static_cast<double>(times[static_cast<std::size_t>(place)]) / 1e6;
}

}  // namespace

WritesResult write_messages(Loop& loop, const WritesPlan& plan, const Process& server) {
  std::vector<std::int64_t> times;
  RestPublisher publisher(loop, {plan.port, plan.writers, plan.rooms, plan.token},
                          [&](std::int64_t took) { times.push_back(took); });
  int sent = 0;
  const auto send_next = [&] {
    publisher.publish(sent % static_cast<int>(plan.rooms.size()), {sent, now_ns()});
    ++sent;
  };
  const double cpu = server.cpu_us();
  const auto start = now_ns();
  while (std::cmp_less(times.size(), plan.messages)) {
    while (sent < plan.messages && sent - static_cast<int>(times.size()) < plan.writers) send_next();
    loop.turn(100'000'000);
    if (now_ns() > plan.deadline_ns) {
      throw std::runtime_error(fmt::format("only {} of {} messages in time", times.size(), plan.messages));
    }
  }
  WritesResult result;
  result.seconds = static_cast<double>(now_ns() - start) / 1e9;
  result.server_us = server.cpu_us() - cpu;
  result.p50_ms = percentile_ms(times, 0.5);
  result.p99_ms = percentile_ms(times, 0.99);
  return result;
}

void run_create(Arguments& arguments) {
  const Process server(arguments.number("server-pid", 0));
  WritesPlan plan;
  plan.port = arguments.number("port", 0);
  plan.writers = arguments.number("writers", 64);
  plan.messages = arguments.number("messages", 6000);
  plan.rooms = arguments.lines("rooms");
  plan.token = arguments.text("admin-token");
  plan.deadline_ns = now_ns() + arguments.number("seconds", 60) * 1'000'000'000LL;
  const int warm_up = arguments.number("warm-up", plan.messages / 5);
  arguments.require_all_used();

  Loop loop;
  const int messages = std::exchange(plan.messages, warm_up);
  write_messages(loop, plan, server);
  plan.messages = messages;
  const Profile profile(server.pid());
  const auto result = write_messages(loop, plan, server);
  fmt::print(R"({{"messages":{},"per_s":{:.1f},"us":{:.2f},"p50_ms":{:.2f},"p99_ms":{:.2f}}})"
             "\n",
             messages, messages / result.seconds, result.server_us / messages, result.p50_ms, result.p99_ms);
}

}  // namespace bench
