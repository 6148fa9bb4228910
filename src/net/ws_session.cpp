#include "ws_session.hpp"

#include <algorithm>
#include <exception>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "belfry/telemetry/log.hpp"
#include "ws_frames.hpp"
#include "ws_handshake.hpp"

namespace belfry::net {
namespace {

namespace asio = boost::asio;
using dialects::CloseCode;
using Clock = runtime::Wheel::Clock;
using TimePoint = Clock::time_point;

constexpr std::size_t kReadBytes = 16 * 1024;
/// A client that sends many small frames at once lets others in between.
constexpr int kFramesPerTurn = 16;
/// With more pongs than this in the queue a ping is the last frame that is read until the peer has taken all of it.
constexpr std::size_t kMaxPongBytes = 16 * 1024;
/// The queue may pass `max_queued_bytes` by one answer and a few last words. A session that still sends behind so many
/// times the limit has lost count.
constexpr std::size_t kHardFactor = 16;
constexpr auto kNever = TimePoint::max();

class WsSessionImpl;

/// The dialect's session, kept by its carrier and by the command that is owed an answer, so that it outlives both.
struct SessionSlot {
  std::unique_ptr<dialects::Session> session;
  WsSessionImpl* carrier = nullptr;  ///< null from its end on
};

/// What one socket has of its own around the bodies of a shared frame.
struct OwnEnds {
  realtime::SharedFrame frame;
  std::string bytes;
};

/// A command's `done`. One that is dropped counts as called.
class Answer {
 public:
  Answer(std::shared_ptr<SessionSlot> slot, std::uint32_t command) : slot_(std::move(slot)), command_(command) {}
  Answer(Answer&&) noexcept = default;
  Answer& operator=(Answer&&) = delete;
  ~Answer() { (*this)(); }
  void operator()();

 private:
  std::shared_ptr<SessionSlot> slot_;
  std::uint32_t command_;
};

class WsSessionImpl final : public WsSession,
                            public dialects::FrameSink,
                            public Transport::Observer,
                            public std::enable_shared_from_this<WsSessionImpl> {
 public:
  WsSessionImpl(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport);
  ~WsSessionImpl() override;

  void start(Upgrade upgrade, std::move_only_function<void()> on_end) override;
  void announce(std::chrono::milliseconds reconnect_in) override;
  void close_for_restart() override;
  void abandon() override;

  void send(const realtime::SharedFrame& frame) override;
  bool offer(const realtime::SharedFrame& frame) override;
  bool offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) override;
  void send_binary(std::string_view bytes) override;
  bool writable() const override;
  void close(CloseCode code, std::string_view reason) override;

  void on_flushed() override;
  void on_failed() override { finish(); }
  void on_answered(std::uint32_t command);

 private:
  /// What must happen before the next frame is looked at.
  enum class Wait : std::uint8_t {
    kNothing,    ///< `read_frames` runs, or is posted
    kBytes,      ///< the peer sends
    kAnswer,     ///< the command that runs is done
    kRoom,       ///< the queue is writable again
    kPongTaken,  ///< the queue, in which there are pongs, is empty
    kEnd,        ///< both sides are closed
  };

  template <auto kStep>
  auto later();
  template <class Call>
  void guarded(Call&& call);
  dialects::Session* session() const { return slot_ ? slot_->session.get() : nullptr; }

  void wait_for_bytes();
  void read();
  void go_on();
  void go_on_later();
  std::span<char> pending_and(std::size_t more);
  void read_frames(std::span<char> bytes);
  void take(const ClientFrame& frame);
  void deliver(const ClientFrame& message);
  void on_unanswered();
  void answer_ping(std::string_view payload);
  void queue_with(const realtime::SharedFrame& frame, std::span<const std::string_view> tails);
  void queued_behind(std::size_t waiting);
  void send_close(std::uint16_t code, std::string_view reason);
  void tear_down();

  void give_up_reader();
  void end();
  void finish();
  void leave();
  void leave_late();
  bool reading() const { return wait_ != Wait::kAnswer && wait_ != Wait::kRoom; }
  void arm();
  void on_timer();
  TimePoint next_deadline() const;

  // What each delivery looks at stands together.
  std::shared_ptr<Edge> edge_;
  std::shared_ptr<Transport> transport_;
  bool closing_ = false;  ///< the close frame is in the queue, and nothing may follow it
  bool gone_ = false;
  mutable bool told_full_ = false;  ///< somebody heard "not writable" and waits to hear the opposite

  std::shared_ptr<SessionSlot> slot_;
  std::move_only_function<void()> on_end_;
  FrameReader frames_;
  std::string pending_;  ///< read, not looked at yet
  runtime::Wheel::Timer timer_;
  TimePoint armed_for_ = kNever;
  TimePoint last_byte_;
  TimePoint next_ping_;
  TimePoint answer_due_ = kNever;
  TimePoint blocked_since_ = kNever;
  TimePoint cut_at_ = kNever;
  std::uint64_t sent_ = 0;
  std::uint64_t pongs_end_ = 0;  ///< how much is sent when the last pong is
  std::size_t pong_bytes_ = 0;   ///< since no pong waited
  std::uint32_t command_ = 0;    ///< the last one's number
  Wait wait_ = Wait::kNothing;
  bool counted_ = false;
  bool in_command_ = false;  ///< inside of the session's `on_text` or `on_binary`
  bool owing_ = false;       ///< the last command is not done
  bool drained_after_close_ = false;
};

void Answer::operator()() {
  const auto slot = std::exchange(slot_, nullptr);
  if (slot && slot->carrier) slot->carrier->on_answered(command_);
}

WsSessionImpl::WsSessionImpl(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport)
    : edge_(std::move(edge)),
      transport_(std::move(transport)),
      slot_(std::make_shared<SessionSlot>()),
      frames_(edge_->limits.max_frame_bytes) {
  slot_->carrier = this;
  edge_->metrics.ws_connections.add();
  counted_ = true;
  transport_->count_as_websocket(edge_->metrics);
  transport_->observe(this);
  last_byte_ = edge_->wheel.now();
  next_ping_ = last_byte_ + edge_->limits.ping_interval;
}

WsSessionImpl::~WsSessionImpl() {
  if (slot_) slot_->carrier = nullptr;
  leave();
}

void WsSessionImpl::leave() {
  timer_.cancel();
  transport_->observe(nullptr);
  if (!std::exchange(counted_, false)) return;
  transport_->stop_counting();
  edge_->metrics.ws_connections.sub();
}

// For the loop. What fails here ends this connection.
template <auto kStep>
auto WsSessionImpl::later() {
  return [self = shared_from_this()](auto&&...) {
    if (self->gone_) return;
    if (!self->transport_->open()) return self->finish();
    try {
      ((*self).*kStep)();
    } catch (const std::exception& error) {
      telemetry::error("connection_failed", {{"what", error.what()}});
      self->finish();
    }
  };
}

// A session that throws has broken its contract: its own connection pays, no other.
template <class Call>
void WsSessionImpl::guarded(Call&& call) {
  try {
    call();
  } catch (const std::exception& error) {
    telemetry::error("session_failed", {{"what", error.what()}});
    close(CloseCode::kInternal, "");
  }
}

void WsSessionImpl::start(Upgrade upgrade, std::move_only_function<void()> on_end) {
  on_end_ = std::move(on_end);
  arm();
  transport_->queue(accept_upgrade(upgrade.key, edge_->date.now()));
  guarded([&] { slot_->session = upgrade.entrance->open(*this); });
  if (edge_->draining) leave_late();
  pending_ = std::move(upgrade.rest);
  go_on_later();
}

void WsSessionImpl::wait_for_bytes() {
  wait_ = Wait::kBytes;
  transport_->when_readable(later<&WsSessionImpl::read>());
}

// Until there are bytes this connection has no place for them: all read into one buffer, one after another.
void WsSessionImpl::read() {
  const auto bytes = pending_and(kReadBytes);
  Transport::ErrorCode error;
  const auto taken = transport_->read_some(bytes.subspan(pending_.size()), error);
  if (error == asio::error::would_block || error == asio::error::try_again || error == asio::error::interrupted) {
    return wait_for_bytes();
  }
  if (error) return finish();
  last_byte_ = edge_->wheel.now();
  read_frames(bytes.first(pending_.size() + taken));
}

void WsSessionImpl::go_on() { read_frames(pending_and(0)); }

void WsSessionImpl::go_on_later() {
  wait_ = Wait::kNothing;
  last_byte_ = edge_->wheel.now();
  asio::post(edge_->loop.context().get_executor(), later<&WsSessionImpl::go_on>());
}

std::span<char> WsSessionImpl::pending_and(std::size_t more) {
  auto& buffer = edge_->read_buffer;
  const auto size = pending_.size() + more;
  if (buffer.size() < size) buffer.resize(size);
  std::ranges::copy(pending_, buffer.begin());
  return std::span(buffer).first(size);
}

// The next message is read only when this one is done: a client that sends faster than its commands run waits in its
// own socket.
void WsSessionImpl::read_frames(std::span<char> bytes) {
  wait_ = Wait::kNothing;
  for (int frames = 0; wait_ == Wait::kNothing && frames < kFramesPerTurn; ++frames) {
    const auto frame = frames_.next(bytes);
    if (frame.kind == ClientFrame::Kind::kNone) {
      wait_for_bytes();
    } else {
      take(frame);
    }
  }
  std::string(bytes.data(), bytes.size()).swap(pending_);
  if (wait_ == Wait::kNothing) go_on_later();
}

void WsSessionImpl::take(const ClientFrame& frame) {
  using Kind = ClientFrame::Kind;
  switch (frame.kind) {
    case Kind::kText:
    case Kind::kBinary:
      return deliver(frame);
    case Kind::kPing:
      return answer_ping(frame.payload);
    case Kind::kClose:
      if (!closing_) send_close(frame.code != 0 ? frame.code : std::to_underlying(CloseCode::kNormal), "");
      return tear_down();
    case Kind::kBroken:
      if (!closing_) send_close(frame.code, "");
      return tear_down();
    case Kind::kNone:
    case Kind::kPong:
      return;
  }
}

void WsSessionImpl::deliver(const ClientFrame& message) {
  if (closing_ || !session()) return;
  const bool binary = message.kind == ClientFrame::Kind::kBinary;
  if (binary && !session()->takes_binary()) {
    return close(CloseCode::kUnsupportedData, "Binary frames are not supported.");
  }
  owing_ = in_command_ = true;
  guarded([&] {
    Answer done(slot_, ++command_);
    if (binary) return session()->on_binary(message.payload, std::move(done));
    session()->on_text(message.payload, std::move(done));
  });
  in_command_ = false;
  if (owing_) {
    wait_ = Wait::kAnswer;
    answer_due_ = edge_->wheel.now() + edge_->limits.answer_timeout;
    return arm();
  }
  // A client that asks for more than it reads waits: else the answers to its commands would pile up here.
  if (!closing_ && !writable()) wait_ = Wait::kRoom;
}

void WsSessionImpl::on_answered(std::uint32_t command) {
  if (gone_ || command != command_ || !std::exchange(owing_, false)) return;
  answer_due_ = kNever;
  if (in_command_) return;
  if (closing_ || writable()) return go_on_later();
  wait_ = Wait::kRoom;
}

void WsSessionImpl::on_unanswered() {
  telemetry::error("ws_command_unanswered");
  owing_ = false;
  answer_due_ = kNever;
  close(CloseCode::kInternal, "");
  go_on_later();
}

// A flood of pings slows the peer down, not us; a ping now and then holds nothing back, however slowly its sender
// reads.
void WsSessionImpl::answer_ping(std::string_view payload) {
  if (closing_) return;
  if (transport_->queued() == 0 || transport_->sent() >= pongs_end_) pong_bytes_ = 0;
  auto pong = pong_frame(payload);
  pong_bytes_ += pong.size();
  transport_->queue(std::move(pong));
  pongs_end_ = transport_->sent() + transport_->queued();
  if (pong_bytes_ <= kMaxPongBytes) return;
  wait_ = Wait::kPongTaken;
  transport_->when_drained(later<&WsSessionImpl::go_on>());
}

bool WsSessionImpl::writable() const {
  if (transport_->queued() < edge_->limits.max_queued_bytes) return true;
  told_full_ = true;
  transport_->tell_progress();
  return false;
}

bool WsSessionImpl::offer(const realtime::SharedFrame& frame) {
  if (!writable()) return false;
  send(frame);
  return true;
}

bool WsSessionImpl::offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) {
  if (!writable()) return false;
  if (closing_ || gone_) return true;
  const auto waiting = transport_->queued();
  queue_with(frame, tails);
  queued_behind(waiting);
  return true;
}

// What is between two bodies is one part: a tail, the next header and the next head.
void WsSessionImpl::queue_with(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) {
  const auto ends = std::make_shared<OwnEnds>();
  ends->frame = frame;
  std::vector<std::size_t> bodies;  // where in `ends->bytes` each one comes in
  bodies.reserve(frame->count());
  for (std::size_t i = 0; i < frame->count(); ++i) {
    realtime::append_text_header(ends->bytes, frame->head(i).size() + frame->body(i).size() + tails[i].size());
    bodies.push_back(ends->bytes.append(frame->head(i)).size());
    ends->bytes.append(tails[i]);
  }
  std::vector<std::string_view> parts;
  parts.reserve(2 * bodies.size() + 1);
  const std::string_view own = ends->bytes;
  std::size_t from = 0;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    parts.push_back(own.substr(from, bodies[i] - from));
    parts.push_back(frame->body(i));
    from = bodies[i];
  }
  parts.push_back(own.substr(from));
  transport_->queue(ends, parts);
}

void WsSessionImpl::send(const realtime::SharedFrame& frame) {
  if (closing_ || gone_) return;
  const auto waiting = transport_->queued();
  transport_->queue(frame, frame->wire());
  queued_behind(waiting);
}

void WsSessionImpl::send_binary(std::string_view bytes) {
  if (closing_ || gone_) return;
  const auto waiting = transport_->queued();
  transport_->queue(binary_frame(bytes));
  queued_behind(waiting);
}

// One answer may be larger than the whole limit: what counts is how much it finds waiting.
void WsSessionImpl::queued_behind(std::size_t waiting) {
  const auto limit = edge_->limits.max_queued_bytes;
  if (transport_->queued() < limit) return;
  transport_->send_now();
  if (waiting > kHardFactor * limit) give_up_reader();
}

void WsSessionImpl::close(CloseCode code, std::string_view reason) {
  if (!closing_ && !gone_) send_close(std::to_underlying(code), reason);
}

void WsSessionImpl::send_close(std::uint16_t code, std::string_view reason) {
  closing_ = true;
  transport_->queue(close_frame(code, reason));
  transport_->tell_progress();
  cut_at_ = edge_->wheel.now() + edge_->limits.write_timeout;
  arm();
}

void WsSessionImpl::tear_down() {
  wait_ = Wait::kEnd;
  transport_->finish(later<&WsSessionImpl::finish>());
}

// What has not begun to be sent is dropped, so that the close frame has a chance and the memory is free.
void WsSessionImpl::give_up_reader() {
  edge_->metrics.ws_closed_stuck.add();
  if (!closing_) {
    transport_->drop_unsent();
    close(CloseCode::kStuckReader, "The reader is stuck.");
  }
  cut_at_ = std::min(cut_at_, edge_->wheel.now() + edge_->limits.close_timeout);
  arm();
}

void WsSessionImpl::on_flushed() {
  const auto now = edge_->wheel.now();
  const bool moved = std::exchange(sent_, transport_->sent()) != sent_;
  if (!transport_->blocked()) {
    blocked_since_ = kNever;
  } else if (moved || blocked_since_ == kNever) {
    blocked_since_ = now;
  }
  if (closing_ && transport_->queued() == 0 && !std::exchange(drained_after_close_, true)) {
    cut_at_ = std::min(cut_at_, now + edge_->limits.close_timeout);
  }
  arm();
  if (!told_full_ || transport_->queued() > edge_->limits.max_queued_bytes / 2) return;
  told_full_ = false;
  if (wait_ == Wait::kRoom) go_on_later();
  if (!closing_ && !gone_ && session()) guarded([&] { session()->on_writable(); });
}

/// The session hears of it, and goes unless a command still holds it.
void WsSessionImpl::end() {
  gone_ = true;
  leave();
  const auto slot = std::exchange(slot_, nullptr);
  if (!slot) return;
  slot->carrier = nullptr;
  if (slot->session) guarded([&] { slot->session->on_closed(); });
}

void WsSessionImpl::finish() {
  const auto self = shared_from_this();
  end();
  transport_->cut();
  if (auto on_end = std::exchange(on_end_, nullptr)) on_end();
}

void WsSessionImpl::announce(std::chrono::milliseconds reconnect_in) {
  if (closing_ || gone_ || !session()) return;
  guarded([&] { session()->on_draining(reconnect_in); });
}

void WsSessionImpl::close_for_restart() {
  if (session()) close(CloseCode::kRestart, "The server restarts.");
}

// The drain began while this handshake was being answered: the others were told without it.
void WsSessionImpl::leave_late() {
  std::uniform_int_distribution<std::int64_t> delay(0, edge_->reconnect_within.count());
  announce(std::chrono::milliseconds(delay(edge_->random)));
  close_for_restart();
}

void WsSessionImpl::abandon() {
  const auto self = shared_from_this();
  on_end_ = nullptr;
  end();
}

void WsSessionImpl::arm() {
  const auto deadline = next_deadline();
  if (gone_ || !counted_ || (timer_.active() && armed_for_ <= deadline)) return;
  armed_for_ = deadline;
  const auto delay = std::chrono::ceil<std::chrono::milliseconds>(deadline - edge_->wheel.now());
  timer_ = edge_->wheel.after(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_timer();
  });
}

// Activity only moves a time point; the timer looks at them when it fires and goes on to the next one.
TimePoint WsSessionImpl::next_deadline() const {
  if (closing_) return cut_at_;
  auto deadline = std::min(next_ping_, answer_due_);
  if (reading()) deadline = std::min(deadline, last_byte_ + edge_->limits.silence_timeout);
  if (blocked_since_ != kNever) deadline = std::min(deadline, blocked_since_ + edge_->limits.stuck_timeout);
  return deadline;
}

void WsSessionImpl::on_timer() {
  const auto now = edge_->wheel.now();
  if (closing_) {
    if (now >= cut_at_) return transport_->cut();
  } else if (now >= answer_due_) {
    on_unanswered();
  } else if (blocked_since_ != kNever && now >= blocked_since_ + edge_->limits.stuck_timeout) {
    give_up_reader();
  } else if (reading() && now >= last_byte_ + edge_->limits.silence_timeout) {
    close(CloseCode::kGoingAway, "No sign of life.");
    cut_at_ = now + edge_->limits.close_timeout;
  } else if (now >= next_ping_) {
    next_ping_ = now + edge_->limits.ping_interval;
    if (!transport_->blocked()) transport_->queue(nullptr, kPingFrame);
  }
  arm();
}

}  // namespace

std::shared_ptr<WsSession> make_ws_session(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport) {
  return std::make_shared<WsSessionImpl>(std::move(edge), std::move(transport));
}

}  // namespace belfry::net
