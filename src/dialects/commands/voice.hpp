#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/core/error.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/room_access.hpp"
#include "belfry/realtime/hub.hpp"

namespace belfry::dialects::commands {

/// How a conversation speaks to its client: a dialect's words, put into the queue at once. Which command runs, and how
/// the client named it, the dialect knows itself: there is one at a time. Nothing is said once all is over.
class Voice {
 public:
  virtual ~Voice() = default;
  /// The command that runs is done. `data` is JSON text.
  virtual void success(std::string_view event, std::string_view data) = 0;
  /// It is not. `event` is absent when the message could not be read that far.
  virtual void refusal(const std::optional<std::string>& event, const core::Error& error) = 0;
  /// The command that runs has put the client into a room, or out of one; `success` follows at once.
  virtual void entered(const realtime::Joined& /*room*/) {}
  virtual void exited(const domain::RoomTarget& /*room*/) {}
  /// The room has ended for this client; it did not ask for that.
  virtual void left(const domain::RoomKey& room, core::ChannelId channel_id, core::Reason reason) = 0;
  /// The token ends at `expires_at`, which is near.
  virtual void expiring(core::TimePoint expires_at) = 0;
  /// The process drains; come back after this delay.
  virtual void draining(std::chrono::milliseconds reconnect_in) = 0;
};

}  // namespace belfry::dialects::commands
