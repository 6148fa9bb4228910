#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "belfry/telemetry/metrics.hpp"
#include "storage/failure.hpp"
#include "storage/session.hpp"
#include "storage/watchdog.hpp"

namespace belfry::storage {

/// One thread's way to the database: a connection that is made when needed and made anew after it broke, with backoff.
/// While the backoff lasts, asking for it fails at once, so that nobody waits for a server that is away.
class Link {
 public:
  Link(std::string url, std::string conninfo, telemetry::Metrics& metrics);
  ~Link();

  /// Throws Unreachable.
  Connection& get();
  /// The live connection, or null.
  Connection* current() { return connection_.get(); }
  void drop();
  /// When `get` may connect again.
  std::chrono::steady_clock::time_point retry_at() const { return retry_at_; }
  /// Forgets the backoff: somebody saw the database alive, or the wait is the caller's own.
  void retry_now() { retry_at_ = {}; }

 private:
  std::string url_;
  std::string conninfo_;
  telemetry::Metrics& metrics_;
  std::unique_ptr<Connection> connection_;
  std::chrono::steady_clock::time_point retry_at_{};
  std::chrono::milliseconds backoff_{0};
  std::minstd_rand random_{std::random_device{}()};
};

enum class CommitOutcome { kCommitted, kAborted, kUnknown };

/// Asks the server, on a new connection, whether a transaction committed; until `deadline`, also when the server falls
/// silent.
CommitOutcome resolve_commit(Link& link, Watchdog& watchdog, const CommitInDoubt& doubt,
                             std::chrono::steady_clock::time_point deadline);

}  // namespace belfry::storage
