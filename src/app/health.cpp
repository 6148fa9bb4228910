#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <expected>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"

namespace belfry::app {
namespace {

constexpr std::chrono::seconds kDeadline{5};
constexpr std::size_t kMaxAnswer = 64 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int connect_to(int fd, const config::Endpoint& endpoint) {
  if (endpoint.address.find(':') != std::string::npos) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    ::inet_pton(AF_INET6, endpoint.address.c_str(), &address.sin6_addr);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  ::inet_pton(AF_INET, endpoint.address.c_str(), &address.sin_addr);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

/// The whole answer to one GET, read until the peer closes. Plain blocking calls: every one is bounded by the socket's
/// timeout, all of them together by the deadline.
std::expected<std::string, std::string> get(const config::Endpoint& endpoint, std::string_view path) {
  const bool v6 = endpoint.address.find(':') != std::string::npos;
  const Descriptor socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout{.tv_sec = kDeadline.count(), .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  const auto failed = [] {
    const bool late = errno == EAGAIN || errno == EINPROGRESS;
    return std::unexpected<std::string>(late ? "no answer in time" : std::strerror(errno));
  };
  if (socket.get() < 0 || connect_to(socket.get(), endpoint) != 0) return failed();
  const auto request =
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", path, config::to_text(endpoint));
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return failed();
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  std::string answer;
  std::array<char, 4096> chunk{};
  while (answer.size() < kMaxAnswer) {
    const auto got = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
    if (got < 0) return failed();
    if (got == 0) return answer;
    if (std::chrono::steady_clock::now() > deadline) return std::unexpected("no answer in time");
    answer.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return std::unexpected("the answer is too long");
}

/// The sentence of a failure answer, if it is ours.
std::string reason_of(std::string_view answer) {
  const auto body = answer.find("\r\n\r\n");
  if (body == std::string_view::npos) return {};
  const auto json = nlohmann::json::parse(answer.substr(body + 4), nullptr, false);
  if (!json.is_object()) return {};
  for (const char* name : {"reason", "message"}) {
    const auto found = json.find(name);
    if (found != json.end() && found->is_string()) return found->get<std::string>();
  }
  return {};
}

int print_health(const config::Endpoint& endpoint) {
  const auto where = config::to_text(endpoint);
  if (endpoint.port == 0) {
    complain("port 0 takes any free port: name the real one with --listen or --ops-listen");
    return kExitUsage;
  }
  const auto answer = get(endpoint, "/readyz");
  if (!answer) {
    std::puts(fmt::format("no answer from {}: {}", where, answer.error()).c_str());
    return kExitFailed;
  }
  if (answer->starts_with("HTTP/1.1 200")) {
    std::puts(fmt::format("ready at {}", where).c_str());
    return 0;
  }
  std::string reason = reason_of(*answer);
  if (reason.empty()) reason = answer->substr(0, answer->find_first_of("\r\n"));
  std::puts(fmt::format("not ready at {}: {}", where, one_line(reason)).c_str());
  return kExitFailed;
}

}  // namespace

config::Endpoint reachable(config::Endpoint endpoint) {
  if (endpoint.address == "0.0.0.0") endpoint.address = "127.0.0.1";
  if (endpoint.address == "::") endpoint.address = "::1";
  return endpoint;
}

void add_health(CLI::App& root, Chosen& chosen) {
  auto* command =
      root.add_subcommand("health", "Ask the running server whether it is ready: exit code 0 or 1, one line");
  auto settings = SettingFlags::add(*command, SettingFlags::Names{"listen", "ops_listen"});
  command->callback([&chosen, settings] {
    chosen = [settings] {
      const auto loaded = settings->load();
      if (!loaded) return kExitUsage;
      return print_health(reachable(loaded->settings.ops_listen.value_or(loaded->settings.listen)));
    };
  });
}

}  // namespace belfry::app
