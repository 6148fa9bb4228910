#pragma once

#include <chrono>
#include <memory>

#include "edge.hpp"
#include "http_session.hpp"
#include "transport.hpp"

namespace belfry::net {

/// One WebSocket and its dialect session. Data frames, already framed, go straight to the transport's queue; Beast
/// reads, answers pings and closes. Loop's thread only.
class WsSession {
 public:
  virtual ~WsSession() = default;
  /// From the handshake's answer to the end of the session. The caller keeps the object until then.
  virtual runtime::Task<void> run(Upgrade upgrade) = 0;
  /// Tells the client, through its dialect, when to come back; nothing before the session is open.
  virtual void announce(std::chrono::milliseconds reconnect_in) = 0;
  /// Closes with 1012.
  virtual void close_for_restart() = 0;
  /// Ends what only a running loop could end; nothing runs afterwards.
  virtual void abandon() = 0;
};

std::shared_ptr<WsSession> make_ws_session(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport);

}  // namespace belfry::net
