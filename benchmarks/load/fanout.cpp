#include "fanout.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include <fmt/core.h>

#include "arguments.hpp"
#include "ledger.hpp"
#include "process.hpp"
#include "profile.hpp"
#include "publisher.hpp"
#include "swarm.hpp"
#include "writes.hpp"

namespace bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kMostConnections = 256;
constexpr int kSettleMs = 1000;  ///< before memory is read

struct Plan {
  SwarmPlan swarm;
  int server_pid = 0;
  std::string admin_token;
  bool ordered = true;
  int window = 1;
  int messages = 0;
  int warm_up = 0;
  int rate = 0;     ///< messages a second; 0: as fast as the window lets them
  int creates = 0;  ///< messages before anybody listens, to know what a write costs
  int frame_bytes = 0;
  std::int64_t deadline_ns = 0;
};

Plan read_plan(Arguments& arguments) {
  Plan plan;
  plan.swarm.protocol = protocol_named(arguments.text("protocol", "native"));
  plan.swarm.port = arguments.number("port", 0);
  plan.swarm.rooms = arguments.lines("rooms");
  plan.swarm.tokens = arguments.lines("tokens");
  plan.swarm.under_way = arguments.number("joins-under-way", plan.swarm.under_way);
  plan.swarm.clients = arguments.number("clients", 1000);
  plan.server_pid = arguments.number("server-pid", 0);
  plan.admin_token = arguments.text("admin-token");
  plan.ordered = arguments.text("ordered", "yes") == "yes";
  plan.window = arguments.number("window", 1);
  plan.messages = arguments.number("messages", 0);
  plan.warm_up = arguments.number("warm-up", plan.messages / 10);
  plan.rate = arguments.number("rate", 0);
  plan.creates = arguments.number("creates", 0);
  plan.frame_bytes = arguments.number("frame-bytes", 520);
  plan.deadline_ns = now_ns() + arguments.number("seconds", 60) * kSecond;
  arguments.require_all_used();
  return plan;
}

class Fanout {
 public:
  explicit Fanout(Plan plan)
      : plan_(std::move(plan)),
        server_(plan_.server_pid),
        ledger_(static_cast<int>(plan_.swarm.rooms.size()), plan_.swarm.clients, plan_.ordered),
        swarm_(loop_, plan_.swarm, [this](Client& client, std::string_view payload, std::size_t bytes) {
          received(client, payload, bytes);
        }) {}

  void run() {
    measure_creates();
    measure_joins();
    if (plan_.messages > 0) measure_deliveries();
    print();
  }

 private:
  struct Memory {
    long start_kb = 0;
    long first_half_kb = 0;
    long second_half_kb = 0;
  };

  void measure_creates() {
    if (plan_.creates == 0) return;
    WritesPlan writes{plan_.swarm.port,  plan_.window,      std::max(1, plan_.creates / 5),
                      plan_.swarm.rooms, plan_.admin_token, plan_.deadline_ns};
    write_messages(loop_, writes, server_);
    writes.messages = plan_.creates;
    const auto result = write_messages(loop_, writes, server_);
    create_us_ = result.server_us / plan_.creates;
    creates_per_s_ = plan_.creates / result.seconds;
  }

  void measure_joins() {
    std::optional<Profile> profile;
    if (plan_.messages == 0) profile.emplace(plan_.server_pid);
    const auto rss = server_.rss_kb();
    const double cpu = server_.cpu_us();
    const auto start = now_ns();
    swarm_.gather(plan_.deadline_ns);
    join_seconds_ = static_cast<double>(now_ns() - start) / 1e9;
    join_us_ = (server_.cpu_us() - cpu) / plan_.swarm.clients;
    std::this_thread::sleep_for(std::chrono::milliseconds(kSettleMs));
    client_kb_ = static_cast<double>(server_.rss_kb() - rss) / plan_.swarm.clients;
  }

  void measure_deliveries() {
    make_publisher();
    publish_all(plan_.warm_up);
    ledger_.clear_latencies();
    wire_bytes_ = 0;
    const Profile profile(plan_.server_pid);
    memory_.start_kb = memory_.first_half_kb = memory_.second_half_kb = server_.rss_kb();
    const double cpu = server_.cpu_us();
    const auto start = now_ns();
    publish_all(plan_.messages);
    seconds_ = static_cast<double>(now_ns() - start) / 1e9;
    used_us_ = server_.cpu_us() - cpu;
  }

  void make_publisher() {
    if (plan_.swarm.protocol == Protocol::kRaw) {
      publisher_ =
          std::make_unique<RawPublisher>(plan_.swarm.port, static_cast<std::size_t>(std::max(plan_.frame_bytes, 0)));
      return;
    }
    const int connections = plan_.rate > 0 ? kMostConnections : std::min(2 * plan_.window, kMostConnections);
    publisher_ = std::make_unique<RestPublisher>(
        loop_, RestPlan{plan_.swarm.port, connections, plan_.swarm.rooms, plan_.admin_token}, [](std::int64_t) {});
  }

  void publish_all(int count) {
    const int end = published_ + count;
    const int first = published_;
    const auto start = now_ns();
    while (complete_ < end) {
      const auto wait = plan_.rate > 0 ? publish_due(start, first, end) : publish_window(end);
      publisher_->flush();
      loop_.turn(wait);
      if (now_ns() > plan_.deadline_ns) {
        throw std::runtime_error(fmt::format("only {} of {} messages delivered in time", complete_, end));
      }
    }
  }

  std::int64_t publish_window(int end) {
    while (published_ < end && published_ - complete_ < plan_.window) publish(now_ns());
    return kSecond / 10;
  }

  /// By the clock, whatever the server does; latencies count from when a message was due. Returns how long to wait.
  std::int64_t publish_due(std::int64_t start, int first, int end) {
    const auto due = [&] { return start + std::int64_t{published_ - first} * kSecond / plan_.rate; };
    while (published_ < end && due() <= now_ns()) publish(due());
    watch_memory(published_ - first, end - first);
    if (published_ == end) return kSecond / 10;
    return std::max<std::int64_t>(due() - now_ns(), 0);
  }

  void watch_memory(int done, int count) {
    if (now_ns() < next_look_) return;
    next_look_ = now_ns() + kSecond / 4;
    auto& most = done * 2 < count ? memory_.first_half_kb : memory_.second_half_kb;
    most = std::max(most, server_.rss_kb());
  }

  void publish(std::int64_t due) {
    publisher_->publish(published_ % static_cast<int>(plan_.swarm.rooms.size()), {published_, due});
    ++published_;
  }

  void received(Client& client, std::string_view payload, std::size_t bytes) {
    const auto stamp = stamps_.read(payload);
    if (!stamp) return;
    wire_bytes_ += bytes;
    if (ledger_.received(client.index(), *stamp, now_ns())) ++complete_;
  }

  void print() {
    const auto deliveries = static_cast<double>(ledger_.deliveries());
    const double whole_us = deliveries > 0 ? used_us_ / deliveries : 0;
    const double share_us = deliveries > 0 ? plan_.messages * create_us_ / deliveries : 0;
    fmt::print(
        R"({{"clients":{},"joins_per_s":{:.0f},"joins_retried":{},"join_us":{:.2f},"client_kb":{:.3f},"create_us":{:.2f},"creates_per_s":{:.0f},)"
        R"("us":{:.4f},"us_with_create":{:.4f},"create_share":{:.4f},"deliveries_per_s":{:.0f},"messages_per_s":{:.1f},"p50_ms":{:.3f},"p99_ms":{:.3f},)"
        R"("frame_bytes":{:.0f},"rss_start_kb":{},"rss_first_half_kb":{},"rss_second_half_kb":{}}})"
        "\n",
        plan_.swarm.clients, plan_.swarm.clients / join_seconds_, swarm_.retried(), join_us_, client_kb_, create_us_,
        creates_per_s_, whole_us - share_us, whole_us, share_us, seconds_ > 0 ? deliveries / seconds_ : 0,
        seconds_ > 0 ? plan_.messages / seconds_ : 0, ledger_.percentile(0.5), ledger_.percentile(0.99),
        static_cast<double>(wire_bytes_) / std::max(1.0, deliveries), memory_.start_kb, memory_.first_half_kb,
        memory_.second_half_kb);
  }

  Plan plan_;
  Loop loop_;
  Process server_;
  Ledger ledger_;
  StampReader stamps_;
  Swarm swarm_;
  std::unique_ptr<Publisher> publisher_;
  int published_ = 0;
  int complete_ = 0;
  std::uint64_t wire_bytes_ = 0;
  std::int64_t next_look_ = 0;
  Memory memory_;
  double create_us_ = 0;
  double creates_per_s_ = 0;
  double join_us_ = 0;
  double join_seconds_ = 1;
  double client_kb_ = 0;
  double seconds_ = 0;
  double used_us_ = 0;
};

}  // namespace

void run_fanout(Arguments& arguments) { Fanout(read_plan(arguments)).run(); }

}  // namespace bench
