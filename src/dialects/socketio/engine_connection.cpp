#include "dialects/socketio/engine_connection.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "dialects/socketio/engine_request.hpp"

namespace belfry::dialects::socketio {
namespace {

PlainAnswer with_body(std::string body) {
  PlainAnswer answer;
  answer.body = std::move(body);
  return answer;
}

PlainAnswer refused(EngineError error, int status = 400) {
  PlainAnswer answer;
  answer.status = status;
  answer.content_type = "application/json";
  answer.body = engine_error_body(error);
  return answer;
}

std::string_view name_of(EngineEnd why) {
  switch (why) {
    case EngineEnd::kClosedByClient:
      return "closed by the client";
    case EngineEnd::kClosedByServer:
      return "closed by the server";
    case EngineEnd::kLineGone:
      return "connection lost";
    case EngineEnd::kGetAbandoned:
      return "poll given up";
    case EngineEnd::kPingTimeout:
      return "no sign of life";
    case EngineEnd::kOverlap:
      return "two requests at once";
    case EngineEnd::kMalformed:
      return "malformed packet";
    case EngineEnd::kTooLarge:
      return "too large";
  }
  return "unknown";
}

}  // namespace

EngineConnection::EngineConnection(EngineParts& parts, std::string sid, EngineTransport transport)
    : parts_(parts), engine_(parts.options, std::move(sid), transport, parts.wheel.now()) {}

EngineConnection::~EngineConnection() = default;

void EngineConnection::open(std::unique_ptr<Session> session, Answer answer, std::function<void()> on_over) {
  session_ = std::move(session);
  waiting_ = std::move(answer);
  on_over_ = std::move(on_over);
  perform(engine_.open());
}

std::move_only_function<void()> EngineConnection::get(Answer answer) {
  fresh_ = std::move(answer);
  auto actions = engine_.get(now());
  const bool refused_at_once =
      std::ranges::any_of(actions, [](const Action& action) { return std::holds_alternative<RefuseGet>(action); });
  const auto number = ++gets_;
  if (!refused_at_once) {
    waiting_ = std::exchange(fresh_, nullptr);
    waiting_number_ = number;
  }
  perform(std::move(actions));
  if (refused_at_once) return {};
  return [weak = weak_from_this(), number] {
    if (const auto self = weak.lock()) self->given_up(number);
  };
}

void EngineConnection::given_up(std::uint32_t get) {
  if (!waiting_ || waiting_number_ != get) return perform(engine_.answer_lost());
  waiting_ = nullptr;
  perform(engine_.get_abandoned());
}

void EngineConnection::post(std::string_view body, Answer answer) {
  fresh_ = std::move(answer);
  perform(engine_.post(body, now()));
}

void EngineConnection::attach(EngineLine& line) { main_ = &line; }

void EngineConnection::probe(EngineLine& line) {
  probe_ = &line;
  engine_.probe_opened(now());
  arm();
}

FrameSink* EngineConnection::sink(Line line) const {
  const auto* at = line == Line::kMain ? main_ : probe_;
  return at == nullptr ? nullptr : &at->sink();
}

std::optional<Line> EngineConnection::name_of(const EngineLine& line) const {
  if (&line == main_) return Line::kMain;
  if (&line == probe_) return Line::kProbe;
  return std::nullopt;
}

void EngineConnection::text(const EngineLine& line, std::string_view text, std::move_only_function<void()> done) {
  const auto name = name_of(line);
  if (!name || engine_.over()) return done();
  perform(engine_.text(*name, text, now()));
  done_behind(*name, std::move(done));
}

void EngineConnection::binary(const EngineLine& line, std::string_view bytes, std::move_only_function<void()> done) {
  const auto name = name_of(line);
  if (!name || engine_.over()) return done();
  perform(engine_.binary(*name, std::string(bytes)));
  done_behind(*name, std::move(done));
}

/// The next frame of the session's line waits for what this one delivered. A probe delivers nothing, and what was
/// delivered before it may wait for the upgrade.
void EngineConnection::done_behind(Line line, std::move_only_function<void()> done) {
  if (line == Line::kProbe) return done();
  arrived_.emplace_back(std::move(done));
  deliver();
}

void EngineConnection::writable_again(const EngineLine& line) {
  if (&line != main_ || engine_.over()) return;
  behind_ = false;
  session_->on_writable();
  deliver();
}

void EngineConnection::line_closed(const EngineLine& line) {
  const auto name = name_of(line);
  if (!name) return;
  (*name == Line::kMain ? main_ : probe_) = nullptr;
  perform(engine_.line_closed(*name));
}

void EngineConnection::draining(const EngineLine& line, std::chrono::milliseconds reconnect_in) {
  if (&line == main_ && !engine_.over()) session_->on_draining(reconnect_in);
}

void EngineConnection::drain_polling(std::chrono::milliseconds reconnect_in) {
  if (engine_.over()) return;
  session_->on_draining(reconnect_in);
  close(CloseCode::kRestart, "");
}

void EngineConnection::send(const realtime::SharedFrame& frame) {
  if (engine_.over()) return;
  if (direct()) return main_->sink().send(frame);
  for (std::size_t i = 0; i < frame->count(); ++i) put(frame->text(i));
}

bool EngineConnection::offer(const realtime::SharedFrame& frame) {
  if (engine_.over()) return false;
  if (direct()) return in_time(main_->sink().offer(frame));
  if (!engine_.writable()) return false;
  for (std::size_t i = 0; i < frame->count(); ++i) put(frame->text(i));
  return true;
}

bool EngineConnection::offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) {
  if (engine_.over()) return false;
  if (direct()) return in_time(main_->sink().offer(frame, tails));
  if (!engine_.writable()) return false;
  for (std::size_t i = 0; i < frame->count(); ++i) {
    put(std::string(frame->head(i)).append(frame->body(i)).append(tails[i]));
  }
  return true;
}

/// A packet's text, for the GET to come.
void EngineConnection::put(std::string_view text) {
  perform(engine_.send(message_packet(std::string(text.substr(1)))));
  flush_later();
}

void EngineConnection::send_binary(std::string_view bytes) {
  if (engine_.over()) return;
  if (direct()) return main_->sink().send_binary(bytes);
  perform(engine_.send(binary_packet(std::string(bytes))));
  flush_later();
}

bool EngineConnection::writable() const {
  if (engine_.over()) return false;
  return direct() ? in_time(main_->sink().writable()) : engine_.writable();
}

bool EngineConnection::in_time(bool writable) const {
  if (!writable) behind_ = true;
  return writable;
}

void EngineConnection::close(CloseCode code, std::string_view /*reason*/) { perform(engine_.close(code, now())); }

/// What one turn says leaves in one answer.
void EngineConnection::flush_later() {
  if (!waiting_ || std::exchange(flushing_, true)) return;
  parts_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->flushing_ = false;
    self->perform(self->engine_.flush());
  });
}

void EngineConnection::perform(Actions actions) {
  for (auto& action : actions) {
    std::visit([this](auto& known) { run(std::move(known)); }, action);
  }
  account(engine_.over() ? 0 : engine_.kept_bytes());
  arm();
  deliver();
}

void EngineConnection::account(std::size_t kept) {
  parts_.metrics.ws_queued_bytes.add(static_cast<std::int64_t>(kept) - static_cast<std::int64_t>(accounted_));
  accounted_ = kept;
}

void EngineConnection::run(AnswerGet action) {
  if (auto answer = std::exchange(waiting_, nullptr)) answer(with_body(std::move(action.body)));
}

void EngineConnection::run(RefuseGet /*action*/) {
  if (auto answer = std::exchange(fresh_, nullptr)) answer(refused(EngineError::kBadRequest));
}

void EngineConnection::run(AnswerPost /*action*/) {
  posted_ = std::make_shared<Answer>(std::exchange(fresh_, nullptr));
  arrived_.emplace_back([this, posted = posted_] {
    engine_.post_done();
    if (auto answer = std::exchange(*posted, nullptr)) answer(with_body("ok"));
  });
}

void EngineConnection::run(LetPostGo /*action*/) {
  if (auto answer = std::exchange(*posted_, nullptr)) answer(with_body("ok"));
}

void EngineConnection::run(RefusePost action) {
  if (auto answer = std::exchange(fresh_, nullptr)) answer(refused(EngineError::kBadRequest, action.status));
}

void EngineConnection::run(SendText action) {
  if (auto* to = sink(action.line)) to->send(realtime::make_frame(action.text));
}

void EngineConnection::run(SendBinary action) {
  if (auto* to = sink(Line::kMain)) to->send_binary(action.bytes);
}

void EngineConnection::run(CloseLine action) {
  if (auto* to = sink(action.line)) to->close(action.code, "");
}

void EngineConnection::run(Promote /*action*/) { main_ = std::exchange(probe_, nullptr); }

void EngineConnection::run(Deliver action) { arrived_.emplace_back(std::move(action.message)); }

void EngineConnection::run(Writable /*action*/) {
  parts_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->engine_.over() || !self->writable()) return;
    self->session_->on_writable();
    self->deliver();
  });
}

/// The session above may be what ended it: it hears of the end in a turn of its own.
void EngineConnection::run(Over action) {
  telemetry::debug("engine_session_over", {{"why", socketio::name_of(action.why)}});
  timer_.cancel();
  parts_.post([self = shared_from_this()] { self->finish(); });
}

void EngineConnection::finish() {
  if (session_) session_->on_closed();
  running_ = false;
  deliver();
  session_ = nullptr;
  waiting_ = nullptr;
  if (auto on_over = std::exchange(on_over_, nullptr)) on_over();
}

void EngineConnection::abandon() {
  on_over_ = nullptr;
  timer_.cancel();
  main_ = probe_ = nullptr;
  arrived_.clear();
  account(0);
  if (session_) session_->on_closed();
  session_ = nullptr;
  fresh_ = nullptr;
  waiting_ = nullptr;
}

/// One message after another, each when the one before is done, and none while a client that polls does not take its
/// answers: of a WebSocket `net` sees to that. Of a session that is over only what is owed is done.
void EngineConnection::deliver() {
  if (looping_) return;
  const auto self = shared_from_this();
  looping_ = true;
  const std::shared_ptr<void> leave(nullptr, [this](void*) { looping_ = false; });
  while (!arrived_.empty() && !running_) {
    const bool owed = std::holds_alternative<Done>(arrived_.front());
    if (!owed && !engine_.over() && !direct() && !writable()) break;
    auto next = std::move(arrived_.front());
    arrived_.pop_front();
    if (owed) {
      if (direct()) writable();  // as `net` asks when it hears of it, which decides whether it reads on
      std::get<Done>(next)();
    } else if (!engine_.over()) {
      deliver_one(std::get<EnginePacket>(next));
    }
  }
}

/// A session that throws has broken its contract: it alone pays.
void EngineConnection::deliver_one(const EnginePacket& message) {
  running_ = true;
  auto done = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->delivered();
  };
  try {
    if (message.binary) {
      session_->on_binary(message.data, std::move(done));
    } else {
      session_->on_text(message.data, std::move(done));
    }
  } catch (const std::exception& failure) {
    telemetry::error("session_failed", {{"what", failure.what()}});
    running_ = false;
    close(CloseCode::kInternal, "");
  }
}

void EngineConnection::delivered() {
  running_ = false;
  deliver();
}

void EngineConnection::arm() {
  const auto deadline = engine_.next_deadline();
  if (deadline == EngineSession::TimePoint::max() || (timer_.active() && armed_for_ <= deadline)) return;
  armed_for_ = deadline;
  const auto delay = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
  timer_ = parts_.wheel.after(std::max(delay, std::chrono::milliseconds{1}), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self) self->perform(self->engine_.tick(self->now(), self->behind_));
  });
}

}  // namespace belfry::dialects::socketio
