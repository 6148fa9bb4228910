#include "dialects/native/session.hpp"

#include <utility>

#include "belfry/wire/frames.hpp"
#include "dialects/native/replies.hpp"

namespace belfry::dialects::native {

namespace {

constexpr std::string_view kPing = "ping";

}  // namespace

NativeSession::NativeSession(commands::Services& services, FrameSink& sink, std::optional<auth::Identity> identity)
    : sink_(sink),
      budget_(services.options.command_burst, services.options.command_rate, services.clock.now()),
      conversation_(std::make_shared<commands::Conversation>(services, sink, *this, budget_)) {
  conversation_->open(std::move(identity));
}

void NativeSession::on_text(std::string_view text, std::move_only_function<void()> done) {
  const auto conversation = hold();
  if (!conversation->begin(std::move(done))) return;
  auto frame = wire::decode_client_frame(text);
  if (!frame) {
    id_ = std::move(frame.error().id).value_or("");
    return conversation->malformed(frame.error().event, frame.error().error);
  }
  if (frame->event == kPing) {
    sink_.send(pong(frame->id.value_or("")));
    return conversation->answered();
  }
  id_ = std::move(frame->id).value_or("");
  conversation->command(frame->event, frame->data);
}

void NativeSession::success(std::string_view event, std::string_view data) {
  sink_.send(success_reply(std::exchange(id_, {}), event, data));
}

void NativeSession::refusal(const std::optional<std::string>& event, const core::Error& error) {
  sink_.send(failure_reply(std::exchange(id_, {}), event, error));
}

void NativeSession::left(const domain::RoomKey& room, core::ChannelId /*channel_id*/, core::Reason reason) {
  sink_.send(room_left(room, reason));
}

void NativeSession::expiring(core::TimePoint expires_at) { sink_.send(auth_expiring(expires_at)); }

void NativeSession::draining(std::chrono::milliseconds reconnect_in) { sink_.send(server_draining(reconnect_in)); }

}  // namespace belfry::dialects::native
