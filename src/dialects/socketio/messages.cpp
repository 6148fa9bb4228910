#include "dialects/socketio/messages.hpp"

#include <variant>

#include "belfry/wire/events.hpp"
#include "belfry/wire/frames.hpp"
#include "belfry/wire/json.hpp"
#include "dialects/socketio/engine_packet.hpp"
#include "dialects/socketio/socket_packet.hpp"

namespace belfry::dialects::socketio {
namespace {

using wire::json_string;

constexpr std::string_view kDefault = "/";

std::string message_of(SocketType type, std::string_view json, std::optional<std::uint64_t> id = std::nullopt,
                       std::string_view nsp = kDefault) {
  return encode_text(message_packet(encode_packet(type, nsp, id, json)));
}

std::string event_message(std::string_view name, std::string_view arguments) {
  std::string json = "[" + json_string(name) + ",";
  json += arguments;
  json += ']';
  return message_of(SocketType::kEvent, json);
}

}  // namespace

std::string event_body(const domain::Event& event, std::string_view attachment_url_base) {
  std::string json = "[\"communication.";
  json += domain::event_type_name(event.type);
  json += "\",";
  json += wire::encode_envelope(event, attachment_url_base);
  json += ",{\"room\":" + json_string(wire::room_name(event.room)) + ",\"prevEventId\":";
  json += event.prev_visible_id ? json_string(event.prev_visible_id->value.text()) : "null";
  json += '}';
  return message_of(SocketType::kEvent, json);
}

std::string event_tail(std::string_view offset) { return "," + json_string(offset) + "]"; }

domain::RoomTarget target_of(const domain::Event& event) {
  if (const auto* message = std::get_if<domain::MessagePayload>(&event.payload)) {
    return {event.room.kind, message->message.channel_id};
  }
  return {event.room.kind, {event.room.key}};
}

std::string position_message(std::string_view offset) {
  return event_message("communication:position", json_string(offset));
}

std::string room_left_message(const domain::RoomKey& room, core::Reason reason, std::string_view offset) {
  return event_message("communication:room_left", "{\"room\":" + json_string(wire::room_name(room)) +
                                                      ",\"reason\":" + json_string(core::reason_name(reason)) + "}," +
                                                      json_string(offset));
}

std::string auth_expiring_message(core::TimePoint expires_at) {
  return event_message("auth:expiring", "{\"expiresAt\":" + json_string(core::format_iso8601(expires_at)) + "}");
}

std::string server_draining_message(std::chrono::milliseconds reconnect_in) {
  return event_message("server:draining", "{\"reconnectInMs\":" + std::to_string(reconnect_in.count()) + "}");
}

std::string success_ack(std::uint64_t id, std::string_view data) {
  return message_of(SocketType::kAck, "[{\"ok\":true,\"data\":" + std::string(data) + "}]", id);
}

std::string failure_ack(std::uint64_t id, const core::Error& error) {
  return message_of(SocketType::kAck, "[{\"ok\":false,\"error\":" + wire::encode_room_error(error) + "}]", id);
}

std::string command_error_message(const std::optional<std::string>& event, const core::Error& error) {
  return event_message("communication:error", "{\"event\":" + (event ? json_string(*event) : "null") +
                                                  ",\"error\":" + wire::encode_room_error(error) + "}");
}

std::string connected_message(std::string_view sid, const std::optional<std::string>& pid) {
  std::string json = "{\"sid\":" + json_string(sid);
  if (pid) json += ",\"pid\":" + json_string(*pid);
  return message_of(SocketType::kConnect, json + "}");
}

std::string connect_refused_message(const core::Error& error) {
  return message_of(SocketType::kConnectError,
                    "{\"message\":" + json_string(error.message) + ",\"data\":" + wire::encode_room_error(error) + "}");
}

std::string unknown_namespace_message(std::string_view nsp) {
  return message_of(SocketType::kConnectError, R"({"message":"Invalid namespace"})", std::nullopt, nsp);
}

std::string disconnected_message() { return message_of(SocketType::kDisconnect, ""); }

}  // namespace belfry::dialects::socketio
