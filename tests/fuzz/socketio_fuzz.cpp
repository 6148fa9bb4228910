// Hostile bytes as Socket.IO packets, one to a line; a line that begins with `b` is an attachment. What is taken can be
// written, and is read again as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dialects/socketio/socket_packet.hpp"

using namespace belfry::dialects::socketio;

namespace {

constexpr std::size_t kMaxAttached = 64;

void check(bool holds) {
  if (!holds) std::abort();
}

std::string json_of(const SocketPacket& packet) { return packet.data ? belfry::wire::dump(*packet.data) : ""; }

void write_and_read(const SocketPacket& packet) {
  check(packet.nsp.starts_with('/') && packet.nsp.size() <= kMaxNamespaceBytes);
  check(packet.attachments.size() <= kMaxAttachments && packet.id.value_or(0) <= kMaxAckId);
  const auto json = json_of(packet);
  const auto text = encode_packet(packet.type, packet.nsp, packet.id, json, packet.attachments.size());
  SocketDecoder decoder(kMaxAttached);
  auto again = decoder.add_text(text);
  for (const auto& bytes : packet.attachments) {
    check(again && !*again);
    again = decoder.add_binary(bytes);
  }
  check(again && *again);
  check((*again)->type == packet.type && (*again)->nsp == packet.nsp && (*again)->id == packet.id);
  check(json_of(**again) == json && (*again)->attachments == packet.attachments);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view lines(reinterpret_cast<const char*>(data), size);
  SocketDecoder decoder(kMaxAttached);
  while (true) {
    const auto line = lines.substr(0, lines.find('\n'));
    const auto packet =
        line.starts_with('b') ? decoder.add_binary(std::string(line.substr(1))) : decoder.add_text(line);
    if (packet && *packet) write_and_read(**packet);
    if (line.size() == lines.size()) return 0;
    lines.remove_prefix(line.size() + 1);
  }
}
