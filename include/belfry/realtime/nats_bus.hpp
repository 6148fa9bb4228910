#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/log.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::realtime {

/// What the nodes of one database share, and nobody else does.
struct NatsDeployment {
  std::string name;  ///< letters, digits and dashes
  std::string key;   ///< signs the events in hints
};

struct NatsOptions {
  /// `nats://[user:password@]host:port`, or `tls://…`, which is encrypted and verified; tried in turn, for ever.
  std::vector<std::string> servers;
  std::string ca_file;  ///< what `tls://` trusts; empty: the system's certificates
  /// Keeps deployments apart that share a server. Asked on the bus's own thread, where it may block for seconds, until
  /// it answers.
  std::function<core::Result<NatsDeployment>()> deployment;
};

/// Hints over NATS, with their events where those fit into a message: a subject per room, subscribed while the room is
/// followed; the access log always. Own thread and
/// connections; nobody else ever waits for the server. Whether messages arrive is measured by sending one to itself
/// through the server, never taken from the state of a connection. Without a server everything works, on hints of the
/// sweep alone.
std::unique_ptr<domain::Bus> make_nats_bus(NatsOptions options,
                                           std::function<void(std::move_only_function<void()>)> poster,
                                           telemetry::Metrics& metrics);

}  // namespace belfry::realtime
