#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "harness.hpp"

namespace belfry::net::testing {

/// A WebSocket client whose every wait ends after kPatience at the latest.
class WsClient {
 public:
  explicit WsClient(std::uint16_t port, int receive_buffer = 0);
  /// The status of the handshake's answer: 101 when it was accepted.
  int connect(const std::string& target = "/ws", const std::string& authorization = {},
              const std::string& protocols = {});
  void send(std::string_view text, bool binary = false);
  void ping();
  /// The next message, or nothing when the connection ended.
  std::optional<std::string> read();
  /// Reads to the end; the code of the server's close frame, 1006 without one.
  int close_code();
  void close(std::uint16_t code = 1000);
  void reset();
  int pings() const { return pings_; }
  int pongs() const { return pongs_; }
  boost::asio::ip::tcp::socket& socket() { return stream_.next_layer(); }
  const boost::beast::http::response<boost::beast::http::string_body>& handshake() const { return handshake_; }

 private:
  template <class Start>
  boost::system::error_code within(Start start);

  boost::asio::io_context context_;
  boost::beast::websocket::stream<boost::asio::ip::tcp::socket> stream_{context_};
  boost::beast::flat_buffer buffer_;
  boost::beast::http::response<boost::beast::http::string_body> handshake_;
  int pings_ = 0;
  int pongs_ = 0;
};

}  // namespace belfry::net::testing
