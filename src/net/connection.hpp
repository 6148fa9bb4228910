#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "edge.hpp"
#include "http_session.hpp"
#include "transport.hpp"
#include "ws_session.hpp"

namespace belfry::net {

/// One client's connection: HTTP first, in a coroutine; WebSocket after an upgrade, without. Loop's thread only.
class Connection {
 public:
  /// `opening`: of one that has come from another server.
  Connection(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport,
             std::optional<Opening> opening = std::nullopt);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Ends with the connection; or, true, when it goes on as a WebSocket, which calls `on_end` once at its end. `depart`
  /// may take the socket away before the end.
  runtime::Task<bool> run(std::move_only_function<void()> on_end,
                          std::move_only_function<void(Departure, Transport&)> depart);
  bool upgraded() const { return websocket_ != nullptr; }
  /// Of a draining server. HTTP ends when it is idle, else after the running request.
  void drain_http();
  /// Of a draining server, for a WebSocket: tells the delay; the connection goes on until it is closed.
  void announce(std::chrono::milliseconds reconnect_in);
  void close_for_restart();
  void cut() { transport_->cut(); }
  void abandon();

 private:
  void leave_http();

  std::shared_ptr<Edge> edge_;
  std::shared_ptr<Transport> transport_;
  std::shared_ptr<HttpSession> http_;
  std::shared_ptr<WsSession> websocket_;
};

}  // namespace belfry::net
