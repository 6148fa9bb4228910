// What Beast can do at most on one core: an HTTP server that answers every request with the same bytes. Prints its
// port.

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

// The project compiles these libraries apart; this program is its own.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, const std::string& body) : socket_(std::move(socket)), body_(body) {}

  void read() {
    request_ = {};
    http::async_read(socket_, buffer_, request_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error) self->answer();
    });
  }

 private:
  void answer() {
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::content_type, "application/json; charset=utf-8");
    response_.keep_alive(request_.keep_alive());
    response_.body() = body_;
    response_.prepare_payload();
    http::async_write(socket_, response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error) self->read();
    });
  }

  Socket socket_;
  const std::string& body_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  http::response<http::string_body> response_;
};

void accept_next(Acceptor& acceptor, const std::string& body) {
  acceptor.async_accept([&](beast::error_code error, Socket socket) {
    if (!error) {
      socket.set_option(Tcp::no_delay(true));
      std::make_shared<Connection>(std::move(socket), body)->read();
    }
    accept_next(acceptor, body);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string body(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 9000, 'x');
  asio::io_context context(1);
  Acceptor acceptor(context, Tcp::endpoint{asio::ip::address_v4::loopback(), 0});
  std::cout << "{\"port\":" << acceptor.local_endpoint().port() << "}" << std::endl;
  accept_next(acceptor, body);
  context.run();
}
