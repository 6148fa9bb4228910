#include "resume.hpp"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "arguments.hpp"
#include "process.hpp"
#include "profile.hpp"
#include "swarm.hpp"

namespace bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kIdSize = 36;

class Resume {
 public:
  explicit Resume(Arguments& arguments) : plan_(read_plan(arguments)), server_(arguments.number("server-pid", 0)) {
    since_ = arguments.text("since");
    events_ = arguments.number("events", 0);
    together_ = arguments.text("together", "no") == "yes";
    deadline_ns_ = now_ns() + arguments.number("seconds", 60) * kSecond;
    arguments.require_all_used();
    got_.resize(static_cast<std::size_t>(plan_.clients));
  }

  void run() {
    Swarm swarm(
        loop_, plan_, [this](Client& client, std::string_view text, std::size_t) { take_page(client, text); },
        [this](Client& client) {
          if (!together_) ask(client, since_);
        });
    std::optional<Profile> profile;
    if (!together_) profile.emplace(server_.pid());
    double cpu = server_.cpu_us();
    auto start = now_ns();
    swarm.gather(deadline_ns_);
    if (together_) {
      profile.emplace(server_.pid());
      cpu = server_.cpu_us();
      start = now_ns();
      for (auto& client : swarm.clients()) ask(*client, since_);
    }
    while (done_ < plan_.clients) {
      retries_.run([this](Client& client) { ask_again(client); });
      loop_.turn(kSecond / 20);
      if (now_ns() > deadline_ns_) throw std::runtime_error(fmt::format("only {} clients were served", done_));
    }
    const double seconds = static_cast<double>(now_ns() - start) / 1e9;
    fmt::print(R"({{"clients":{},"seconds":{:.3f},"per_s":{:.0f},"us":{:.1f},"events_per_s":{:.0f},"retried":{}}})"
               "\n",
               plan_.clients, seconds, plan_.clients / seconds, (server_.cpu_us() - cpu) / plan_.clients,
               static_cast<double>(plan_.clients) * events_ / seconds, retries_.count() + swarm.retried());
  }

 private:
  struct Got {
    int events = 0;
    std::string last;
  };

  static SwarmPlan read_plan(Arguments& arguments) {
    SwarmPlan plan;
    plan.port = arguments.number("port", 0);
    plan.clients = arguments.number("clients", 1000);
    plan.under_way = arguments.number("joins-under-way", plan.clients);
    plan.rooms = arguments.lines("rooms");
    plan.tokens = arguments.lines("tokens");
    require_one_room(plan);
    return plan;
  }

  static void require_one_room(const SwarmPlan& plan) {
    if (plan.rooms.size() != 1) throw std::runtime_error("resume is about one room");
  }

  void ask(Client& client, std::string_view since) {
    client.send_text(fmt::format(
        R"({{"event":"communication:sync_discussion","data":{{"channelId":{},"sinceEventId":"{}","limit":500}}}})",
        plan_.rooms.front(), since));
  }

  void ask_again(Client& client) {
    const auto& got = got_[static_cast<std::size_t>(client.index())];
    ask(client, got.last.empty() ? since_ : got.last);
  }

  void take_page(Client& client, std::string_view text) {
    if (text.find(R"("event":"communication:sync_discussion")") == std::string_view::npos) return;
    if (says_busy(text)) return retries_.add(client);
    if (text.find(R"("ok":true)") == std::string_view::npos || text.find(R"("gap":false)") == std::string_view::npos) {
      throw std::runtime_error("sync: " + std::string(text.substr(0, 400)));
    }
    auto& got = got_[static_cast<std::size_t>(client.index())];
    constexpr std::string_view kMark = R"({"eventId":")";
    for (auto at = text.find(kMark); at != std::string_view::npos; at = text.find(kMark, at + kIdSize)) {
      const auto id = text.substr(at + kMark.size(), kIdSize);
      if (id <= got.last) throw std::runtime_error("order: an id that does not rise");
      got.last = id;
      ++got.events;
    }
    if (text.find(R"("hasMore":true)") != std::string_view::npos) return ask(client, got.last);
    if (got.events != events_) {
      throw std::runtime_error(fmt::format("client {} got {} of {} events", client.index(), got.events, events_));
    }
    ++done_;
  }

  SwarmPlan plan_;
  Process server_;
  Loop loop_;
  std::string since_;
  int events_ = 0;
  bool together_ = false;
  std::int64_t deadline_ns_ = 0;
  std::vector<Got> got_;
  Retries retries_;
  int done_ = 0;
};

}  // namespace

void run_resume(Arguments& arguments) { Resume(arguments).run(); }

}  // namespace bench
