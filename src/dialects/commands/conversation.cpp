#include "dialects/commands/conversation.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "belfry/telemetry/log.hpp"
#include "dialects/commands/later.hpp"

namespace belfry::dialects::commands {

namespace {

using core::Error;
using core::Reason;

Error login_required() { return Error::unauthorized(Reason::kLoginRequired, "Authenticate first."); }

/// The one error of a command that says "there is no such command".
bool unknown_event(const Error& error) { return !error.details.empty() && error.details.front().field == "event"; }

}  // namespace

Conversation::Conversation(Services& services, FrameSink& sink, Voice& voice, CommandBudget& budget)
    : services_(services), sink_(sink), voice_(voice), budget_(budget) {}

Conversation::~Conversation() { services_.hub.remove(*this); }

bool Conversation::begin(std::move_only_function<void()> done) {
  if (over_) {
    done();
    return false;
  }
  done_ = std::move(done);
  began_ = services_.clock.now();
  services_.metrics.ws_commands.add();
  if (budget_.take(began_)) return true;
  shut(CloseCode::kTooManyCommands, "too many commands");
  end_command();
  return false;
}

void Conversation::command(std::string_view event, const wire::Value& data) {
  event_ = event;
  if (token_ended()) {
    shut(CloseCode::kUnauthorized, "token expired");
    return end_command();
  }
  const auto command = wire::decode_room_command(event, data);
  if (!command && unknown_event(command.error())) return malformed(event_, command.error());
  bad_frames_ = 0;
  const bool authenticates = event == "authenticate";
  if (!identity_ && !authenticates) return refuse(login_required());
  if (!command) return refuse(command.error());
  std::visit([this](const auto& known) { run(known); }, *command);
}

void Conversation::malformed(const std::optional<std::string>& event, const Error& error) {
  services_.metrics.ws_bad_frames.add();
  voice_.refusal(event, error);
  if (++bad_frames_ >= services_.options.max_bad_frames) shut(CloseCode::kBadFrames, "too many bad frames");
  end_command();
}

void Conversation::answered() {
  bad_frames_ = 0;
  end_command();
}

void Conversation::run(const wire::JoinRoom& command) {
  if (rooms_.size() >= services_.options.max_rooms && !in_room(command.target)) {
    Error error = Error::invalid("channelId", "is one room too many for this connection");
    error.reason = Reason::kTooManyRooms;
    return refuse(error);
  }
  services_.hub.join(*this, command.target, later(*this, [this](core::Result<realtime::Joined> joined) {
    if (!joined) return refuse(joined.error());
    const auto known = std::ranges::find(rooms_, joined->room, &JoinedRoom::room);
    if (known == rooms_.end()) rooms_.push_back({joined->room, joined->channel_id});
    if (!token_ended()) voice_.entered(*joined);
    succeed(wire::encode_join_reply(joined->room, joined->channel_id, joined->last_event_id));
  }));
}

bool Conversation::in_room(const domain::RoomTarget& target) const {
  return std::ranges::any_of(rooms_, [&](const JoinedRoom& joined) {
    return joined.room.kind == target.kind && joined.channel_id == target.channel_id;
  });
}

void Conversation::run(const wire::LeavePosts& command) { leave(domain::posts_room(command.channel_id)); }

void Conversation::run(const wire::LeaveDiscussion& command) { leave(domain::discussion_room(command.discussion_id)); }

void Conversation::leave(const domain::RoomKey& room) {
  const auto channel_id = forget(room);
  services_.hub.leave(*this, room);
  if (channel_id && !token_ended()) voice_.exited({room.kind, *channel_id});
  succeed(wire::encode_leave_reply(room));
}

void Conversation::run(const wire::SyncCommand& command) {
  services_.reader.sync(identity_->actor, command.sync,
                        later(*this, [this, since = command.sync.since](core::Result<domain::SyncedRoom> synced) {
                          if (!synced) return refuse(synced.error());
                          succeed(wire::encode_sync_reply(*synced, since, services_.options.attachment_url_base));
                        }));
}

void Conversation::run(const wire::Authenticate& command) {
  services_.authenticator.verify(command.token, auth::Leeway::kNone,
                                 later(*this, [this](core::Result<auth::Identity> identity) {
                                   if (!identity) return refuse(identity.error());
                                   renew(std::move(*identity));
                                 }));
}

void Conversation::renew(auth::Identity identity) {
  if (token_ended()) {
    shut(CloseCode::kUnauthorized, "token expired");
    return end_command();
  }
  if (identity.expires_at <= services_.clock.now()) {
    return refuse(Error::unauthorized(Reason::kTokenExpired, "The token has expired."));
  }
  if (identity_ && identity_->actor.id != identity.actor.id) {
    return refuse(Error::forbidden(Reason::kNone, "The token is of another user."));
  }
  const auto user = identity.actor.id;
  const auto expires_at = identity.expires_at;
  const bool other_role = identity_ && identity_->actor.type != identity.actor.type;
  install(std::move(identity));
  if (other_role) services_.hub.actor_changed(*this);
  voice_.success(event_, wire::encode_authenticated(user, expires_at));
  log_command(true);
  watch_token();
  end_command();
}

void Conversation::succeed(std::string_view data) {
  if (token_ended()) {
    shut(CloseCode::kUnauthorized, "token expired");
    return end_command();
  }
  voice_.success(event_, data);
  log_command(true);
  end_command();
}

void Conversation::refuse(const Error& error) {
  voice_.refusal(event_, error);
  log_command(false);
  end_command();
}

void Conversation::log_command(bool ok) const {
  const auto took = services_.clock.now() - began_;
  telemetry::debug("ws_command", {{"event", event_}, {"ok", ok}, {"duration_ms", took.count()}});
}

/// Last statement of every command: `done` may give the next one, or end the session.
void Conversation::end_command() {
  std::string().swap(event_);  // an idle connection keeps no memory for it
  if (auto done = std::exchange(done_, nullptr)) done();
}

bool Conversation::goes_on() {
  if (!over_ && token_ended()) shut(CloseCode::kUnauthorized, "token expired");
  return !over_;
}

void Conversation::on_writable() {
  if (!over_) services_.hub.drained(*this);
}

void Conversation::on_draining(std::chrono::milliseconds reconnect_in) {
  if (!over_) voice_.draining(reconnect_in);
}

void Conversation::on_closed() {
  over_ = true;
  timer_.cancel();
  rooms_.clear();
  services_.hub.remove(*this);
  end_command();
}

const domain::Actor& Conversation::actor() const {
  static const domain::Actor kAnonymous;
  return identity_ ? identity_->actor : kAnonymous;
}

bool Conversation::deliver(const realtime::SharedFrame& frame, core::TimePoint now) {
  if (over_) return false;
  return token_ended(now) || sink_.offer(frame);
}

void Conversation::room_left(const domain::RoomKey& room, Reason reason) {
  const auto channel_id = forget(room);
  if (!over_) voice_.left(room, channel_id.value_or(core::ChannelId{}), reason);
}

std::optional<core::ChannelId> Conversation::forget(const domain::RoomKey& room) {
  const auto at = std::ranges::find(rooms_, room, &JoinedRoom::room);
  if (at == rooms_.end()) return std::nullopt;
  const auto channel_id = at->channel_id;
  rooms_.erase(at);
  return channel_id;
}

void Conversation::restore(const realtime::Joined& joined) { rooms_.push_back({joined.room, joined.channel_id}); }

}  // namespace belfry::dialects::commands
