// What the codecs make of bytes, for a comparison with the stock parsers. A case is a line, bytes as hexadecimal digits
// (`-`: none):
//   engine <text>                 one packet, as a WebSocket text message
//   payload <body>                the body of a polling request
//   socket <text> <attachment>…   a Socket.IO packet
// The answer is a line of JSON: {"refused":"why"} or {"packets":[…],"again":"…"}, where `again` is what was written of
// it.
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "belfry/core/mac.hpp"
#include "dialects/socketio/engine_packet.hpp"
#include "dialects/socketio/socket_packet.hpp"

using namespace belfry::dialects::socketio;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxAttached = 64 * 1024;

std::string bytes_of(const std::string& digits) {
  std::string bytes;
  if (digits == "-") return bytes;
  for (std::size_t at = 0; at + 2 <= digits.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

json refused(Refusal why) { return {{"refused", std::string(why)}}; }

json described(const EnginePacket& packet) {
  return {
      {"type", static_cast<int>(packet.type)}, {"binary", packet.binary}, {"data", belfry::core::to_hex(packet.data)}};
}

json answer_engine(const std::string& text) {
  const auto packet = decode_text(text);
  if (!packet) return refused(packet.error());
  return {{"packets", {described(*packet)}}, {"again", belfry::core::to_hex(encode_text(*packet))}};
}

json answer_payload(const std::string& body) {
  const auto packets = decode_payload(body);
  if (!packets) return refused(packets.error());
  json list = json::array();
  std::string again;
  for (const auto& packet : *packets) {
    list.push_back(described(packet));
    append_to_payload(again, packet);
  }
  return {{"packets", list}, {"again", belfry::core::to_hex(again)}};
}

json answer_socket(const std::vector<std::string>& parts) {
  SocketDecoder decoder(kMaxAttached);
  auto packet = decoder.add_text(parts.front());
  for (std::size_t i = 1; packet && i < parts.size(); ++i) packet = decoder.add_binary(parts[i]);
  if (!packet) return refused(packet.error());
  if (!*packet) return refused("incomplete");
  const auto& whole = **packet;
  const auto data = whole.data ? belfry::wire::dump(*whole.data) : "";
  json attachments = json::array();
  for (const auto& bytes : whole.attachments) attachments.push_back(belfry::core::to_hex(bytes));
  const json described{{"type", static_cast<int>(whole.type)},       {"nsp", belfry::core::to_hex(whole.nsp)},
                       {"query", belfry::core::to_hex(whole.query)}, {"id", whole.id ? json(*whole.id) : json()},
                       {"data", belfry::core::to_hex(data)},         {"attachments", attachments}};
  const auto again = encode_packet(whole.type, whole.nsp, whole.id, data, whole.attachments.size());
  return {{"packets", {described}}, {"again", belfry::core::to_hex(again)}};
}

json answer(const std::string& line) {
  std::istringstream words(line);
  std::string kind;
  words >> kind;
  std::vector<std::string> parts;
  for (std::string word; words >> word;) parts.push_back(bytes_of(word));
  if (kind == "engine" && parts.size() == 1) return answer_engine(parts.front());
  if (kind == "payload" && parts.size() == 1) return answer_payload(parts.front());
  if (kind == "socket" && !parts.empty()) return answer_socket(parts);
  return refused("not a case");
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line).dump() << '\n';
}
