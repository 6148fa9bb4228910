#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/time.hpp"
#include "belfry/dialects/commands.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/room_reader.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::dialects {

struct SocketIoOptions {
  CommandOptions commands;
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds ping_timeout{20'000};
  std::size_t shard = 0;                     ///< of this node, below 64: sessions live on one shard
  std::size_t max_sessions = 18'000;         ///< of this shard, that begin by polling
  int sessions_per_second = 2000;            ///< of these
  std::vector<std::string> allowed_origins;  ///< for polling from browsers
  bool test_echo = false;                    ///< handlers that echo, for conformance tests
};

/// Socket.IO 5 over Engine.IO 4 at `/socket.io/`, by WebSocket and by polling. `post` runs a task on this shard's loop,
/// behind what runs now. References must outlive it.
std::unique_ptr<Dialect> make_socketio_dialect(SocketIoOptions options, realtime::Hub& hub, domain::RoomReader& reader,
                                               domain::Database& database, auth::Authenticator& authenticator,
                                               runtime::Wheel& wheel, const core::Clock& clock,
                                               telemetry::Metrics& metrics,
                                               std::function<void(std::move_only_function<void()>)> post);

}  // namespace belfry::dialects
