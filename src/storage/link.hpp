#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
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
  /// `seen_alive`: grows whenever somebody saw the database well, which ends a backoff; null: nobody tells.
  Link(std::string url, std::string conninfo, telemetry::Metrics& metrics,
       const std::atomic<std::uint32_t>* seen_alive = nullptr);
  ~Link();

  /// Throws Unreachable.
  Connection& get();
  /// The live connection, or null.
  Connection* current() { return connection_.get(); }
  bool open() const { return connection_ && connection_->raw().is_open(); }
  void drop();
  /// When `get` may connect again.
  std::chrono::steady_clock::time_point retry_at() const;
  /// Forgets the backoff: somebody saw the database alive, or the wait is the caller's own.
  void retry_now() { retry_at_ = {}; }

 private:
  std::string url_;
  std::string conninfo_;
  telemetry::Metrics& metrics_;
  const std::atomic<std::uint32_t>* seen_alive_;
  std::uint32_t heeded_ = 0;  ///< of `seen_alive`, at the last attempt
  std::unique_ptr<Connection> connection_;
  std::chrono::steady_clock::time_point retry_at_{};
  std::chrono::milliseconds backoff_{0};
  std::minstd_rand random_{std::random_device{}()};
};

enum class CommitOutcome { kCommitted, kAborted, kUnknown };

/// Asks the server, on a new connection, whether a transaction committed; until `deadline`, also when the server falls
/// silent. Throws nothing: an answer that makes no sense is kUnknown.
CommitOutcome resolve_commit(Link& link, Watchdog& watchdog, const CommitInDoubt& doubt,
                             std::chrono::steady_clock::time_point deadline);

}  // namespace belfry::storage
