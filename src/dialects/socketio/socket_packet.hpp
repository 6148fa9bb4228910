#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/wire/value.hpp"
#include "dialects/socketio/engine_packet.hpp"

/// Packets of Socket.IO 5, which are Engine.IO messages. Pure.
namespace belfry::dialects::socketio {

/// As in the protocol, but that an event or an acknowledgement is binary is said by its attachments.
enum class SocketType : std::uint8_t { kConnect = 0, kDisconnect = 1, kEvent = 2, kAck = 3, kConnectError = 4 };

struct SocketPacket {
  SocketType type = SocketType::kEvent;
  std::string nsp = "/";  ///< the namespace
  std::string query{};    ///< raw, without '?': what stood behind the namespace
  std::optional<std::uint64_t> id{};
  /// Of an event an array whose first item is its name, of an acknowledgement an array, of a CONNECT an object or
  /// nothing (absent), of a CONNECT_ERROR an object or a string, of a DISCONNECT nothing.
  std::optional<wire::Value> data{};
  /// Bytes that `{"_placeholder":true,"num":n}` in `data` stands for; each stands in it once.
  std::vector<std::string> attachments{};
};

inline constexpr std::size_t kMaxAttachments = 10;
inline constexpr std::size_t kMaxNamespaceBytes = 128;
/// Ids beyond are no integers to JavaScript, where every stock client counts them.
inline constexpr std::uint64_t kMaxAckId = (std::uint64_t{1} << 53) - 1;

/// Reads the packets of one session: strict, so what it takes every stock parser takes alike. Whatever it refuses ends
/// the session, and the decoder with it.
class SocketDecoder {
 public:
  using Decoded = std::expected<std::optional<SocketPacket>, Refusal>;

  /// Of a packet with attachments its name, and how many there are, may be all that matters: what is waited for then
  /// takes no memory.
  enum class Attached : std::uint8_t { kKept, kCounted };
  /// `max_attached_bytes`: of one packet's attachments together.
  explicit SocketDecoder(std::size_t max_attached_bytes, Attached attached = Attached::kKept)
      : max_attached_bytes_(max_attached_bytes), attached_(attached) {}
  /// The data of a text message. A packet with attachments is not there before the last of them.
  Decoded add_text(std::string_view text);
  Decoded add_binary(std::string bytes);
  /// Attachments of this one are outstanding; null: of none.
  const SocketPacket* waiting() const { return pending_ ? &*pending_ : nullptr; }

 private:
  std::size_t max_attached_bytes_;
  Attached attached_;
  std::size_t attached_bytes_ = 0;
  std::size_t expected_ = 0;
  std::optional<SocketPacket> pending_;
};

/// What to send: a text message's data; attachments follow it as binary messages, in order. `json` is what stands in
/// `SocketPacket::data`, or empty.
std::string encode_packet(SocketType type, std::string_view nsp, std::optional<std::uint64_t> id, std::string_view json,
                          std::size_t attachments = 0);

/// Names that clients and servers use among themselves: no event may have them.
bool is_reserved_event(std::string_view name);

}  // namespace belfry::dialects::socketio
