#include "ws_client.hpp"

#include <boost/asio/buffer.hpp>

namespace belfry::net::testing {

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;

WsClient::WsClient(std::uint16_t port, int receive_buffer) {
  auto& tcp = stream_.next_layer();
  tcp.open(asio::ip::tcp::v4());
  if (receive_buffer > 0) tcp.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
  tcp.connect({asio::ip::address_v4::loopback(), port});
  stream_.control_callback([this](websocket::frame_type type, auto) {
    pings_ += type == websocket::frame_type::ping ? 1 : 0;
    pongs_ += type == websocket::frame_type::pong ? 1 : 0;
  });
}

template <class Start>
boost::system::error_code WsClient::within(Start start) {
  std::optional<boost::system::error_code> result;
  start([&](const boost::system::error_code& error, auto...) { result = error; });
  context_.restart();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!result && context_.run_one_until(deadline) > 0) {
  }
  if (result) return *result;
  ADD_FAILURE() << "nothing came";
  stream_.next_layer().close();
  context_.restart();
  context_.run();
  return asio::error::timed_out;
}

int WsClient::connect(const std::string& target, const std::string& authorization, const std::string& protocols) {
  stream_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
    if (!authorization.empty()) request.set("Authorization", authorization);
    if (!protocols.empty()) request.set("Sec-WebSocket-Protocol", protocols);
  }));
  websocket::permessage_deflate deflate;
  deflate.client_enable = true;
  stream_.set_option(deflate);
  const auto error = within([&](auto done) { stream_.async_handshake(handshake_, "test", target, done); });
  if (error && error != websocket::error::upgrade_declined) return 0;
  return static_cast<int>(handshake_.result_int());
}

void WsClient::send(std::string_view text, bool binary) {
  stream_.binary(binary);
  EXPECT_FALSE(within([&](auto done) { stream_.async_write(asio::buffer(text), done); }));
}

void WsClient::ping() {
  EXPECT_FALSE(within([&](auto done) { stream_.async_ping({}, done); }));
}

std::optional<std::string> WsClient::read() {
  buffer_.clear();
  if (within([&](auto done) { stream_.async_read(buffer_, done); })) return {};
  return std::string(static_cast<const char*>(buffer_.data().data()), buffer_.size());
}

int WsClient::close_code() {
  while (read()) {
  }
  const auto code = stream_.reason().code;
  return code == websocket::close_code::none ? 1006 : static_cast<int>(code);
}

void WsClient::close(std::uint16_t code) {
  EXPECT_FALSE(within([&](auto done) { stream_.async_close(websocket::close_reason(code), done); }));
}

void WsClient::reset() {
  stream_.next_layer().set_option(asio::socket_base::linger(true, 0));
  stream_.next_layer().close();
}

}  // namespace belfry::net::testing
