#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace belfry::pgtest {

/// Stands between a node and the test cluster and breaks the wire at chosen moments.
class Proxy {
 public:
  enum class Mode {
    kPass,
    kCutAfterCommit,         ///< once: the server commits, its answer is lost
    kCutBeforeCommit,        ///< once: COMMIT never reaches the server
    kCutAfterCommitForGood,  ///< as kCutAfterCommit, and nobody gets through any more
    kCutAfterCommitAndHush,  ///< as kCutAfterCommit, and the question what became of it is never answered
    kHush,
    kStall,      ///< the server's answers are held back
    kRefuse,     ///< connections are closed at once
    kRefuseNew,  ///< those that are there go on
  };

  explicit Proxy(const std::string& database_url) : url_(database_url) {
    const auto host = database_url.find("host=") + 5;
    server_ = database_url.substr(host) + "/.s.PGSQL.5432";
    std::string folder = "/tmp/belfry-proxy-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = folder;
    url_.replace(host, std::string::npos, folder_);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = address_of(folder_ + "/.s.PGSQL.5432");
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 64) != 0) {
      throw std::runtime_error("proxy: bind");
    }
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Proxy() {
    stopping_ = true;
    acceptor_.join();
    for (auto& relay : relays_) relay.join();
    ::close(listener_);
    std::filesystem::remove_all(folder_);
  }

  const std::string& url() const { return url_; }
  std::atomic<Mode> mode{Mode::kPass};
  /// Times that a cut was made.
  std::atomic<int> cuts{0};
  /// Questions swallowed.
  std::atomic<int> hushed{0};

 private:
  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }

  void accept_all() {
    while (!stopping_) {
      pollfd fd{listener_, POLLIN, 0};
      if (::poll(&fd, 1, 20) <= 0) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client >= 0) relays_.emplace_back([this, client] { relay(client); });
    }
  }

  void relay(int client) {
    const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = address_of(server_);
    if (mode != Mode::kRefuse && mode != Mode::kRefuseNew &&
        ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      while (!stopping_ && forward(client, server)) {
      }
    }
    ::close(client);
    ::close(server);
  }

  bool forward(int client, int server) {
    pollfd fds[2] = {{client, POLLIN, 0}, {server, static_cast<short>(mode == Mode::kStall ? 0 : POLLIN), 0}};
    if (::poll(fds, 2, 20) < 0) return false;
    if (mode == Mode::kRefuse) return false;
    if (fds[0].revents != 0) {
      const auto size = ::read(client, buffer(), kSize);
      if (size <= 0) return false;
      const std::string_view text(buffer(), static_cast<std::size_t>(size));
      const auto now = mode.load();
      const bool commit = text.find(std::string_view("COMMIT\0", 7)) != std::string_view::npos;
      if (commit && now == Mode::kCutBeforeCommit) return cut(Mode::kPass);
      if (now == Mode::kHush && text.find("pg_xact_status") != std::string_view::npos) {
        ++hushed;
        return true;
      }
      if (::write(server, buffer(), static_cast<std::size_t>(size)) != size) return false;
      if (commit && now != Mode::kPass && now != Mode::kStall && now != Mode::kHush && now != Mode::kRefuseNew) {
        pollfd answer{server, POLLIN, 0};
        ::poll(&answer, 1, 5000);
        return cut(now == Mode::kCutAfterCommit          ? Mode::kPass
                   : now == Mode::kCutAfterCommitAndHush ? Mode::kHush
                                                         : Mode::kRefuse);
      }
    }
    if (fds[1].revents != 0 && mode != Mode::kStall) {
      const auto size = ::read(server, buffer(), kSize);
      if (size <= 0 || ::write(client, buffer(), static_cast<std::size_t>(size)) != size) return false;
    }
    return true;
  }

  bool cut(Mode next) {
    mode = next;
    ++cuts;
    return false;
  }

  static constexpr std::size_t kSize = 1 << 16;
  static char* buffer() {
    thread_local char bytes[kSize];
    return bytes;
  }

  std::string url_;
  std::string server_;
  std::string folder_;
  int listener_ = -1;
  std::atomic<bool> stopping_{false};
  std::list<std::thread> relays_;
  std::thread acceptor_;
};

}  // namespace belfry::pgtest
