#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/http/service.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/runtime/loop.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::net {

/// Every limit of the network edge, in one place.
struct Limits {
  std::size_t max_connections = 18000;
  int handshakes_per_second = 2000;             ///< WebSocket; twice as many at once
  std::size_t max_handshakes_in_flight = 1024;  ///< WebSocket, between the request and its decision
  std::size_t max_body_bytes = 256 * 1024;
  std::size_t max_header_bytes = 16 * 1024;
  std::size_t max_request_line_bytes = 8 * 1024;
  std::size_t max_frame_bytes = 64 * 1024;
  std::size_t max_queued_bytes = 256 * 1024;  ///< per WebSocket, before it counts as slow
  std::chrono::seconds header_timeout{10};    ///< from the first byte of a request to its last header
  std::chrono::seconds body_timeout{20};
  std::chrono::seconds idle_timeout{75};    ///< keep-alive connection without a request
  std::chrono::seconds answer_timeout{30};  ///< for a request's handler, an upgrade's decision, a WebSocket command
  std::chrono::seconds poll_timeout{60};    ///< for a dialect's answer to a plain request, which may be held back
  std::chrono::seconds write_timeout{30};
  std::chrono::seconds ping_interval{25};
  std::chrono::seconds silence_timeout{60};  ///< WebSocket without any byte from the peer
  std::chrono::seconds stuck_timeout{30};    ///< WebSocket that accepts no byte
  std::chrono::seconds close_timeout{5};     ///< for the peer's close frame
  std::chrono::seconds drain_timeout{10};
};

/// What one of so many servers may take that share these limits: connections, handshakes under way and their rate, each
/// at least one.
Limits share(Limits limits, int servers);

struct ListenOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: any
};

/// How a draining server lets its WebSockets go.
struct DrainPlan {
  std::chrono::milliseconds reconnect_within{0};  ///< each is told a moment of its own in here
  std::chrono::milliseconds close_within{0};      ///< and closed in the same order; 0: all at once
};

inline constexpr std::chrono::milliseconds kLeastReconnectSpread{5000};
/// In which time so many clients can be taken by the other nodes, at the rate at which each of them admits handshakes.
/// Without other nodes it is this one that they come back to. Never below kLeastReconnectSpread.
std::chrono::milliseconds reconnect_spread(std::size_t connections, int handshake_rate, int other_nodes);

/// Accepts connections, speaks HTTP/1.1 and WebSocket. Everything runs on the loop's thread. `service` and `dialects`
/// outlive it.
class Server {
 public:
  Server(runtime::Loop& loop, runtime::Wheel& wheel, Limits limits, http::Service& service,
         std::vector<dialects::Dialect*> dialects, telemetry::Metrics& metrics);
  ~Server();

  /// What `listen` accepts from then on is dealt out in turn to these servers, each on its own loop; this one is one of
  /// them only if it is named. Before `listen`.
  void deal_to(const std::vector<Server*>& servers);
  /// These servers' dialects number their conversations' shards by this order, this server being one of them: a
  /// connection whose request names another one moves there. Without it, `Dialect::shard_of` is not asked. Before any
  /// of their loops runs.
  void share_sessions(const std::vector<Server*>& all);
  /// Binds and accepts. The bound port, or why not (kUnavailable with a sentence for the operator).
  core::Result<std::uint16_t> listen(const ListenOptions& options);
  /// Stops accepting, tells the dialects, says `server:draining` to every WebSocket at once, closes them with 1012 as
  /// planned, lets HTTP requests finish, then calls `done`; after `drain_timeout` the rest is cut.
  void drain(DrainPlan plan, std::move_only_function<void()> done);

  std::size_t connections() const;
  /// Over this server's sockets.
  realtime::SendPass last_pass() const;

 private:
  class Impl;
  static std::vector<std::shared_ptr<Impl>> impls(const std::vector<Server*>& servers);

  std::shared_ptr<Impl> impl_;
};

}  // namespace belfry::net
