#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "app/io_thread.hpp"
#include "belfry/auth/authenticator.hpp"
#include "belfry/auth/grant_service.hpp"
#include "belfry/config/settings.hpp"
#include "belfry/core/time.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/http/service.hpp"
#include "belfry/net/server.hpp"
#include "belfry/outbound/http_client.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/realtime/room_reader.hpp"
#include "belfry/storage/postgres.hpp"

namespace belfry::app {

/// What there is once in a node, for all its shards; outlives them.
struct NodeParts {
  const config::Settings& settings;
  const core::Clock& clock;
  IoThread& home;  ///< where `grants` lives
  outbound::HttpClient& client;
  storage::PostgresDatabase& database;
  auth::GrantService* grants;                  ///< null: our own table decides
  net::Limits limits;                          ///< of one shard
  std::function<http::Readiness()> readiness;  ///< any thread
  std::vector<const telemetry::Metrics*> all_metrics;
};

/// All that serves connections on one I/O thread, as if it were a node of its own: it shares nothing that changes with
/// other shards. Made before the threads run and destroyed after they ended; in between it belongs to its thread.
class Shard {
 public:
  /// `bus` is the node's as this shard sees it; `index` its place among the shards.
  Shard(IoThread& io, const NodeParts& node, domain::Bus& bus, std::size_t index);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Before the threads run.
  void start();
  /// Behind the drain of its server.
  void stop();
  net::Server& server() { return server_; }
  IoThread& io() { return io_; }
  http::ServiceParts parts() const { return parts_; }
  /// Whether its rooms can be joined. Any thread.
  bool started() const { return hub_.started(); }

 private:
  realtime::HubOptions hub_options(const NodeParts& node);
  storage::PostgresDatabase::PortHooks hooks();
  void watch_timers();

  IoThread& io_;
  domain::Bus& bus_;
  std::unique_ptr<domain::Database> database_;
  std::unique_ptr<domain::GrantProvider> remote_grants_;  ///< null where there is no way to go
  std::unique_ptr<auth::Authenticator> authenticator_;
  realtime::Hub hub_;
  std::unique_ptr<realtime::CachedRoomReader> reader_;
  std::unique_ptr<dialects::Dialect> native_;
  std::unique_ptr<dialects::Dialect> socketio_;
  http::ServiceParts parts_;
  std::unique_ptr<http::Service> api_;
  net::Server server_;
  runtime::Wheel::Timer watch_;
};

}  // namespace belfry::app
