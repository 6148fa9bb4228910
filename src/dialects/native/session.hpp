#pragma once

#include <memory>
#include <optional>
#include <string>

#include "dialects/commands/conversation.hpp"

namespace belfry::dialects::native {

/// A conversation in JSON text frames: takes the client's apart, and has the words for what is said to it.
class NativeSession final : public Session, public commands::Voice {
 public:
  NativeSession(commands::Services& services, FrameSink& sink, std::optional<auth::Identity> identity);

  void on_text(std::string_view text, std::move_only_function<void()> done) override;
  void on_writable() override { hold()->on_writable(); }
  void on_draining(std::chrono::milliseconds reconnect_in) override { hold()->on_draining(reconnect_in); }
  void on_closed() override { hold()->on_closed(); }

 private:
  void success(std::string_view event, std::string_view data) override;
  void refusal(const std::optional<std::string>& event, const core::Error& error) override;
  void left(const domain::RoomKey& room, core::ChannelId channel_id, core::Reason reason) override;
  void expiring(core::TimePoint expires_at) override;
  void draining(std::chrono::milliseconds reconnect_in) override;

  /// A `done` inside the call may destroy this session.
  std::shared_ptr<commands::Conversation> hold() const { return conversation_; }

  FrameSink& sink_;
  commands::CommandBudget budget_;
  std::string id_;  ///< of the command that runs, as JSON text; empty: it has none
  std::shared_ptr<commands::Conversation> conversation_;
};

}  // namespace belfry::dialects::native
