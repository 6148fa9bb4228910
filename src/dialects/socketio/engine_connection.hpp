#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "belfry/dialects/dialect.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"
#include "dialects/socketio/engine_session.hpp"

namespace belfry::dialects::socketio {

class EngineLine;

/// What a connection needs from its server, which outlives it.
struct EngineParts {
  EngineOptions options;
  runtime::Wheel& wheel;
  /// Runs a task on this loop soon, behind what runs now.
  std::function<void(std::move_only_function<void()>)> post;
  telemetry::Metrics& metrics;
};

/// One Engine.IO session and whatever carries it at the moment: requests, or a WebSocket. It is the carrier of the
/// Socket.IO session above it, as `net` is of others: does what the `EngineSession` says, and gives messages up one
/// after another. I/O thread only.
class EngineConnection final : public FrameSink, public std::enable_shared_from_this<EngineConnection> {
 public:
  using Answer = Requests::Done;

  EngineConnection(EngineParts& parts, std::string sid, EngineTransport transport);
  EngineConnection(const EngineConnection&) = delete;
  EngineConnection& operator=(const EngineConnection&) = delete;
  ~EngineConnection() override;

  /// Once, first. The handshake's answer goes to `answer`, or to the line that was `attach`ed. `on_over` runs once, in
  /// a turn of its own, after the session's `on_closed`.
  void open(std::unique_ptr<Session> session, Answer answer, std::function<void()> on_over);

  // Requests. `get` and `post` return what to call when the client is gone.
  std::move_only_function<void()> get(Answer answer);
  void post(std::string_view body, Answer answer);

  // WebSockets.
  void attach(EngineLine& line);
  bool may_probe() const { return engine_.may_probe(); }
  void probe(EngineLine& line);
  void text(const EngineLine& line, std::string_view text, std::move_only_function<void()> done);
  void binary(const EngineLine& line, std::string_view bytes, std::move_only_function<void()> done);
  void writable_again(const EngineLine& line);
  void line_closed(const EngineLine& line);
  void draining(const EngineLine& line, std::chrono::milliseconds reconnect_in);
  /// Of a session without a WebSocket: says so, and ends it.
  void drain_polling(std::chrono::milliseconds reconnect_in);

  /// Ends what only a running loop could end; nothing runs afterwards.
  void abandon();

  const std::string& sid() const { return engine_.sid(); }
  bool polling() const { return main_ == nullptr && !engine_.over(); }

  void send(const realtime::SharedFrame& frame) override;
  bool offer(const realtime::SharedFrame& frame) override;
  bool offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) override;
  void send_binary(std::string_view bytes) override;
  bool writable() const override;
  void close(CloseCode code, std::string_view reason) override;

 private:
  using Done = std::move_only_function<void()>;
  /// What arrived, in its order: a message, or what is owed behind the messages in front of it.
  using Arrived = std::variant<EnginePacket, Done>;

  EngineSession::TimePoint now() const { return parts_.wheel.now(); }
  bool direct() const { return engine_.direct() && main_ != nullptr; }
  FrameSink* sink(Line line) const;
  std::optional<Line> name_of(const EngineLine& line) const;
  void perform(Actions actions);
  void account(std::size_t kept);
  void run(AnswerGet action);
  void run(RefuseGet action);
  void run(AnswerPost action);
  void run(LetPostGo action);
  void run(RefusePost action);
  void run(SendText action);
  void run(SendBinary action);
  void run(CloseLine action);
  void run(Promote action);
  void run(Deliver action);
  void run(Writable action);
  void run(Over action);
  void put(std::string_view text);
  void done_behind(Line line, std::move_only_function<void()> done);
  bool in_time(bool writable) const;
  void deliver();
  void deliver_one(const EnginePacket& message);
  void given_up(std::uint32_t get);
  void delivered();
  void flush_later();
  void arm();
  void finish();

  EngineParts& parts_;
  EngineSession engine_;
  std::unique_ptr<Session> session_;
  std::function<void()> on_over_;
  EngineLine* main_ = nullptr;
  EngineLine* probe_ = nullptr;
  Answer fresh_;                    ///< of the request that just came
  Answer waiting_;                  ///< of the GET that is held
  std::shared_ptr<Answer> posted_;  ///< of the POST that came last; empty once it is answered
  std::uint32_t gets_ = 0;
  std::uint32_t waiting_number_ = 0;
  std::deque<Arrived> arrived_;
  bool running_ = false;  ///< a message is with the session, and not done
  bool looping_ = false;  ///< `deliver` is on the stack
  bool flushing_ = false;
  mutable bool behind_ = false;  ///< the WebSocket has not taken what was sent, and is not read until it has
  std::size_t accounted_ = 0;    ///< of what is kept, in the metrics
  runtime::Wheel::Timer timer_;
  EngineSession::TimePoint armed_for_ = EngineSession::TimePoint::max();
};

/// A WebSocket of a session: its own, or one that may become it. Kept by `net`.
class EngineLine final : public Session {
 public:
  EngineLine(std::shared_ptr<EngineConnection> connection, FrameSink& sink)
      : sink_(sink), connection_(std::move(connection)) {}

  FrameSink& sink() const { return sink_; }
  void on_text(std::string_view text, std::move_only_function<void()> done) override {
    hold()->text(*this, text, std::move(done));
  }
  bool takes_binary() const override { return true; }
  void on_binary(std::string_view bytes, std::move_only_function<void()> done) override {
    hold()->binary(*this, bytes, std::move(done));
  }
  void on_writable() override { hold()->writable_again(*this); }
  void on_draining(std::chrono::milliseconds reconnect_in) override { hold()->draining(*this, reconnect_in); }
  void on_closed() override { hold()->line_closed(*this); }

 private:
  /// A `done` inside the call may destroy this line.
  std::shared_ptr<EngineConnection> hold() const { return connection_; }

  FrameSink& sink_;
  std::shared_ptr<EngineConnection> connection_;
};

}  // namespace belfry::dialects::socketio
