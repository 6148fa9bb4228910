#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/container/small_vector.hpp>

#include "belfry/runtime/loop.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::net {

class TurnFlusher;

/// One connected socket and what waits to be sent on it. Nothing else writes to a socket, so that encryption has one
/// place to go. Queued bytes leave at the end of the loop's turn, as few sends as there are 64 KiB. Loop's thread only.
class Transport : public std::enable_shared_from_this<Transport> {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, runtime::Executor>;
  using ErrorCode = boost::system::error_code;

  /// Hears of progress. Never called from within `queue`, `send_now` or `cut`.
  class Observer {
   public:
    virtual ~Observer() = default;
    /// After each flush of a socket that is full or was, and after the next one once `tell_progress` was called.
    virtual void on_flushed() = 0;
    /// The peer is gone; the socket is closed.
    virtual void on_failed() = 0;
  };

  Transport(Socket socket, std::shared_ptr<TurnFlusher> flusher);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// `owner` keeps `bytes` alive; null for static bytes.
  void queue(std::shared_ptr<const void> owner, std::string_view bytes);
  void queue(std::string bytes);
  /// Parts of one thing, that leaves whole or not at all. `owner` keeps the bytes of all of them alive.
  void queue(std::shared_ptr<const void> owner, std::span<const std::string_view> parts);
  std::size_t queued() const { return queued_; }
  /// The kernel took no more at the last try.
  bool blocked() const { return waiting_; }
  /// Counts what was ever taken by the kernel.
  std::uint64_t sent() const { return sent_; }
  /// Tries to send at once instead of at the turn's end: for a queue that grows within one turn.
  void send_now();
  /// Forgets what has not begun to be sent. What has begun stays, since the peer's framing depends on it.
  void drop_unsent();
  /// `done(error)` once nothing is queued, or the socket failed. One at a time. Posted, never inline.
  void when_drained(std::move_only_function<void(ErrorCode)> done);

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler handler);
  /// `handler(error)` once `read_some` has something to say. Unlike a pending read it needs no buffer.
  template <class Handler>
  void when_readable(Handler handler);
  /// What has arrived; would_block when there is nothing, eof at the peer's end.
  std::size_t read_some(std::span<char> into, ErrorCode& error);
  /// Ends the pending read with operation_aborted.
  void cancel_read();

  /// Sends what is queued, then FIN, then reads to the peer's end, so that what was said last arrives; then closes. The
  /// caller bounds the time with `cut`.
  void finish(std::move_only_function<void(ErrorCode)> done);
  /// Gives the socket away, to be used on that executor only. Call with nothing queued: this one is closed afterwards.
  /// Nothing when the socket is gone.
  std::optional<Socket> move_to(runtime::Executor executor);
  /// Closes at once. Pending operations end with an error.
  void cut();
  bool open() const { return socket_.is_open(); }

  void observe(Observer* observer) { observer_ = observer; }
  void tell_progress() { progress_wanted_ = true; }
  /// From here on bytes and writes count as WebSocket traffic.
  void count_as_websocket(telemetry::Metrics& metrics);
  void stop_counting();

 private:
  friend class TurnFlusher;

  /// Says to the processor that a flush is near: a room's sockets are more than its caches hold.
  void prefetch() const;

  struct Chunk {
    std::shared_ptr<const void> owner;
    const char* data = nullptr;
    std::size_t size : 63 = 0;
    bool more : 1 = false;  ///< the next chunk is of the same thing, and keeps these bytes alive
    std::string_view bytes() const { return {data, size}; }
  };
  enum class Sent : std::uint8_t { kAll, kBlocked, kFailed };

  void flush();
  Sent send_queue();
  std::string_view next_bytes();
  ErrorCode try_send(std::string_view bytes, std::size_t& taken);
  void advance(std::size_t taken);
  void wait_writable();
  void mark_dirty();
  void fail(ErrorCode error);
  void settle_drained(ErrorCode error);
  void account();
  void read_to_end(std::move_only_function<void(ErrorCode)> done);

  Socket socket_;
  std::shared_ptr<TurnFlusher> flusher_;
  Observer* observer_ = nullptr;
  telemetry::Metrics* metrics_ = nullptr;
  /// What one turn gives a socket of one room is one chunk: it needs no memory of its own.
  boost::container::small_vector<Chunk, 2> chunks_;
  std::size_t first_ = 0;  ///< chunks before it are sent
  std::size_t queued_ = 0;
  std::size_t accounted_ = 0;
  std::uint64_t sent_ = 0;
  bool begun_ = false;  ///< some bytes of what the first chunk is part of are sent
  bool dirty_ = false;
  bool waiting_ = false;
  bool progress_wanted_ = false;
  bool failed_ = false;
  std::move_only_function<void(ErrorCode)> drained_;
};

template <class Buffers, class Handler>
void Transport::async_read_some(const Buffers& buffers, Handler handler) {
  socket_.async_read_some(buffers, [self = shared_from_this(), handler = std::move(handler)](
                                       ErrorCode error, std::size_t taken) mutable { handler(error, taken); });
}

template <class Handler>
void Transport::when_readable(Handler handler) {
  socket_.async_wait(Socket::wait_read, std::move(handler));
}

}  // namespace belfry::net
