#include "dialects/native/replies.hpp"

#include "belfry/wire/frames.hpp"
#include "belfry/wire/json.hpp"

namespace belfry::dialects::native {

namespace {

using realtime::make_frame;
using realtime::SharedFrame;
using wire::json_string;

std::string begin(std::string_view id) {
  std::string text = "{";
  if (!id.empty()) text.append("\"id\":").append(id).append(",");
  return text;
}

}  // namespace

SharedFrame success_reply(std::string_view id, std::string_view event, std::string_view data) {
  std::string text = begin(id);
  text += "\"event\":" + json_string(event) + ",\"ok\":true,\"data\":";
  text += data;
  text += '}';
  return make_frame(text);
}

SharedFrame failure_reply(std::string_view id, const std::optional<std::string>& event, const core::Error& error) {
  std::string text = begin(id);
  text += "\"event\":" + (event ? json_string(*event) : "null") + ",\"ok\":false,\"error\":";
  text += wire::encode_room_error(error);
  text += '}';
  return make_frame(text);
}

SharedFrame pong(std::string_view id) { return make_frame(begin(id) + "\"event\":\"ping\",\"ok\":true}"); }

SharedFrame room_left(const domain::RoomKey& room, core::Reason reason) {
  return make_frame("{\"event\":\"communication:room_left\",\"room\":" + json_string(wire::room_name(room)) +
                    ",\"data\":{\"reason\":" + json_string(core::reason_name(reason)) + "}}");
}

SharedFrame auth_expiring(core::TimePoint expires_at) {
  return make_frame(
      "{\"event\":\"auth:expiring\",\"data\":{\"expiresAt\":" + json_string(core::format_iso8601(expires_at)) + "}}");
}

SharedFrame server_draining(std::chrono::milliseconds reconnect_in) {
  return make_frame(
      "{\"event\":\"server:draining\",\"data\":{\"reconnectInMs\":" + std::to_string(reconnect_in.count()) + "}}");
}

}  // namespace belfry::dialects::native
