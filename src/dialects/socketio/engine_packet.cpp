#include "dialects/socketio/engine_packet.hpp"

#include <algorithm>
#include <utility>

#include "belfry/core/base64.hpp"
#include "belfry/core/text.hpp"

namespace belfry::dialects::socketio {
namespace {

constexpr char kSeparator = '\x1e';
constexpr char kBinary = 'b';

bool may_have_data(EngineType type) {
  switch (type) {
    case EngineType::kOpen:
    case EngineType::kPing:
    case EngineType::kPong:
    case EngineType::kMessage:
      return true;
    case EngineType::kClose:
    case EngineType::kUpgrade:
    case EngineType::kNoop:
      return false;
  }
  return false;
}

std::expected<EnginePacket, Refusal> decode_binary(std::string_view text) {
  auto bytes = core::decode_base64(text);
  if (!bytes) return std::unexpected("a binary packet that is no base 64");
  return binary_packet(std::move(*bytes));
}

}  // namespace

std::expected<EnginePacket, Refusal> decode_text(std::string_view text) {
  if (text.empty()) return std::unexpected("an empty packet");
  if (text.front() < '0' || text.front() > '6') return std::unexpected("an unknown packet type");
  const auto type = static_cast<EngineType>(text.front() - '0');
  if (text.size() > 1 && !may_have_data(type)) return std::unexpected("data where none belongs");
  return EnginePacket{type, false, std::string(text.substr(1))};
}

std::expected<std::vector<EnginePacket>, Refusal> decode_payload(std::string_view body) {
  const auto count = static_cast<std::size_t>(std::ranges::count(body, kSeparator)) + 1;
  if (count > kMaxPackets) return std::unexpected("too many packets");
  if (!core::is_utf8(body)) return std::unexpected("not UTF-8");
  std::vector<EnginePacket> packets;
  packets.reserve(count);
  while (packets.size() < count) {
    const auto text = body.substr(0, body.find(kSeparator));
    body.remove_prefix(std::min(text.size() + 1, body.size()));
    auto packet = text.starts_with(kBinary) ? decode_binary(text.substr(1)) : decode_text(text);
    if (!packet) return std::unexpected(packet.error());
    packets.push_back(std::move(*packet));
  }
  return packets;
}

std::string encode_text(const EnginePacket& packet) {
  std::string text(1, static_cast<char>('0' + std::to_underlying(packet.type)));
  text += packet.data;
  return text;
}

void append_to_payload(std::string& body, const EnginePacket& packet) {
  append_to_payload(body, packet.binary ? kBinary + core::encode_base64(packet.data) : encode_text(packet));
}

void append_to_payload(std::string& body, std::string_view encoded) {
  if (!body.empty()) body += kSeparator;
  body += encoded;
}

}  // namespace belfry::dialects::socketio
