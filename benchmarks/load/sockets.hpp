#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bench {

[[noreturn]] void fail_with_errno(const std::string& what);

/// Connects over loopback; `index` chooses the source address, 2000 connections each. Non-blocking afterwards.
int connect_to(int port, int index);

struct Listener {
  int fd = -1;
  int port = 0;
};
Listener listen_anywhere();

/// Waits until everything is written.
void send_all(int fd, std::string_view bytes);

/// Bytes that are there; 0 when none are. Throws when the peer closed.
std::size_t receive(int fd, char* into, std::size_t size, std::string_view who);

}  // namespace bench
