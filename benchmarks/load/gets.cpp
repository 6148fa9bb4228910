#include "gets.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "arguments.hpp"
#include "http_client.hpp"
#include "process.hpp"
#include "profile.hpp"

namespace bench {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

class Gets {
 public:
  explicit Gets(Arguments& arguments)
      : path_(arguments.text("path", "/")),
        tokens_(arguments.lines("tokens")),
        server_(arguments.number("server-pid", 0)),
        numbers_(arguments.number("low", 1), arguments.number("high", 1)),
        seconds_(arguments.number("seconds", 4)) {
    const int port = arguments.number("port", 0);
    const int connections = arguments.number("connections", 32);
    arguments.require_all_used();
    for (int i = 0; i < connections; ++i) {
      clients_.push_back(std::make_unique<HttpClient>(
          loop_, port, [this](HttpClient& from, const HttpClient::Answer& answer) { answered(from, answer); }));
    }
  }

  void run() {
    for (auto& client : clients_) ask(*client);
    turn_until(now_ns() + kSecond / 2);
    const Profile profile(server_.pid());
    times_.clear();
    const double cpu = server_.cpu_us();
    const auto start = now_ns();
    turn_until(start + seconds_ * kSecond);
    print(static_cast<double>(now_ns() - start) / 1e9, server_.cpu_us() - cpu);
  }

 private:
  void turn_until(std::int64_t end) {
    while (now_ns() < end) loop_.turn(kSecond / 10);
  }

  void ask(HttpClient& client) {
    auto path = path_;
    if (const auto place = path.find("{}"); place != std::string::npos) {
      path.replace(place, 2, std::to_string(numbers_(random_)));
    }
    std::string authorization;
    if (!tokens_.empty()) {
      authorization = "Authorization: Bearer " + tokens_[next_token_++ % tokens_.size()] + "\r\n";
    }
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: bench\r\n{}\r\n", path, authorization));
  }

  void answered(HttpClient& client, const HttpClient::Answer& answer) {
    if (answer.status != 200) throw std::runtime_error("get: " + std::string(answer.text.substr(0, 400)));
    times_.push_back(answer.took_ns);
    bytes_ = answer.text.size();
    ask(client);
  }

  void print(double seconds, double server_us) {
    if (times_.empty()) throw std::runtime_error("no answer");
    std::ranges::sort(times_);
    const auto count = static_cast<double>(times_.size());
    const auto at = [&](double part) {
      return static_cast<double>(times_[static_cast<std::size_t>(part * (count - 1))]) / 1e6;
    };
    fmt::print(R"({{"per_s":{:.1f},"us":{:.2f},"p50_ms":{:.3f},"p99_ms":{:.3f},"answer_bytes":{}}})"
               "\n",
               count / seconds, server_us / count, at(0.5), at(0.99), bytes_);
  }

  std::string path_;
  std::vector<std::string> tokens_;
  Process server_;
  std::minstd_rand random_{1};
  std::uniform_int_distribution<int> numbers_;
  int seconds_;
  Loop loop_;
  std::vector<std::unique_ptr<HttpClient>> clients_;
  std::vector<std::int64_t> times_;
  std::size_t next_token_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

void run_get(Arguments& arguments) { Gets(arguments).run(); }

}  // namespace bench
