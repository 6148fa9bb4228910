#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/time.hpp"
#include "belfry/dialects/commands.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/domain/room_reader.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/realtime/subscriber.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"
#include "belfry/wire/frames.hpp"
#include "dialects/commands/command_budget.hpp"
#include "dialects/commands/voice.hpp"

namespace belfry::dialects::commands {

/// What all conversations of one dialect share. Outlives them.
struct Services {
  CommandOptions options;
  realtime::Hub& hub;
  domain::RoomReader& reader;
  auth::Authenticator& authenticator;
  runtime::Wheel& wheel;
  const core::Clock& clock;
  telemetry::Metrics& metrics;
  const realtime::Encoder& encoder;
};

/// One client's conversation, whatever dialect it is held in: its identity and when that ends, its commands one after
/// another, its rooms. The dialect takes messages apart and is the voice; the rooms' frames go to the sink as they are.
/// I/O thread only. Answers of the reader and of the authenticator hold it weakly: it may end at any moment. Sink and
/// voice are not used after `on_closed`.
class Conversation final : public realtime::Subscriber, public std::enable_shared_from_this<Conversation> {
 public:
  /// `budget` is the connection's, which may have several conversations, one after another.
  Conversation(Services& services, FrameSink& sink, Voice& voice, CommandBudget& budget);
  ~Conversation() override;

  void open(std::optional<auth::Identity> identity);
  /// A message came, and `done` is owed for it. True: one of the next three calls says what it is. False: it is of no
  /// interest any more, and `done` has run.
  bool begin(std::move_only_function<void()> done);
  void command(std::string_view event, const wire::Value& data);
  /// It makes no sense. `event` is absent when it could not be read that far.
  void malformed(const std::optional<std::string>& event, const core::Error& error);
  /// It was no command, and the dialect has answered it.
  void answered();

  /// It is in this room already: the hub has taken it in without a command.
  void restore(const realtime::Joined& joined);

  /// False: the token has ended, and all of this with it.
  bool goes_on();
  /// Closed, or about to be: nothing more is said or done.
  bool over() const { return over_; }
  /// Something of it threw: it ends.
  void broke(std::string_view what);

  void on_writable();
  void on_draining(std::chrono::milliseconds reconnect_in);
  /// Runs the `done` that is owed last: it may destroy the session.
  void on_closed();

  const domain::Actor& actor() const override;
  const realtime::Encoder& encoder() const override { return services_.encoder; }
  bool writable() const override { return !over_ && sink_.writable(); }
  bool deliver(const realtime::SharedFrame& frame, core::TimePoint now) override;
  void room_left(const domain::RoomKey& room, core::Reason reason) override;

 private:
  struct JoinedRoom {
    domain::RoomKey room;
    core::ChannelId channel_id;
  };

  // Commands. Each ends in exactly one reply, which lets the next one in.
  void run(const wire::JoinRoom& command);
  void run(const wire::LeavePosts& command);
  void run(const wire::LeaveDiscussion& command);
  void run(const wire::SyncCommand& command);
  void run(const wire::Authenticate& command);
  void leave(const domain::RoomKey& room);
  /// Its channel, if the client was in it.
  std::optional<core::ChannelId> forget(const domain::RoomKey& room);
  bool in_room(const domain::RoomTarget& target) const;
  void succeed(std::string_view data);
  void refuse(const core::Error& error);
  void log_command(bool ok) const;
  void end_command();

  // Identity.
  void renew(auth::Identity identity);
  void install(auth::Identity identity);
  void watch_token();
  void set_timer(core::TimePoint at);
  void shut(CloseCode code, std::string_view reason);

  bool token_ended() { return token_ended(services_.clock.now()); }
  bool token_ended(core::TimePoint now);

  Services& services_;
  FrameSink& sink_;
  Voice& voice_;
  bool over_ = false;
  bool notice_given_ = false;
  bool token_ended_ = false;
  core::TimePoint token_ends_ = core::TimePoint::max();  ///< of `identity_`; stands where each delivery looks
  std::optional<auth::Identity> identity_;
  runtime::Wheel::Timer timer_;  ///< login, notice or end of the token, whichever is next
  CommandBudget& budget_;
  int bad_frames_ = 0;
  std::vector<JoinedRoom> rooms_;

  // The command that runs now.
  std::string event_;
  core::TimePoint began_{};
  std::move_only_function<void()> done_;
};

}  // namespace belfry::dialects::commands
