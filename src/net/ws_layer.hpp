#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/role.hpp>

#include "transport.hpp"

namespace belfry::net {

/// What Beast's WebSocket stream sits on: it reads the socket, and what it writes (handshake, pong, close) joins the
/// one queue.
class WebSocketLayer {
 public:
  using executor_type = runtime::Executor;
  using ErrorCode = boost::system::error_code;

  /// `on_close_frame` is called when a close frame enters the queue: nothing may follow it.
  WebSocketLayer(std::shared_ptr<Transport> transport, executor_type executor, std::size_t limit,
                 std::function<void()> on_close_frame)
      : transport_(std::move(transport)),
        executor_(executor),
        limit_(limit),
        on_close_frame_(std::move(on_close_frame)) {}

  executor_type get_executor() const { return executor_; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [](auto handler, Transport* transport, const Buffers& into) {
          transport->async_read_some(into, std::move(handler));
        },
        token, transport_.get(), buffers);
  }

  /// Completes when accepted, or, with a long queue, when that has drained: a flood of pings slows the peer down, not
  /// us.
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [](auto handler, WebSocketLayer* layer, const Buffers& from) { layer->write(from, std::move(handler)); }, token,
        this, buffers);
  }

  /// Beast's teardown: drain, FIN, read to the peer's end. The session's deadline bounds it.
  template <class Handler>
  friend void async_teardown(boost::beast::role_type, WebSocketLayer& layer, Handler&& handler) {
    layer.transport_->finish(std::forward<Handler>(handler));
  }
  friend void teardown(boost::beast::role_type, WebSocketLayer& layer, ErrorCode& error) {
    error = {};
    layer.transport_->cut();
  }
  friend void beast_close_socket(WebSocketLayer& layer) { layer.transport_->cut(); }

 private:
  static constexpr unsigned char kCloseFrame = 0x88;

  template <class Buffers, class Handler>
  void write(const Buffers& buffers, Handler handler) {
    std::string bytes(boost::asio::buffer_size(buffers), '\0');
    boost::asio::buffer_copy(boost::asio::buffer(bytes), buffers);
    const auto size = bytes.size();
    const bool close = size > 0 && static_cast<unsigned char>(bytes.front()) == kCloseFrame;
    transport_->queue(std::move(bytes));
    if (close && on_close_frame_) on_close_frame_();
    if (close || transport_->queued() <= limit_) {
      boost::asio::post(executor_, [handler = std::move(handler), size]() mutable { handler(ErrorCode(), size); });
      return;
    }
    transport_->when_drained(
        [handler = std::move(handler), size](ErrorCode error) mutable { handler(error, error ? 0 : size); });
  }

  std::shared_ptr<Transport> transport_;
  executor_type executor_;
  std::size_t limit_;
  std::function<void()> on_close_frame_;
};

}  // namespace belfry::net
