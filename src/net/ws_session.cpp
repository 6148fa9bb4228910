#include "ws_session.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "belfry/telemetry/log.hpp"
#include "ws_layer.hpp"

namespace belfry::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using dialects::CloseCode;
using Clock = runtime::Wheel::Clock;
using TimePoint = Clock::time_point;

constexpr asio::as_tuple_t<asio::use_awaitable_t<runtime::Executor>> kAwait{};
constexpr std::string_view kPing("\x89\x00", 2);
/// Control frames that Beast may have in the queue before it waits for the peer to take them.
constexpr std::size_t kMaxControlBytes = 16 * 1024;
/// The queue may pass `max_queued_bytes` by one answer and a few last words. A session that still sends behind so many
/// times the limit has lost count.
constexpr std::size_t kHardFactor = 16;
constexpr std::size_t kKeptReadBuffer = 4096;
constexpr auto kNever = TimePoint::max();

/// Kept by the session's coroutine and by each callback it gave out, so that it outlives both.
struct SessionSlot {
  std::unique_ptr<dialects::Session> session;
};

class WsSessionImpl final : public WsSession,
                            public dialects::FrameSink,
                            public Transport::Observer,
                            public std::enable_shared_from_this<WsSessionImpl> {
 public:
  WsSessionImpl(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport);
  ~WsSessionImpl() override;

  runtime::Task<void> run(Upgrade upgrade) override;
  void announce(std::chrono::milliseconds reconnect_in) override;
  void close_for_restart() override;
  void abandon() override;

  void send(const realtime::SharedFrame& frame) override;
  bool offer(const realtime::SharedFrame& frame) override;
  bool writable() const override;
  void close(CloseCode code, std::string_view reason) override;

  void on_read() override { last_byte_ = edge_->wheel.now(); }
  void on_flushed() override;
  void on_failed() override { carrier_gone(); }

 private:
  using Stream = websocket::stream<WebSocketLayer, false>;

  runtime::Task<bool> accept(const Upgrade& upgrade);
  runtime::Task<void> read_messages();
  runtime::Task<void> deliver(std::string_view text);
  runtime::Task<void> until_writable();
  void on_unanswered();
  template <class Call>
  void guarded(Call&& call);
  void on_close_frame();
  void give_up_reader();
  void carrier_gone();
  void leave();
  void leave_late();
  void arm();
  void on_timer();
  TimePoint next_deadline() const;

  std::shared_ptr<Edge> edge_;
  std::shared_ptr<Transport> transport_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::shared_ptr<SessionSlot> slot_;
  std::weak_ptr<PendingAnswer> owed_;
  std::shared_ptr<OneShot<std::monostate>> room_wanted_;  ///< what `until_writable` waits for
  std::move_only_function<void(std::monostate)> room_made_;
  runtime::Wheel::Timer timer_;
  TimePoint armed_for_ = kNever;
  TimePoint last_byte_;
  TimePoint next_ping_;
  TimePoint blocked_since_ = kNever;
  TimePoint cut_at_ = kNever;
  std::uint64_t sent_ = 0;
  bool counted_ = false;
  bool reading_ = false;
  mutable bool told_full_ = false;  ///< somebody heard "not writable" and waits to hear the opposite
  bool closing_ = false;            ///< the session's frames are no longer taken
  bool close_queued_ = false;       ///< the close frame is in the queue
  bool drained_after_close_ = false;
  bool gone_ = false;
};

WsSessionImpl::WsSessionImpl(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport)
    : edge_(std::move(edge)),
      transport_(std::move(transport)),
      stream_(transport_, edge_->loop.context().get_executor(), kMaxControlBytes, [this] { on_close_frame(); }),
      slot_(std::make_shared<SessionSlot>()) {
  stream_.read_message_max(edge_->limits.max_frame_bytes);
  edge_->metrics.ws_connections.add();
  counted_ = true;
  transport_->count_as_websocket(edge_->metrics);
  transport_->observe(this);
  last_byte_ = edge_->wheel.now();
  next_ping_ = last_byte_ + edge_->limits.ping_interval;
}

WsSessionImpl::~WsSessionImpl() { leave(); }

void WsSessionImpl::leave() {
  timer_.cancel();
  transport_->observe(nullptr);
  if (!std::exchange(counted_, false)) return;
  transport_->stop_counting();
  edge_->metrics.ws_connections.sub();
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

runtime::Task<void> WsSessionImpl::run(Upgrade upgrade) {
  const auto self = shared_from_this();
  arm();
  transport_->give_back(std::move(upgrade.rest));
  if (co_await accept(upgrade) && !gone_) {
    guarded([&] { slot_->session = upgrade.dialect->open(*this, std::move(upgrade.identity)); });
    if (edge_->draining) leave_late();
    co_await read_messages();
  }
  carrier_gone();
  transport_->cut();
  leave();
}

runtime::Task<bool> WsSessionImpl::accept(const Upgrade& upgrade) {
  // The caller checked the request; Beast needs only what the answer is made of.
  namespace bhttp = beast::http;
  bhttp::request<bhttp::empty_body> request(bhttp::verb::get, "/", 11);
  request.set(bhttp::field::host, "belfry");
  request.set(bhttp::field::connection, "upgrade");
  request.set(bhttp::field::upgrade, "websocket");
  request.set(bhttp::field::sec_websocket_key, upgrade.key);
  request.set(bhttp::field::sec_websocket_version, "13");
  const auto [error] = co_await stream_.async_accept(request, kAwait);
  co_return !error;
}

runtime::Task<void> WsSessionImpl::read_messages() {
  while (true) {
    reading_ = true;
    last_byte_ = edge_->wheel.now();
    const auto [error, bytes] = co_await stream_.async_read(buffer_, kAwait);
    reading_ = false;
    if (error) co_return;
    if (stream_.got_binary()) close(CloseCode::kUnsupportedData, "Binary frames are not supported.");
    const auto data = buffer_.data();
    if (!closing_ && !gone_ && slot_->session) {
      co_await deliver({static_cast<const char*>(data.data()), data.size()});
      co_await until_writable();
    }
    buffer_.consume(buffer_.size());
    if (buffer_.capacity() > kKeptReadBuffer) buffer_.shrink_to_fit();
  }
}

// The next message is read only when this one is done: a client that sends faster than its commands run waits in its
// own socket.
runtime::Task<void> WsSessionImpl::deliver(std::string_view text) {
  const auto done = std::make_shared<OneShot<std::monostate>>(edge_->loop.context().get_executor());
  owed_ = done;
  guarded(
      [&] { slot_->session->on_text(text, [slot = slot_, callback = done->callback()]() mutable { callback({}); }); });
  if (done->answered()) co_return;
  const auto deadline =
      edge_->wheel.after(edge_->limits.answer_timeout, [self = weak_from_this(), waits = std::weak_ptr(done)] {
        const auto session = self.lock();
        const auto late = waits.lock();
        if (!session || !late) return;
        session->on_unanswered();
        late->give_up();
      });
  co_await done->wait();
}

void WsSessionImpl::on_unanswered() {
  if (closing_ || gone_) return;
  telemetry::error("ws_command_unanswered");
  close(CloseCode::kInternal, "");
}

// A client that asks for more than it reads waits: else the answers to its commands would pile up here.
runtime::Task<void> WsSessionImpl::until_writable() {
  if (writable() || closing_ || gone_) co_return;
  room_wanted_ = std::make_shared<OneShot<std::monostate>>(edge_->loop.context().get_executor());
  owed_ = room_wanted_;
  room_made_ = room_wanted_->callback();
  co_await room_wanted_->wait();
  room_wanted_ = nullptr;
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

// One answer may be larger than the whole limit: what counts is how much it finds waiting.
void WsSessionImpl::send(const realtime::SharedFrame& frame) {
  if (closing_ || gone_) return;
  const auto limit = edge_->limits.max_queued_bytes;
  const auto waiting = transport_->queued();
  transport_->queue(frame, frame->wire());
  if (transport_->queued() < limit) return;
  transport_->send_now();
  if (waiting > kHardFactor * limit) give_up_reader();
}

void WsSessionImpl::close(CloseCode code, std::string_view reason) {
  if (closing_ || gone_) return;
  closing_ = true;
  cut_at_ = edge_->wheel.now() + edge_->limits.write_timeout;
  websocket::close_reason why(static_cast<std::uint16_t>(code));
  why.reason.assign(reason.data(), std::min<std::size_t>(reason.size(), why.reason.max_size()));
  stream_.async_close(why, [self = shared_from_this()](const beast::error_code&) { self->carrier_gone(); });
  arm();
}

void WsSessionImpl::on_close_frame() {
  closing_ = close_queued_ = true;
  transport_->tell_progress();
  cut_at_ = std::min(cut_at_, edge_->wheel.now() + edge_->limits.write_timeout);
  arm();
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
  if (close_queued_ && transport_->queued() == 0 && !std::exchange(drained_after_close_, true)) {
    cut_at_ = std::min(cut_at_, now + edge_->limits.close_timeout);
  }
  arm();
  if (!told_full_ || transport_->queued() > edge_->limits.max_queued_bytes / 2) return;
  told_full_ = false;
  if (auto made = std::exchange(room_made_, nullptr)) made({});
  if (!closing_ && !gone_ && slot_->session) guarded([&] { slot_->session->on_writable(); });
}

void WsSessionImpl::carrier_gone() {
  if (std::exchange(gone_, true)) return;
  if (auto made = std::exchange(room_made_, nullptr)) made({});
  if (slot_->session) guarded([&] { slot_->session->on_closed(); });
}

void WsSessionImpl::announce(std::chrono::milliseconds reconnect_in) {
  if (closing_ || gone_ || !slot_->session) return;
  guarded([&] { slot_->session->on_draining(reconnect_in); });
}

void WsSessionImpl::close_for_restart() {
  if (slot_->session) close(CloseCode::kRestart, "The server restarts.");
}

// The drain began while this handshake was being answered: the others were told without it.
void WsSessionImpl::leave_late() {
  std::uniform_int_distribution<std::int64_t> delay(0, edge_->reconnect_within.count());
  announce(std::chrono::milliseconds(delay(edge_->random)));
  close_for_restart();
}

void WsSessionImpl::abandon() {
  const auto self = shared_from_this();
  const auto owed = owed_.lock();
  carrier_gone();
  leave();
  // This object may live as long as the loop, its session may not: what that uses goes earlier.
  slot_ = std::make_shared<SessionSlot>();
  if (owed) owed->abandon();
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
  auto deadline = next_ping_;
  if (reading_) deadline = std::min(deadline, last_byte_ + edge_->limits.silence_timeout);
  if (blocked_since_ != kNever) deadline = std::min(deadline, blocked_since_ + edge_->limits.stuck_timeout);
  return deadline;
}

void WsSessionImpl::on_timer() {
  const auto now = edge_->wheel.now();
  if (closing_) {
    if (now >= cut_at_) return transport_->cut();
  } else if (blocked_since_ != kNever && now >= blocked_since_ + edge_->limits.stuck_timeout) {
    give_up_reader();
  } else if (reading_ && now >= last_byte_ + edge_->limits.silence_timeout) {
    close(CloseCode::kGoingAway, "No sign of life.");
    cut_at_ = now + edge_->limits.close_timeout;
  } else if (now >= next_ping_) {
    next_ping_ = now + edge_->limits.ping_interval;
    if (!transport_->blocked()) transport_->queue(nullptr, kPing);
  }
  arm();
}

}  // namespace

std::shared_ptr<WsSession> make_ws_session(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport) {
  return std::make_shared<WsSessionImpl>(std::move(edge), std::move(transport));
}

}  // namespace belfry::net
