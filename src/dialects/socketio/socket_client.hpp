#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dialects/commands/command_budget.hpp"
#include "dialects/socketio/echo.hpp"
#include "dialects/socketio/room_socket.hpp"

namespace belfry::dialects::socketio {

/// What one client says over its Engine.IO session: packets of its namespaces. The default one has the rooms; others
/// are unknown. I/O thread only.
class SocketClient final : public Session {
 public:
  SocketClient(SocketParts& parts, FrameSink& carrier, Caller caller);
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;
  ~SocketClient() override;

  void on_text(std::string_view text, std::move_only_function<void()> done) override;
  bool takes_binary() const override { return true; }
  void on_binary(std::string_view bytes, std::move_only_function<void()> done) override;
  void on_writable() override;
  void on_draining(std::chrono::milliseconds reconnect_in) override;
  void on_closed() override;

 private:
  using Done = std::move_only_function<void()>;
  enum class State : std::uint8_t { kOut, kEntering, kIn };

  void take(SocketDecoder::Decoded decoded, Done done);
  void connect(const SocketPacket& packet, Done done);
  void connect_echo(const SocketPacket& packet);
  void event(const SocketPacket& packet, Done done);
  void disconnect(const SocketPacket& packet);
  void entered(bool in, const std::optional<wire::Value>& auth, Done done);
  void broke(std::string_view why);
  void wait_for_connect();
  void wait_on_for_connect();
  bool in(const SocketPacket& packet) const;

  SocketParts& parts_;
  FrameSink& carrier_;
  Caller caller_;
  SocketDecoder decoder_;
  commands::CommandBudget budget_;  ///< of all that the client says
  State state_ = State::kOut;
  std::shared_ptr<RoomSocket> room_;  ///< null while it is out
  bool echo_in_ = false;              ///< in the echoing namespace
  runtime::Wheel::Timer timer_;       ///< a client that enters nothing
  std::chrono::steady_clock::time_point connect_due_;
};

}  // namespace belfry::dialects::socketio
