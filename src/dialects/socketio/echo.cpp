#include "dialects/socketio/echo.hpp"

#include <utility>

#include "dialects/socketio/engine_packet.hpp"

namespace belfry::dialects::socketio {
namespace {

void say(FrameSink& carrier, SocketType type, const SocketPacket& about, std::string_view json) {
  const auto packet = encode_packet(type, about.nsp, type == SocketType::kAck ? about.id : std::nullopt, json,
                                    about.attachments.size());
  carrier.send(realtime::make_frame(encode_text(message_packet(packet))));
  for (const auto& bytes : about.attachments) carrier.send_binary(bytes);
}

}  // namespace

void echo_auth(FrameSink& carrier, std::string_view nsp, const std::optional<wire::Value>& auth) {
  const SocketPacket about{.nsp = std::string(nsp)};
  say(carrier, SocketType::kEvent, about, "[\"auth\"," + (auth ? wire::dump(*auth) : "{}") + "]");
}

bool echo_event(FrameSink& carrier, const SocketPacket& packet) {
  auto data = *packet.data;
  const auto name = std::exchange(data.items.front().text, "message-back");
  if (name == "message") {
    say(carrier, SocketType::kEvent, packet, wire::dump(data));
    return true;
  }
  if (name != "message-with-ack" || !packet.id) return false;
  data.items.erase(data.items.begin());
  say(carrier, SocketType::kAck, packet, wire::dump(data));
  return true;
}

}  // namespace belfry::dialects::socketio
