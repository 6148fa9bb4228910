#include "storage/housekeeper.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include "belfry/core/uuid.hpp"
#include "belfry/telemetry/log.hpp"
#include "storage/conninfo.hpp"
#include "storage/failure.hpp"

namespace belfry::storage {
namespace {

using Days = std::chrono::sys_days;
using std::chrono::days;

constexpr days kAhead{14};
constexpr days kDropMargin{1};
constexpr std::chrono::seconds kEvery{60};
constexpr std::chrono::seconds kAgain{5};
constexpr std::chrono::seconds kStatementTimeout{30};
/// Days that may wait to be made; whoever needs another one asks again.
constexpr std::size_t kMostWanted = 64;
constexpr int kRowsPerDelete = 5000;
constexpr int kDeletesPerPass = 200;

constexpr const char* kHasSchema = "SELECT to_regclass('events') IS NOT NULL";
// One node at a time: two would wait for each other's locks on the partitioned table.
constexpr const char* kLock = "SELECT pg_advisory_lock(hashtext('belfry housekeeping'))";
constexpr const char* kUnlock = "SELECT pg_advisory_unlock(hashtext('belfry housekeeping'))";

// xid order is nearly time order, so a pass that finds little to delete reads little.
constexpr const char* kDeleteJournal =
    "DELETE FROM commit_journal WHERE xid IN (SELECT xid FROM commit_journal "
    "WHERE written_at < clock_timestamp() - interval '10 minutes' ORDER BY xid LIMIT {})";
constexpr const char* kDeleteTickets =
    "DELETE FROM ws_tickets WHERE secret_hash IN (SELECT secret_hash FROM ws_tickets "
    "WHERE expires_at < clock_timestamp() LIMIT {})";
constexpr const char* kDeleteKeys =
    "DELETE FROM idempotency_keys WHERE (caller, path, key) IN (SELECT caller, path, key FROM idempotency_keys "
    "WHERE created_at < clock_timestamp() - interval '24 hours' LIMIT {})";

constexpr const char* kPartitions =
    "SELECT c.relname, i.inhrelid IS NOT NULL, COALESCE(i.inhdetachpending, false) FROM pg_class c "
    "LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'events'::regclass "
    "WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'events'::regclass) "
    "AND c.relkind = 'r' AND c.relname ~ '^events_[0-9]{8}$' ORDER BY c.relname";

std::string partition_name(Days day) {
  return fmt::format("events_{:%Y%m%d}", fmt::gmtime(Days::clock::to_time_t(day)));
}

core::Uuid floor_of(Days day) {
  return core::Uuid::v7_floor(std::chrono::time_point_cast<std::chrono::milliseconds>(day));
}

/// The day that a partition's name tells.
Days day_of(const std::string& name) {
  const int number = std::stoi(name.substr(name.size() - 8));
  return Days{std::chrono::year{number / 10000} / (number / 100 % 100) / (number % 100)};
}

core::TimePoint database_now(pqxx::nontransaction& transaction) {
  const auto rows = transaction.exec("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
  return core::TimePoint(std::chrono::milliseconds(rows.at(0).at(0).as<std::int64_t>()));
}

enum class State { kAttached, kDetaching, kDetached };

/// Of a row of kPartitions.
State state_of(const pqxx::row& row) {
  if (row[2].as<bool>()) return State::kDetaching;
  return row[1].as<bool>() ? State::kAttached : State::kDetached;
}

void finish_detaching(pqxx::nontransaction& transaction, const std::string& name, State state) {
  if (state == State::kDetaching) {
    transaction.exec(fmt::format("ALTER TABLE events DETACH PARTITION {} FINALIZE", name));
  }
}

/// Makes one partition beside the table and attaches it: readers and writers go on, while CREATE … PARTITION OF would
/// shut them out.
void make_partition(pqxx::nontransaction& transaction, Days day, bool made) {
  const auto name = partition_name(day);
  transaction.exec("BEGIN");
  try {
    if (!made) transaction.exec(fmt::format("CREATE TABLE {} (LIKE events INCLUDING ALL)", name));
    transaction.exec(fmt::format("ALTER TABLE events ATTACH PARTITION {} FOR VALUES FROM ('{}') TO ('{}')", name,
                                 floor_of(day).text(), floor_of(day + days{1}).text()));
    transaction.exec("COMMIT");
  } catch (...) {
    if (transaction.conn().is_open()) transaction.exec("ROLLBACK");
    throw;
  }
}

void make_missing(pqxx::nontransaction& transaction, std::set<Days> wanted) {
  const auto today = std::chrono::floor<days>(database_now(transaction));
  for (auto day = today - days{1}; day <= today + kAhead; day += days{1}) wanted.insert(day);
  std::map<std::string, State> there;
  for (const auto& row : transaction.exec(kPartitions)) there.emplace(row[0].as<std::string>(), state_of(row));
  for (const auto day : wanted) {
    const auto name = partition_name(day);
    const auto found = there.find(name);
    if (found == there.end()) {
      make_partition(transaction, day, false);
    } else if (found->second != State::kAttached) {
      // On its way out when the clock was set back: its day is needed again.
      finish_detaching(transaction, name, found->second);
      make_partition(transaction, day, true);
    }
  }
}

/// Every record of a dropped partition is a day at least behind the cut.
void drop_old(pqxx::nontransaction& transaction, std::chrono::seconds retention) {
  const auto cut = database_now(transaction) - retention - kDropMargin;
  for (const auto& row : transaction.exec(kPartitions)) {
    const auto name = row[0].as<std::string>();
    if (day_of(name) + days{1} > cut) break;
    // A pass that was cut off left its work half done: waiting to be detached, or detached and not dropped.
    finish_detaching(transaction, name, state_of(row));
    if (state_of(row) == State::kAttached) {
      transaction.exec(fmt::format("ALTER TABLE events DETACH PARTITION {} CONCURRENTLY", name));
    }
    transaction.exec(fmt::format("DROP TABLE {}", name));
    telemetry::info("events_dropped", {{"partition", name}});
  }
}

void delete_batches(pqxx::nontransaction& transaction, const char* statement) {
  for (int i = 0; i < kDeletesPerPass; ++i) {
    const auto deleted = transaction.exec(fmt::format(fmt::runtime(statement), kRowsPerDelete));
    if (deleted.affected_rows() < static_cast<pqxx::result::size_type>(kRowsPerDelete)) return;
  }
}

void housekeep(const DatabaseOptions& options, Watchdog& watchdog, const std::set<Days>& wanted) {
  ConnectionSettings settings;
  settings.application_name = "belfry-housekeeping";
  // Detaching waits for readers of the old partition, who end by their own limits.
  settings.lock_timeout = std::chrono::seconds{10};
  settings.statement_timeout = kStatementTimeout;
  Connection connection(make_conninfo(options.url, settings));
  const auto step = [&](auto work) {
    const Watchdog::Watch watch(watchdog, connection.raw().sock(), Watchdog::Clock::now() + 2 * kStatementTimeout);
    work();
  };
  pqxx::nontransaction transaction(connection.raw());
  bool has_schema = false;
  step([&] { has_schema = transaction.exec(kHasSchema).at(0).at(0).as<bool>(); });
  if (!has_schema) return;                 // the health check says so; there is nothing to keep yet
  step([&] { transaction.exec(kLock); });  // given back when the connection closes, whatever happens below
  step([&] { make_missing(transaction, wanted); });
  step([&] { drop_old(transaction, options.event_retention); });
  for (const auto* statement : {kDeleteJournal, kDeleteTickets, kDeleteKeys}) {
    step([&] { delete_batches(transaction, statement); });
  }
}

}  // namespace

void make_partitions(Connection& connection) {
  pqxx::nontransaction transaction(connection.raw());
  transaction.exec(kLock);
  make_missing(transaction, {});
  transaction.exec(kUnlock);
}

void housekeep(const DatabaseOptions& options) {
  Watchdog watchdog;
  housekeep(options, watchdog, {});
}

void Housekeeper::start() {
  thread_ = std::thread([this] { run(); });
}

void Housekeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::want(const std::set<Days>& days) {
  {
    const std::lock_guard lock(mutex_);
    if (wanted_.size() < kMostWanted) wanted_.insert(days.begin(), days.end());
  }
  changed_.notify_all();
}

void Housekeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    auto wanted = std::exchange(wanted_, {});
    lock.unlock();
    bool done = false;
    try {
      housekeep(options_, watchdog_, wanted);
      done = true;
    } catch (const std::exception& e) {
      telemetry::warn("housekeeping_failed", {{"error", without_password(e.what(), options_.url)}});
    }
    lock.lock();
    if (done) {
      changed_.wait_for(lock, kEvery, [this] { return stopping_ || !wanted_.empty(); });
    } else {
      wanted_.merge(wanted);
      changed_.wait_for(lock, kAgain, [this] { return stopping_; });
    }
  }
}

}  // namespace belfry::storage
