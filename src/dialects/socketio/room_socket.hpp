#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/domain/database.hpp"
#include "dialects/commands/conversation.hpp"
#include "dialects/socketio/engine_server.hpp"
#include "dialects/socketio/recovery_key.hpp"
#include "dialects/socketio/resumption.hpp"
#include "dialects/socketio/socket_packet.hpp"

namespace belfry::dialects::socketio {

/// What all sockets of one shard share. Outlives them.
struct SocketParts {
  commands::Services rooms;
  domain::Database& database;
  RecoveryKey& key;
  /// Runs a task on this loop soon, behind what runs now.
  std::function<void(std::move_only_function<void()>)> post;
  bool echo = false;  ///< handlers that echo, for conformance tests
};

/// A socket of the default namespace, from its CONNECT on: a conversation whose every message says how far its client
/// has come, so that the client can come back. I/O thread only.
class RoomSocket final : public FrameSink, public commands::Voice, public std::enable_shared_from_this<RoomSocket> {
 public:
  /// True: the client is in. False: it was refused, and told so. Once, unless the carrier ends before.
  using Connected = std::move_only_function<void(bool)>;

  RoomSocket(SocketParts& parts, FrameSink& carrier, commands::CommandBudget& budget)
      : parts_(parts), carrier_(carrier), budget_(budget) {}
  RoomSocket(const RoomSocket&) = delete;
  RoomSocket& operator=(const RoomSocket&) = delete;
  ~RoomSocket() override;

  void connect(const std::optional<wire::Value>& auth, const Caller& caller, Connected connected);
  void event(const SocketPacket& packet, std::move_only_function<void()> done);
  void on_writable();
  void on_draining(std::chrono::milliseconds reconnect_in);
  /// Nothing is said from here on; what is owed is done.
  void end();
  /// Closed, or about to be: nothing more is said or done.
  bool over() const { return over_; }
  /// Something of it threw: it ends.
  void broke(std::string_view what);
  /// Its CONNECT, or a command since, said who it is.
  bool known() const { return user_ || (conversation_ && !conversation_->actor().anonymous()); }

 private:
  struct Presented {
    std::optional<std::string> pid;
    std::optional<std::string> offset;
  };

  // The way in.
  void identify(const wire::Value* auth, const Caller& caller);
  void identified(core::Result<std::optional<auth::Identity>> identity);
  void admit(std::optional<auth::Identity> identity);
  std::optional<Positions> position_shown() const;
  void resume(Positions positions);
  void resumed(const std::optional<Resumed>& outcome);
  std::optional<std::vector<realtime::SharedFrame>> encode_missed(const Resumed& resumed) const;
  void go_on(const Resumed& resumed, const std::vector<realtime::SharedFrame>& missed);
  void start_anew();
  void greet(const std::optional<std::string>& pid);
  void refuse_connection(const core::Error& error);

  // As the conversation's carrier.
  void send(const realtime::SharedFrame& frame) override { carrier_.send(frame); }
  void send_binary(std::string_view bytes) override { carrier_.send_binary(bytes); }
  bool offer(const realtime::SharedFrame& frame) override;
  bool offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) override;
  bool writable() const override { return connected_ && carrier_.writable(); }
  void close(CloseCode code, std::string_view reason) override;

  // As its voice.
  void success(std::string_view event, std::string_view data) override;
  void refusal(const std::optional<std::string>& event, const core::Error& error) override;
  void entered(const realtime::Joined& room) override;
  void exited(const domain::RoomTarget& room) override;
  void left(const domain::RoomKey& room, core::ChannelId channel_id, core::Reason reason) override;
  void expiring(core::TimePoint expires_at) override;
  void draining(std::chrono::milliseconds reconnect_in) override;

  void say(std::string_view text) { carrier_.send(realtime::make_frame(text)); }
  void say_position();
  std::string position();
  bool is_only_room(const std::optional<realtime::Mark>& mark) const;
  static void step(Positions& positions, const std::optional<realtime::Mark>& mark);

  SocketParts& parts_;
  FrameSink& carrier_;
  commands::CommandBudget& budget_;  ///< of the whole session
  Connected answer_;
  Presented presented_;
  std::optional<core::UserId> user_;  ///< known at CONNECT
  bool connected_ = false;
  bool over_ = false;
  bool spoiled_ = false;                        ///< a room ended while the client was on its way in
  std::optional<core::TimePoint> expiring_at_;  ///< to be said once connected
  Positions positions_;
  std::optional<std::uint64_t> ack_;  ///< of the command that runs
  std::shared_ptr<Resumption> resumption_;
  std::shared_ptr<commands::Conversation> conversation_;
};

}  // namespace belfry::dialects::socketio
