#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "storage/engine.hpp"
#include "storage/link.hpp"

namespace belfry::storage {

/// What the schema's own table says.
struct SchemaVersion {
  int version = 0;
  int oldest_binary = 0;  ///< newest schema version that a binary must know to run here
};

/// Whether this binary can run on that schema; the reason is a line for an operator.
PostgresDatabase::Health judge_schema(const std::optional<SchemaVersion>& found, int known);

/// Looks at the database every second, on a connection of its own: answers `health` and tells when it came back. On a
/// second thread, which no database can hold up, answers jobs whose time is over while every other one is busy.
class Monitor {
 public:
  explicit Monitor(Engine& engine);
  ~Monitor() { stop(); }

  void start();
  void stop();
  /// Look now.
  void wake();
  PostgresDatabase::Health health() const;

 private:
  void run();
  void refuse_late();
  PostgresDatabase::Health look();
  void conclude(PostgresDatabase::Health found);

  Engine& engine_;
  Link link_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  PostgresDatabase::Health health_{false, "the database has not been asked yet"};
  bool stopping_ = false;
  bool woken_ = false;
  bool away_ = false;  ///< the monitor's own thread only
  std::thread thread_;
  std::thread clerk_;
};

}  // namespace belfry::storage
