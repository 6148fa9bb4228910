#include "sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace bench {
namespace {

constexpr int kPerSource = 2000;

sockaddr_in loopback(std::uint32_t address, int port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(address);
  place.sin_port = htons(static_cast<std::uint16_t>(port));
  return place;
}

}  // namespace

void fail_with_errno(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

int connect_to(int port, int index) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_with_errno("socket");
  const int one = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  const auto source = loopback(INADDR_LOOPBACK + static_cast<std::uint32_t>(index / kPerSource), 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) fail_with_errno("bind");
  const auto target = loopback(INADDR_LOOPBACK, port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0) fail_with_errno("connect");
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

Listener listen_anywhere() {
  Listener listener;
  listener.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  auto address = loopback(INADDR_LOOPBACK, 0);
  socklen_t size = sizeof address;
  if (::bind(listener.fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener.fd, 4096) != 0) {
    fail_with_errno("listen");
  }
  ::getsockname(listener.fd, reinterpret_cast<sockaddr*>(&address), &size);
  listener.port = ntohs(address.sin_port);
  return listener;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno != EAGAIN) fail_with_errno("send");
    pollfd waiting{fd, POLLOUT, 0};
    if (::poll(&waiting, 1, 10'000) == 0) throw std::runtime_error("the peer takes no bytes");
  }
}

std::size_t receive(int fd, char* into, std::size_t size, std::string_view who) {
  const ssize_t n = ::recv(fd, into, size, 0);
  if (n > 0) return static_cast<std::size_t>(n);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  throw std::runtime_error(std::string(who) + (n == 0 ? ": closed by the server" : std::strerror(errno)));
}

}  // namespace bench
