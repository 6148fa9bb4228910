#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "belfry/dialects/dialect.hpp"
#include "utf8_check.hpp"

/// WebSocket frames (RFC 6455, 5 to 8) without I/O and without extensions: what clients send, and the control frames
/// of a server.
namespace belfry::net {

/// The next thing a client said, or what is wrong with it.
struct ClientFrame {
  enum class Kind : std::uint8_t {
    kNone,    ///< more bytes are needed
    kText,    ///< a whole message, of one frame or of several: `payload`
    kBinary,  ///< the same
    kPing,    ///< `payload`
    kPong,
    kClose,   ///< `code`, 0 when the client gave none
    kBroken,  ///< `code` to close with: 1002, 1007 or 1009; nothing may be read afterwards
  };
  Kind kind = Kind::kNone;
  std::uint16_t code = 0;
  std::string_view payload;  ///< until the next call, and while the bytes it was given are there
};

/// Finds the frames in a client's bytes, however these are cut. What is wrong is said as soon as it can be known: a
/// header that breaks the rules (mask, reserved bits, opcode, order, shortest length, length of a control frame), a
/// message that is announced to be too long, text that cannot become UTF-8. Keeps memory for an unfinished message
/// only.
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_message_bytes) : max_message_bytes_(max_message_bytes) {}

  /// Takes one frame or message from the front of `bytes`, which are unmasked where they lie, and moves `bytes` behind
  /// it. At kNone part of a header or of a control frame (130 bytes at most) may be left: the caller gives it again,
  /// with more behind it.
  ClientFrame next(std::span<char>& bytes);

 private:
  struct Header;
  using Mask = std::array<char, 4>;

  std::expected<Header, dialects::CloseCode> read_header(std::span<const char> bytes) const;
  bool may_come(std::uint8_t opcode, bool final) const;
  ClientFrame read_control(const Header& header, std::span<char>& bytes);
  void begin_frame(const Header& header);
  ClientFrame read_payload(std::span<char>& bytes);

  std::size_t max_message_bytes_;
  std::size_t message_bytes_ = 0;  ///< announced by the frames of this message so far
  std::size_t left_ = 0;           ///< of the frame's payload
  std::string message_;            ///< what came of an unfinished one
  Utf8Check utf8_;
  Mask mask_{};
  bool in_message_ = false;  ///< the next data frame continues it
  bool in_frame_ = false;
  bool final_ = false;  ///< the frame is the message's last one
  bool binary_ = false;
  bool delivered_ = false;  ///< `message_` was the payload that the last call returned
};

/// One whole message.
std::string binary_frame(std::string_view payload);
/// A final, unmasked frame with at most 125 bytes.
std::string pong_frame(std::string_view payload);
/// The reason is cut to what fits.
std::string close_frame(std::uint16_t code, std::string_view reason);
inline constexpr std::string_view kPingFrame("\x89\x00", 2);

}  // namespace belfry::net
