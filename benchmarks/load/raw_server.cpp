#include "raw_server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

#include <fmt/core.h>

#include "arguments.hpp"
#include "loop.hpp"
#include "sockets.hpp"
#include "websocket.hpp"

namespace bench {
namespace {

constexpr std::size_t kRecordHead = 8;

class RawServer;

/// A subscriber (says "J<room>\n"), or the publisher ("P\n" and records).
class RawPeer final : public Handler {
 public:
  RawPeer(RawServer& server, int fd) : server_(server), fd_(fd) {}
  void ready() override;
  int fd() const { return fd_; }

 private:
  void introduce();
  void take_records();

  RawServer& server_;
  int fd_;
  bool publisher_ = false;
  std::string buffer_;
};

class RawServer final : public Handler {
 public:
  explicit RawServer(bool batch) : batch_(batch), listener_(listen_anywhere()) { loop_.watch(listener_.fd, *this); }

  [[noreturn]] void run() {
    fmt::print("{{\"port\":{}}}\n", listener_.port);
    std::fflush(stdout);
    while (true) {
      loop_.turn(1'000'000'000);
      gone_.clear();
    }
  }

  void ready() override {
    const int fd = ::accept4(listener_.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto& peer = peers_[fd];
    peer = std::make_unique<RawPeer>(*this, fd);
    loop_.watch(fd, *peer);
  }

  void join(std::size_t room, int fd) {
    if (room >= rooms_.size()) rooms_.resize(room + 1);
    rooms_[room].push_back(fd);
    send_all(fd, server_frame(R"({"ok":true})"));
  }

  void leave(int fd) {
    for (auto& room : rooms_) std::erase(room, fd);
    loop_.forget(fd);
    gone_.push_back(std::move(peers_.at(fd)));  // it is still running
    peers_.erase(fd);
    ::close(fd);
  }

  void send_now(std::uint32_t room, std::string_view frames) {
    if (room >= rooms_.size()) return;
    for (const int fd : rooms_[room]) send_all(fd, frames);
  }

  bool batch() const { return batch_; }

 private:
  bool batch_;
  Loop loop_;
  Listener listener_;
  std::map<int, std::unique_ptr<RawPeer>> peers_;
  std::vector<std::unique_ptr<RawPeer>> gone_;
  std::vector<std::vector<int>> rooms_;
};

void RawPeer::ready() {
  static char bytes[262144];  // one thread
  const ssize_t size = ::recv(fd_, bytes, sizeof bytes, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return server_.leave(fd_);
  buffer_.append(bytes, static_cast<std::size_t>(size));
  if (publisher_) return take_records();
  if (buffer_.find('\n') != std::string::npos) introduce();
}

void RawPeer::introduce() {
  const auto end = buffer_.find('\n');
  const auto line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  if (line.starts_with('J')) return server_.join(std::stoul(line.substr(1)), fd_);
  publisher_ = true;
  take_records();
}

void RawPeer::take_records() {
  std::map<std::uint32_t, std::string> gathered;
  std::string_view left(buffer_);
  while (left.size() >= kRecordHead) {
    std::uint32_t room = 0;
    std::uint32_t length = 0;
    std::memcpy(&room, left.data(), sizeof room);
    std::memcpy(&length, left.data() + sizeof room, sizeof length);
    if (left.size() < kRecordHead + length) break;
    const auto frame = left.substr(kRecordHead, length);
    if (server_.batch()) {
      gathered[room].append(frame);
    } else {
      server_.send_now(room, frame);
    }
    left.remove_prefix(kRecordHead + length);
  }
  buffer_.erase(0, buffer_.size() - left.size());
  for (const auto& [room, frames] : gathered) server_.send_now(room, frames);
}

}  // namespace

void put_raw_record(std::string& into, std::uint32_t room, std::string_view frame) {
  const auto length = static_cast<std::uint32_t>(frame.size());
  into.append(reinterpret_cast<const char*>(&room), sizeof room);
  into.append(reinterpret_cast<const char*>(&length), sizeof length);
  into.append(frame);
}

void run_raw_server(Arguments& arguments) {
  const auto mode = arguments.text("mode", "direct");
  if (mode != "direct" && mode != "batch") throw std::runtime_error("mode is direct or batch");
  arguments.require_all_used();
  RawServer(mode == "batch").run();
}

}  // namespace bench
