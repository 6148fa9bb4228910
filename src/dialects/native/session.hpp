#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/dialects/native.hpp"
#include "belfry/wire/frames.hpp"
#include "dialects/native/command_budget.hpp"
#include "dialects/native/encoder.hpp"

namespace belfry::dialects::native {

/// What all sessions of the dialect share. Outlives them.
struct Services {
  NativeOptions options;
  realtime::Hub& hub;
  domain::RoomReader& reader;
  domain::Database& database;
  auth::Authenticator& authenticator;
  runtime::Wheel& wheel;
  const core::Clock& clock;
  telemetry::Metrics& metrics;
  Encoder encoder;
};

/// One client's conversation: its identity and when that ends, its commands one after another, its rooms. I/O thread
/// only. Answers of the database and of the authenticator hold it weakly: it may end at any moment.
class Conversation final : public realtime::Subscriber, public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(Services& services, FrameSink& sink);
  ~Conversation() override;

  void open(std::optional<auth::Identity> identity);
  void on_text(std::string_view text, std::move_only_function<void()> done);
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

  // Commands. Each ends in exactly one `reply`, which lets the next one in.
  void run(const wire::ClientFrame& frame);
  void run(const wire::JoinRoom& command);
  void run(const wire::LeavePosts& command);
  void run(const wire::LeaveDiscussion& command);
  void run(const wire::SyncCommand& command);
  void run(const wire::Authenticate& command);
  void leave(const domain::RoomKey& room);
  bool in_room(const domain::RoomTarget& target) const;
  void bad_frame(const std::optional<std::string>& id, const std::optional<std::string>& event,
                 const core::Error& error);
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
  void broke(std::string_view what);

  /// For answers that come later. What fails here ends this conversation, and nobody else's.
  template <class F>
  auto guarded(F body) {
    return [weak = weak_from_this(), body = std::move(body)](auto&&... args) mutable {
      const auto self = weak.lock();
      if (!self || self->over_) return;
      try {
        body(std::forward<decltype(args)>(args)...);
      } catch (const std::exception& failure) {
        self->broke(failure.what());
      }
    };
  }

  Services& services_;
  FrameSink& sink_;
  bool over_ = false;  ///< closed, or about to be: nothing more is said or done
  bool notice_given_ = false;
  bool token_ended_ = false;
  core::TimePoint token_ends_ = core::TimePoint::max();  ///< of `identity_`; stands where each delivery looks
  std::optional<auth::Identity> identity_;
  runtime::Wheel::Timer timer_;  ///< login, notice or end of the token, whichever is next
  CommandBudget budget_;
  int bad_frames_ = 0;
  std::vector<JoinedRoom> rooms_;

  // The command that runs now.
  std::optional<std::string> id_;
  std::string event_;
  core::TimePoint began_{};
  std::move_only_function<void()> done_;
};

}  // namespace belfry::dialects::native
