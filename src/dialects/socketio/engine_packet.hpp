#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

/// Packets of Engine.IO 4: one to a WebSocket message, several to the body of a polling request. Pure functions.
namespace belfry::dialects::socketio {

/// Why hostile bytes are refused: for logs and tests, never for the client. Static text.
using Refusal = std::string_view;

enum class EngineType : std::uint8_t { kOpen, kClose, kPing, kPong, kMessage, kUpgrade, kNoop };

struct EnginePacket {
  EngineType type = EngineType::kNoop;
  bool binary = false;  ///< of a message only: `data` is bytes, not text
  std::string data{};

  friend bool operator==(const EnginePacket&, const EnginePacket&) = default;
};

inline EnginePacket message_packet(std::string text) { return {EngineType::kMessage, false, std::move(text)}; }
inline EnginePacket binary_packet(std::string bytes) { return {EngineType::kMessage, true, std::move(bytes)}; }

/// More packets than any client puts into one request whose commands are also bounded by the second.
inline constexpr std::size_t kMaxPackets = 1000;

/// A WebSocket text message, which is UTF-8. Data stands only behind a type that may have some.
std::expected<EnginePacket, Refusal> decode_text(std::string_view text);
/// The body of a POST, binary packets in base 64. Counted before anything is taken out of it.
std::expected<std::vector<EnginePacket>, Refusal> decode_payload(std::string_view body);

/// As a WebSocket text message. A binary packet is a binary message and has no other form there.
std::string encode_text(const EnginePacket& packet);
/// Puts a packet behind those that are in the body of a GET's answer. Text has no U+001E in it: JSON escapes it.
void append_to_payload(std::string& body, const EnginePacket& packet);
/// The same for the text of a packet that is encoded already.
void append_to_payload(std::string& body, std::string_view encoded);

}  // namespace belfry::dialects::socketio
