#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

constexpr int kText = 1;
constexpr int kClose = 8;
constexpr int kPing = 9;
constexpr int kPong = 10;

struct Frame {
  int opcode = 0;
  std::string_view payload;
  std::size_t bytes = 0;  ///< on the wire
};

/// The first server frame of `bytes`; none when it is not complete yet.
std::optional<Frame> first_frame(std::string_view bytes);

/// A client's frame; its mask is zero, which the protocol allows.
std::string client_frame(std::string_view payload, int opcode = kText);
/// A server's text frame.
std::string server_frame(std::string_view payload);

std::string upgrade_request(std::string_view target, std::string_view token);

}  // namespace bench
