#include "connection.hpp"

#include <utility>

namespace belfry::net {

Connection::Connection(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport, std::optional<Opening> opening)
    : edge_(std::move(edge)),
      transport_(std::move(transport)),
      http_(std::make_shared<HttpSession>(edge_, transport_, std::move(opening))) {
  edge_->metrics.http_connections.add();
}

Connection::~Connection() { leave_http(); }

void Connection::leave_http() {
  if (http_) edge_->metrics.http_connections.sub();
  http_ = nullptr;
}

runtime::Task<bool> Connection::run(std::move_only_function<void()> on_end,
                                    std::move_only_function<void(Departure, Transport&)> depart) {
  auto end = co_await http_->run();
  leave_http();
  if (auto* departure = std::get_if<Departure>(&end)) depart(std::move(*departure), *transport_);
  auto* upgrade = std::get_if<Upgrade>(&end);
  if (!upgrade || !transport_->open()) co_return false;
  websocket_ = make_ws_session(edge_, transport_);
  websocket_->start(std::move(*upgrade), std::move(on_end));
  co_return true;
}

void Connection::drain_http() {
  if (http_) http_->drain();
}

void Connection::announce(std::chrono::milliseconds reconnect_in) {
  if (websocket_) websocket_->announce(reconnect_in);
}

void Connection::close_for_restart() {
  if (websocket_) websocket_->close_for_restart();
}

// Copies, because the coroutine that holds this connection may go with what it waits for.
void Connection::abandon() {
  const auto http = http_;
  const auto websocket = websocket_;
  leave_http();
  if (http) http->abandon();
  if (websocket) websocket->abandon();
}

}  // namespace belfry::net
