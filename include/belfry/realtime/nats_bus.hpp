#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/log.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::realtime {

struct NatsOptions {
  std::vector<std::string> servers;  ///< nats://[user:password@]host:port; tried in turn, for ever
  /// Keeps deployments apart that share a server. Asked on the bus's own thread, where it may block for seconds, until
  /// it answers; letters, digits and dashes.
  std::function<core::Result<std::string>()> deployment;
};

/// Hints over NATS: a subject per room, subscribed while the room is followed; the access log always. Own thread and
/// connections; nobody else ever waits for the server. Whether messages arrive is measured by sending one to itself
/// through the server, never taken from the state of a connection. Without a server everything works, on hints of the
/// sweep alone.
std::unique_ptr<domain::Bus> make_nats_bus(NatsOptions options,
                                           std::function<void(std::move_only_function<void()>)> poster,
                                           telemetry::Metrics& metrics);

}  // namespace belfry::realtime
