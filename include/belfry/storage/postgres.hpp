#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/log.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::storage {

/// Runs a task on the I/O thread soon; callable from any thread.
using Poster = std::function<void(std::move_only_function<void()>)>;

struct DatabaseOptions {
  std::string url;      ///< libpq URI or key=value string
  int connections = 8;  ///< worker connections, at least 2: reads and writes do not share; one more batches messages
  std::size_t max_queued_jobs = 4096;
  std::size_t max_batch = 500;
  std::chrono::milliseconds lock_timeout{250};
  std::chrono::milliseconds statement_timeout{5000};
  std::chrono::milliseconds idle_in_transaction_timeout{2000};
  std::chrono::seconds event_retention{7 * 24 * 3600};
};

/// PostgreSQL behind the domain's port: worker threads with one connection each and one batching connection. Threads
/// reconnect with backoff; a watchdog shuts the socket of a thread that a dead server blocks. Never logs the URL's
/// password.
class PostgresDatabase final : public domain::Database {
 public:
  struct Hooks {
    domain::CommitListener on_commit = {};   ///< posted
    std::function<void()> on_restored = {};  ///< posted, after the database was away
    /// Any thread, after each commit that appended: tell the bus.
    std::function<void(const domain::CommitNotice&)> on_grew = {};
  };

  PostgresDatabase(DatabaseOptions options, Poster poster, telemetry::Metrics& metrics, Hooks hooks,
                   domain::GrantProvider* provider = nullptr);
  ~PostgresDatabase() override;

  void start();
  /// Refuses new jobs, lets running transactions end, answers queued jobs with kUnavailable, joins the threads.
  void stop();
  /// Whether the database answers and its schema fits this binary. Any thread.
  struct Health {
    bool ready = false;
    std::string reason;    ///< a line that everybody may read
    std::string detail{};  ///< what the driver said, if it did: for the operator's eyes, without the password

    std::string whole() const { return detail.empty() ? reason : reason + ": " + detail; }
  };
  Health health() const;

  /// The same threads and queues for another I/O thread: what is asked there is answered by its own poster, and what a
  /// job had bound is destroyed there. It hears of every commit and of restored databases on that thread, too. All
  /// ports are made before `start`; the database outlives them.
  struct PortHooks {
    domain::CommitListener on_commit;
    std::function<void()> on_restored;
  };
  std::unique_ptr<domain::Database> port(Poster poster, PortHooks hooks);

  void submit(domain::JobMode mode, domain::JobOptions options, Body body, Done done) override;
  void create_message(domain::CreateMessage command, domain::JobOptions options, MessageDone done) override;

 private:
  class Impl;
  class Port;
  std::unique_ptr<Impl> impl_;
};

/// LISTEN/NOTIFY as "grew", coalesced, on a connection of its own with `synchronous_commit = off`.
std::unique_ptr<domain::Bus> make_postgres_bus(const DatabaseOptions& options, Poster poster,
                                               telemetry::Metrics& metrics);
/// One process: hears only itself.
std::unique_ptr<domain::Bus> make_local_bus();

struct DatabaseIdentity {
  std::string name;     ///< no other database has it
  std::string bus_key;  ///< secret: whoever has it may read this database
};
/// Keeps deployments apart that share a message server. Connects for itself; blocks for seconds at most. kUnavailable
/// while the database is away.
core::Result<DatabaseIdentity> database_identity(const DatabaseOptions& options);

/// Announces this node on its database for as long as it lives, by a session lock. A node whose bus hears only itself
/// (`local`) must not serve beside others: `conflict` then says why, as a line for an operator; empty while there is
/// none. Own thread and connection. Any thread may ask.
class NodePresence {
 public:
  NodePresence(const DatabaseOptions& options, bool local, telemetry::Metrics& metrics);
  ~NodePresence();
  void start();
  void stop();
  std::string conflict() const;
  /// Other live nodes, draining ones included, as of a second ago; as last known while the database is away.
  int others() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// One numbered step of the schema, compiled in from migrations/.
struct Migration {
  int version;
  std::string name;
  std::string sql;
};
const std::vector<Migration>& migrations();

/// Applies what is missing under an advisory lock, one transaction each; `progress` hears a line per step. kConflict
/// when the database is newer than this binary, kUnavailable when it cannot be reached.
core::Result<int> migrate(const std::string& url, const std::function<void(const std::string&)>& progress);

/// Housekeeping of one pass: event partitions made ahead and dropped behind retention, journal, tickets, idempotency
/// keys. Runs on the database's own timer thread; exposed for tests.
void housekeep(const DatabaseOptions& options);

}  // namespace belfry::storage
