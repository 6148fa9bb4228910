#include "dialects/socketio/socket_client.hpp"

#include <algorithm>
#include <utility>

#include "belfry/auth/authenticator.hpp"
#include "belfry/telemetry/log.hpp"
#include "belfry/wire/json.hpp"
#include "dialects/socketio/messages.hpp"

namespace belfry::dialects::socketio {
namespace {

constexpr std::string_view kDefault = "/";
constexpr std::size_t kMaxAttachedBytes = std::size_t{256} * 1024;

}  // namespace

SocketClient::SocketClient(SocketParts& parts, FrameSink& carrier, Caller caller)
    : parts_(parts),
      carrier_(carrier),
      caller_(std::move(caller)),
      decoder_(kMaxAttachedBytes, parts.echo ? SocketDecoder::Attached::kKept : SocketDecoder::Attached::kCounted),
      budget_(parts.rooms.options.command_burst, parts.rooms.options.command_rate, parts.rooms.clock.now()) {
  wait_for_connect();
}

SocketClient::~SocketClient() { on_closed(); }

/// A session that is in no namespace costs something and is of no use.
void SocketClient::wait_for_connect() {
  connect_due_ = parts_.rooms.wheel.now() + parts_.rooms.options.login_timeout;
  wait_on_for_connect();
}

/// A CONNECT that was refused puts nothing off.
void SocketClient::wait_on_for_connect() {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(connect_due_ - parts_.rooms.wheel.now());
  timer_ = parts_.rooms.wheel.after(std::max(left, std::chrono::milliseconds{1}),
                                    [this] { carrier_.close(CloseCode::kUnauthorized, "no CONNECT"); });
}

void SocketClient::on_text(std::string_view text, std::move_only_function<void()> done) {
  take(decoder_.add_text(text), std::move(done));
}

void SocketClient::on_binary(std::string_view bytes, std::move_only_function<void()> done) {
  take(decoder_.add_binary(std::string(bytes)), std::move(done));
}

void SocketClient::take(SocketDecoder::Decoded decoded, Done done) {
  if (!decoded) {
    broke(decoded.error());
    return done();
  }
  if (!*decoded) {  // its attachments are still to come
    if (!in(*decoder_.waiting())) broke("a packet of a namespace that was not entered");
    return done();
  }
  const auto& packet = **decoded;
  const bool command = packet.type == SocketType::kEvent;
  if (!command && !budget_.take(parts_.rooms.clock.now())) {
    carrier_.close(CloseCode::kTooManyCommands, "too many packets");
    return done();
  }
  switch (packet.type) {
    case SocketType::kConnect:
      return connect(packet, std::move(done));
    case SocketType::kEvent:
      return event(packet, std::move(done));
    case SocketType::kDisconnect:
      disconnect(packet);
      return done();
    case SocketType::kAck:  // of nothing that was asked
      if (!in(packet)) broke("a packet of a namespace that was not entered");
      return done();
    case SocketType::kConnectError:
      broke("a packet that only servers send");
      return done();
  }
}

void SocketClient::broke(std::string_view why) {
  telemetry::debug("socketio_packet_refused", {{"why", why}});
  parts_.rooms.metrics.ws_bad_frames.add();
  carrier_.close(CloseCode::kProtocolError, "");
}

bool SocketClient::in(const SocketPacket& packet) const {
  return packet.nsp == kDefault ? state_ == State::kIn : echo_in_ && packet.nsp == kEchoNamespace;
}

void SocketClient::connect(const SocketPacket& packet, Done done) {
  if (parts_.echo && packet.nsp == kEchoNamespace) {
    connect_echo(packet);
    return done();
  }
  if (packet.nsp != kDefault) {
    carrier_.send(realtime::make_frame(unknown_namespace_message(packet.nsp)));
    return done();
  }
  if (state_ != State::kOut) {
    broke("a second CONNECT");
    return done();
  }
  timer_.cancel();
  state_ = State::kEntering;
  room_ = std::make_shared<RoomSocket>(parts_, carrier_, budget_);
  const auto room = room_;
  room->connect(packet.data, caller_, [this, auth = packet.data, done = std::move(done)](bool in) mutable {
    entered(in, auth, std::move(done));
  });
}

void SocketClient::entered(bool in, const std::optional<wire::Value>& auth, Done done) {
  state_ = in ? State::kIn : State::kOut;
  if (in) {
    if (parts_.echo) echo_auth(carrier_, kDefault, auth);
  } else {
    std::exchange(room_, nullptr)->end();
    wait_on_for_connect();
  }
  done();
}

void SocketClient::connect_echo(const SocketPacket& packet) {
  if (std::exchange(echo_in_, true)) return broke("a second CONNECT");
  timer_.cancel();
  const auto answer = "{\"sid\":" + wire::json_string(auth::make_secret().substr(0, 20)) + "}";
  carrier_.send(realtime::make_frame(
      encode_text(message_packet(encode_packet(SocketType::kConnect, kEchoNamespace, std::nullopt, answer)))));
  echo_auth(carrier_, kEchoNamespace, packet.data);
}

void SocketClient::event(const SocketPacket& packet, Done done) {
  if (!in(packet)) {
    broke("a packet of a namespace that was not entered");
    return done();
  }
  if (parts_.echo && echo_event(carrier_, packet)) return done();
  if (packet.nsp != kDefault) return done();
  const auto room = room_;
  room->event(packet, std::move(done));
}

void SocketClient::disconnect(const SocketPacket& packet) {
  if (!in(packet)) return broke("a packet of a namespace that was not entered");
  if (packet.nsp == kDefault) {
    const auto room = std::exchange(room_, nullptr);
    state_ = State::kOut;
    room->end();
    // Else a client without a token would have ten more seconds each time.
    if (!room->known() && !parts_.echo) return carrier_.close(CloseCode::kUnauthorized, "no token");
  } else {
    echo_in_ = false;
  }
  if (!room_ && !echo_in_) wait_for_connect();
}

void SocketClient::on_writable() {
  if (room_) room_->on_writable();
}

void SocketClient::on_draining(std::chrono::milliseconds reconnect_in) {
  if (room_) room_->on_draining(reconnect_in);
}

void SocketClient::on_closed() {
  timer_.cancel();
  state_ = State::kOut;
  echo_in_ = false;
  if (const auto room = std::exchange(room_, nullptr)) room->end();
}

}  // namespace belfry::dialects::socketio
