#include "websocket.hpp"

#include <fmt/core.h>

namespace bench {
namespace {

void put_head(std::string& frame, std::size_t length, int opcode, int mask_bit) {
  frame.push_back(static_cast<char>(0x80 | opcode));
  if (length < 126) {
    frame.push_back(static_cast<char>(mask_bit | static_cast<int>(length)));
  } else {
    frame.push_back(static_cast<char>(mask_bit | 126));
    frame.push_back(static_cast<char>(length >> 8 & 0xff));
    frame.push_back(static_cast<char>(length & 0xff));
  }
}

}  // namespace

std::optional<Frame> first_frame(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2) return std::nullopt;
  std::size_t head = 2;
  std::uint64_t length = byte(1) & 0x7fU;
  if (length == 126) {
    if (bytes.size() < 4) return std::nullopt;
    head = 4;
    length = static_cast<std::uint64_t>(byte(2)) << 8 | byte(3);
  } else if (length == 127) {
    if (bytes.size() < 10) return std::nullopt;
    head = 10;
    length = 0;
    for (std::size_t i = 2; i < 10; ++i) length = length << 8 | byte(i);
  }
  if (bytes.size() < head + length) return std::nullopt;
  return Frame{byte(0) & 0x0f, bytes.substr(head, length), head + length};
}

std::string client_frame(std::string_view payload, int opcode) {
  std::string frame;
  put_head(frame, payload.size(), opcode, 0x80);
  frame.append(4, '\0');
  frame.append(payload);
  return frame;
}

std::string server_frame(std::string_view payload) {
  std::string frame;
  put_head(frame, payload.size(), kText, 0);
  frame.append(payload);
  return frame;
}

std::string upgrade_request(std::string_view target, std::string_view token) {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{}{}{}\r\n",
      target, token.empty() ? "" : "Authorization: Bearer ", token, token.empty() ? "" : "\r\n");
}

}  // namespace bench
