#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "edge.hpp"
#include "http_session.hpp"
#include "transport.hpp"

namespace belfry::net {

/// One WebSocket and its dialect session: reads the client's frames, answers pings, closes. The session's frames, made
/// by the dialect, go to the transport's queue as they are. While nothing happens it holds no buffer, no coroutine and
/// one handler, which waits for bytes. Loop's thread only.
class WsSession {
 public:
  virtual ~WsSession() = default;
  /// Answers the handshake and opens the session. `on_end`, never called from within this, runs once when all is over.
  virtual void start(Upgrade upgrade, std::move_only_function<void()> on_end) = 0;
  /// Tells the client, through its dialect, when to come back; nothing before the session is open.
  virtual void announce(std::chrono::milliseconds reconnect_in) = 0;
  /// Closes with 1012.
  virtual void close_for_restart() = 0;
  /// Ends what only a running loop could end; nothing runs afterwards, `on_end` neither.
  virtual void abandon() = 0;
};

std::shared_ptr<WsSession> make_ws_session(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport);

}  // namespace belfry::net
