#include "dialects/socketio/room_socket.hpp"

#include <array>
#include <utility>

#include "belfry/core/base64.hpp"
#include "belfry/telemetry/log.hpp"
#include "dialects/commands/credentials.hpp"
#include "dialects/commands/later.hpp"
#include "dialects/socketio/messages.hpp"

namespace belfry::dialects::socketio {
namespace {

using commands::later;
using core::Error;
using core::Reason;
using core::Result;

constexpr std::size_t kIdCharacters = 20;
/// What each further room adds to an offset.
constexpr std::size_t kTailBytes = 34;

std::optional<std::string> text_in(const wire::Value* object, std::string_view name) {
  const auto* value = object == nullptr ? nullptr : object->find(name);
  if (value == nullptr || !value->is(wire::Value::Kind::kString)) return std::nullopt;
  return value->text;
}

/// Present, whatever it is: a token that is no text is a bad one, not none.
bool has(const wire::Value* object, std::string_view name) {
  const auto* value = object == nullptr ? nullptr : object->find(name);
  return value != nullptr && !value->is(wire::Value::Kind::kNull);
}

/// A recovered socket keeps its public id, since it keeps its private one.
std::string public_id(const std::string& pid) {
  return core::encode_base64url(auth::sha256(pid)).substr(0, kIdCharacters);
}

domain::RoomTarget target_of(const realtime::Mark& mark) { return {mark.kind, mark.channel_id}; }

std::array<std::uint8_t, 8> random_nonce() { return offset_digest(auth::make_secret()); }

/// What the client did wrong, so that coming back at once as it is would not help.
bool is_final(CloseCode code) {
  return code == CloseCode::kUnauthorized || code == CloseCode::kTooManyCommands || code == CloseCode::kBadFrames;
}

}  // namespace

RoomSocket::~RoomSocket() = default;

void RoomSocket::broke(std::string_view what) {
  telemetry::error("session_failed", {{"what", what}});
  close(CloseCode::kInternal, "");
}

void RoomSocket::connect(const std::optional<wire::Value>& auth, const Caller& caller, Connected connected) {
  answer_ = std::move(connected);
  const auto* object = auth ? &*auth : nullptr;
  presented_ = {text_in(object, "pid"), text_in(object, "offset")};
  // First, so that no ticket is used up by a connection that cannot be answered.
  parts_.key.want(later(*this, [this, auth, caller](const Result<void>& known) {
    if (!known) return refuse_connection(known.error());
    identify(auth ? &*auth : nullptr, caller);
  }));
}

void RoomSocket::identify(const wire::Value* auth, const Caller& caller) {
  auto done = later(*this, [this](Result<auth::Identity> identity) {
    if (!identity) return identified(core::fail(std::move(identity.error())));
    identified(std::move(*identity));
  });
  auto& authenticator = parts_.rooms.authenticator;
  // The public conformance suites show tokens of their own, to have them echoed.
  const bool foreign = parts_.echo && !auth::looks_like_jwt(text_in(auth, "token").value_or(""));
  if (has(auth, "token") && !foreign) {
    return authenticator.verify(text_in(auth, "token").value_or(""), auth::Leeway::kNone, std::move(done));
  }
  if (has(auth, "ticket")) {
    return commands::redeem_ticket(parts_.database, parts_.rooms.clock, text_in(auth, "ticket").value_or(""),
                                   caller.origin, std::move(done));
  }
  if (!caller.authorization) return identified(std::nullopt);
  const auto token = auth::bearer_token(*caller.authorization);
  if (!token) return identified(core::fail(token.error()));
  authenticator.verify(*token, auth::Leeway::kNone, std::move(done));
}

void RoomSocket::identified(Result<std::optional<auth::Identity>> identity) {
  if (!identity) return refuse_connection(identity.error());
  admit(std::move(*identity));
}

/// Who cannot be told yes or no comes back by itself when only the connection ends.
void RoomSocket::refuse_connection(const Error& error) {
  auto answer = std::exchange(answer_, nullptr);
  if (error.code == core::ErrorCode::kUnavailable || error.code == core::ErrorCode::kInternal) {
    over_ = true;
    carrier_.close(CloseCode::kGoingAway, "");
  } else {
    say(connect_refused_message(error));
  }
  answer(false);
}

void RoomSocket::admit(std::optional<auth::Identity> identity) {
  if (identity) user_ = identity->actor.id;
  conversation_ = std::make_shared<commands::Conversation>(parts_.rooms, *this, *this, budget_);
  conversation_->open(std::move(identity));
  auto positions = position_shown();
  // Each room is a join and a replay: more of them than the budget holds are not asked for.
  const bool paid = positions && budget_.take(parts_.rooms.clock.now(), positions->size());
  if (paid) return resume(std::move(*positions));
  start_anew();
}

/// Where the client says it was, if all of that is to be believed.
std::optional<Positions> RoomSocket::position_shown() const {
  if (!user_ || !presented_.pid || !presented_.offset) return std::nullopt;
  const auto pid = parts_.key.codec().decode_pid(*presented_.pid);
  if (!pid || pid->user != *user_ || pid->refuses(*presented_.offset)) return std::nullopt;
  return parts_.key.codec().decode_offset(*presented_.offset);
}

void RoomSocket::resume(Positions positions) {
  positions_ = std::move(positions);
  const Resumption::Parts parts{parts_.rooms.hub, parts_.rooms.reader, parts_.database, parts_.rooms.wheel};
  // The hub may be the caller: what it is to hear of this comes in a turn of its own.
  auto done = later(*this, [this](std::optional<Resumed> outcome) {
    parts_.post(later(*this, [this, outcome = std::move(outcome)] { resumed(outcome); }));
  });
  resumption_ = std::make_shared<Resumption>(parts, *conversation_, positions_, std::move(done));
  resumption_->start();
}

void RoomSocket::resumed(const std::optional<Resumed>& outcome) {
  resumption_ = nullptr;
  if (!conversation_->goes_on()) return;
  // What was missed is not delivered from the instant on at which the right to it ends, which the hub may tell later.
  const bool proved = outcome && !spoiled_ && !parts_.rooms.hub.has_expired(*conversation_);
  const auto missed = proved ? encode_missed(*outcome) : std::nullopt;
  if (missed) {
    parts_.rooms.metrics.socketio_recovered.add();
    return go_on(*outcome, *missed);
  }
  parts_.rooms.hub.remove(*conversation_);
  positions_ = {};
  start_anew();
}

std::optional<std::vector<realtime::SharedFrame>> RoomSocket::encode_missed(const Resumed& resumed) const {
  std::vector<realtime::SharedFrame> frames;
  std::size_t bytes = 0;
  for (const auto& room : resumed.rooms) {
    for (const auto& event : room.missed) {
      frames.push_back(parts_.rooms.encoder.encode(*event));
      bytes += frames.back()->wire().size() + resumed.rooms.size() * kTailBytes;
      if (bytes > kMaxReplayBytes) return std::nullopt;
    }
  }
  return frames;
}

void RoomSocket::go_on(const Resumed& resumed, const std::vector<realtime::SharedFrame>& missed) {
  greet(presented_.pid);
  for (const auto& lost : resumed.lost) {
    positions_.remove(lost.target);
    if (lost.room) say(room_left_message(*lost.room, lost.reason, position()));
    say_position();
  }
  for (const auto& room : resumed.rooms) conversation_->restore(room.joined);
  for (const auto& frame : missed) {
    step(positions_, frame->mark());
    say(std::string(frame->head()).append(frame->body()).append(event_tail(position())));
  }
  connected_ = true;
  parts_.rooms.hub.drained(*conversation_);
  std::exchange(answer_, nullptr)(true);
}

/// A client without a name has nothing to come back to; but one that showed an offset must be told, by a pid, that it
/// is worth nothing any more.
void RoomSocket::start_anew() {
  const bool shown = presented_.pid || presented_.offset;
  if (shown) parts_.rooms.metrics.socketio_not_recovered.add();
  std::optional<std::string> pid;
  if (user_ || shown) {
    PrivateId id{.user = user_.value_or(core::UserId{}), .nonce = random_nonce()};
    if (presented_.offset) id.refused = offset_digest(*presented_.offset);
    pid = parts_.key.codec().encode_pid(id);
  }
  greet(pid);
  connected_ = true;
  std::exchange(answer_, nullptr)(true);
}

void RoomSocket::greet(const std::optional<std::string>& pid) {
  say(connected_message(public_id(pid ? *pid : auth::make_secret()), pid));
  presented_ = {};
  if (const auto at = std::exchange(expiring_at_, std::nullopt)) say(auth_expiring_message(*at));
}

void RoomSocket::event(const SocketPacket& packet, std::move_only_function<void()> done) {
  const auto conversation = conversation_;
  if (!conversation->begin(std::move(done))) return;
  ack_ = packet.id;
  const auto& items = packet.data->items;
  if (!items.front().is(wire::Value::Kind::kString)) {
    return conversation->malformed(std::nullopt, Error::invalid("event", "must be a text"));
  }
  const auto& name = items.front().text;
  if (!packet.attachments.empty()) {
    return conversation->malformed(name, Error::invalid("data", "must not have attachments"));
  }
  static const wire::Value kNothing{.kind = wire::Value::Kind::kObject};
  conversation->command(name, items.size() > 1 ? items[1] : kNothing);
}

void RoomSocket::on_writable() {
  if (connected_ && !over_) conversation_->on_writable();
}

void RoomSocket::on_draining(std::chrono::milliseconds reconnect_in) {
  if (connected_ && !over_) conversation_->on_draining(reconnect_in);
}

void RoomSocket::end() {
  over_ = true;
  answer_ = nullptr;
  resumption_ = nullptr;
  const auto conversation = conversation_;
  if (conversation) conversation->on_closed();
}

bool RoomSocket::is_only_room(const std::optional<realtime::Mark>& mark) const {
  return positions_.size() == 1 && mark && positions_.rooms().front().room == target_of(*mark);
}

void RoomSocket::step(Positions& positions, const std::optional<realtime::Mark>& mark) {
  if (mark) positions.step(target_of(*mark), mark->event);
}

/// Of a socket with one room the frame says all. With more rooms each message has a tail of this socket's own; what is
/// not taken moves nothing.
bool RoomSocket::offer(const realtime::SharedFrame& frame) {
  if (!connected_) return false;
  const auto count = frame->count();
  if (is_only_room(frame->mark())) {
    if (!carrier_.offer(frame)) return false;
    step(positions_, frame->mark(count - 1));
    return true;
  }
  if (!carrier_.writable()) return false;
  auto positions = positions_;
  std::vector<std::string> tails;
  tails.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    step(positions, frame->mark(i));
    tails.push_back(event_tail(parts_.key.codec().encode_offset(positions)));
  }
  const std::vector<std::string_view> views(tails.begin(), tails.end());
  if (!carrier_.offer(frame, views)) return false;
  positions_ = std::move(positions);
  return true;
}

bool RoomSocket::offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) {
  return connected_ && carrier_.offer(frame, tails);
}

void RoomSocket::close(CloseCode code, std::string_view reason) {
  if (std::exchange(over_, true)) return;
  if (is_final(code)) say(disconnected_message());
  carrier_.close(code, reason);
}

void RoomSocket::say_position() { say(position_message(position())); }

std::string RoomSocket::position() { return parts_.key.codec().encode_offset(positions_); }

void RoomSocket::success(std::string_view /*event*/, std::string_view data) {
  if (const auto id = std::exchange(ack_, std::nullopt)) say(success_ack(*id, data));
}

void RoomSocket::refusal(const std::optional<std::string>& event, const Error& error) {
  const auto id = std::exchange(ack_, std::nullopt);
  say(id ? failure_ack(*id, error) : command_error_message(event, error));
}

void RoomSocket::entered(const realtime::Joined& room) {
  positions_.add({{room.room.kind, room.channel_id}, room.last_event_id});
  say_position();
}

void RoomSocket::exited(const domain::RoomTarget& room) {
  positions_.remove(room);
  say_position();
}

void RoomSocket::left(const domain::RoomKey& room, core::ChannelId channel_id, Reason reason) {
  if (!connected_) {
    spoiled_ = true;
    if (resumption_) resumption_->fail();
    return;
  }
  positions_.remove({room.kind, channel_id});
  say(room_left_message(room, reason, position()));
  say_position();
}

void RoomSocket::expiring(core::TimePoint expires_at) {
  if (!connected_) {
    expiring_at_ = expires_at;
    return;
  }
  say(auth_expiring_message(expires_at));
}

void RoomSocket::draining(std::chrono::milliseconds reconnect_in) { say(server_draining_message(reconnect_in)); }

}  // namespace belfry::dialects::socketio
