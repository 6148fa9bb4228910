#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/room_reader.hpp"
#include "belfry/http/message.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::http {

struct ServiceOptions {
  std::string attachment_url_base;
  std::vector<std::string> allowed_origins;  ///< CORS; empty: none
  bool ops_routes = true;                    ///< serve healthz, readyz, metrics here
  bool api_routes = true;
};

/// Whether this node can serve, and if not, why: a line for an operator.
struct Readiness {
  bool ready = false;
  std::string reason;
};

/// The REST API: routes a request, authenticates, decodes, runs one database job, encodes. I/O thread only.
class Service {
 public:
  virtual ~Service() = default;
  /// `done` exactly once, on the I/O thread, maybe inside this call. Never throws on any input.
  virtual void handle(Request request, std::move_only_function<void(Response)> done) = 0;
};

struct ServiceParts {
  domain::Database& database;
  auth::Authenticator& authenticator;
  /// Present with an external entitlement provider: access-changed asks it before it answers.
  domain::GrantProvider* grant_provider = nullptr;
  const core::Clock& clock;
  telemetry::Metrics& metrics;  ///< what this service counts
  std::function<Readiness()> readiness;
  /// Hot pages from memory; null: every page is a job of its own.
  domain::RoomReader* rooms = nullptr;
  /// What GET /metrics adds up; empty: `metrics` alone.
  std::vector<const telemetry::Metrics*> all_metrics = {};
};

std::unique_ptr<Service> make_service(ServiceOptions options, ServiceParts parts);

/// Every route as `METHOD /path/{param}`: compared with docs/openapi.yaml by a test.
std::vector<std::string> list_routes();

}  // namespace belfry::http
