#include <map>

#include <fmt/core.h>

#include "belfry/storage/postgres.hpp"
#include "storage/conninfo.hpp"
#include "storage/housekeeper.hpp"
#include "storage/session.hpp"
#include "storage/values.hpp"

namespace belfry::storage {
namespace {

// Steps by hand (concurrent indexes apart) can take long; only waiting for others is bounded.
constexpr std::chrono::milliseconds kLockTimeout{30000};
constexpr std::chrono::milliseconds kStatementTimeout{0};

constexpr const char* kBook =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
    "checksum text NOT NULL, oldest_binary integer NOT NULL, "
    "applied_at timestamptz(3) NOT NULL DEFAULT clock_timestamp())";
constexpr Statement kApplied{"migrate_applied", R"sql(
  SELECT m.version, m.name, m.checksum, m.oldest_binary FROM schema_migrations m ORDER BY m.version
)sql"};
constexpr Statement kChecksum{"migrate_checksum", "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')"};
constexpr Statement kRecord{"migrate_record", R"sql(
  INSERT INTO schema_migrations (version, name, checksum, oldest_binary)
  VALUES ($1::integer, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'), $4::integer)
)sql"};

/// `-- oldest-binary: N` in a migration: a binary must know schema version N at least to run after it. A step that says
/// nothing is for binaries that know it.
int oldest_binary(const Migration& migration) {
  constexpr std::string_view kMark = "-- oldest-binary:";
  const auto at = migration.sql.find(kMark);
  if (at == std::string::npos) return migration.version;
  return std::stoi(migration.sql.substr(at + kMark.size()));
}

core::Error refused(std::string message) { return core::Error::conflict(core::Reason::kNone, std::move(message)); }

/// What is in the way of migrating: a newer database, or steps that were changed after they were applied.
core::Result<std::map<int, std::string>> read_applied(Session& session, const std::vector<Migration>& known) {
  std::map<int, std::string> applied;
  int oldest = 0;
  for (const auto& row : session.run(kApplied)) {
    applied.emplace(row[0].as<int>(), row[2].as<std::string>());
    oldest = std::max(oldest, row[3].as<int>());
  }
  if (!applied.empty() && applied.rbegin()->first > known.back().version) {
    return core::fail(
        refused(fmt::format("The database is at schema version {}, newer than this binary, which knows {}. Use the "
                            "newer belfry to migrate.",
                            applied.rbegin()->first, known.back().version)));
  }
  for (const auto& migration : known) {
    const auto found = applied.find(migration.version);
    if (found == applied.end()) continue;
    const auto checksum = session.run(kChecksum, migration.sql).front()[0].as<std::string>();
    if (checksum != found->second) {
      return core::fail(
          refused(fmt::format("Migration {} ({}) was applied with another text than this binary has. The database was "
                              "made by another build.",
                              migration.version, migration.name)));
    }
  }
  return applied;
}

void apply(Connection& connection, pqxx::nontransaction& transaction, const Migration& migration) {
  transaction.exec("BEGIN");
  try {
    transaction.exec(migration.sql);
    Session(connection, transaction)
        .run(kRecord, to_sql(migration.version), migration.name, migration.sql, to_sql(oldest_binary(migration)));
    transaction.exec("COMMIT");
  } catch (...) {
    if (transaction.conn().is_open()) transaction.exec("ROLLBACK");
    throw;
  }
}

core::Result<int> apply_missing(Connection& connection, const std::function<void(const std::string&)>& progress) {
  const auto& known = migrations();
  pqxx::nontransaction transaction(connection.raw());
  Session session(connection, transaction);
  transaction.exec("SELECT pg_advisory_lock(hashtext('belfry migrate'))");
  transaction.exec(kBook);
  const auto applied = read_applied(session, known);
  if (!applied) return core::fail(applied.error());
  int count = 0;
  for (const auto& migration : known) {
    if (applied->contains(migration.version)) continue;
    if (progress) progress(fmt::format("applying {:04} {}", migration.version, migration.name));
    try {
      apply(connection, transaction, migration);
    } catch (const pqxx::sql_error& e) {
      auto error = core::Error::internal();
      error.message =
          fmt::format("Migration {} ({}) failed and was rolled back: {}", migration.version, migration.name, e.what());
      return core::fail(std::move(error));
    }
    ++count;
  }
  transaction.exec("SELECT pg_advisory_unlock(hashtext('belfry migrate'))");
  if (progress) progress(fmt::format("schema is at version {}, {} applied now", known.back().version, count));
  return count;
}

}  // namespace

core::Result<int> migrate(const std::string& url, const std::function<void(const std::string&)>& progress) {
  ConnectionSettings settings;
  settings.application_name = "belfry-migrate";
  settings.lock_timeout = kLockTimeout;
  settings.statement_timeout = kStatementTimeout;
  try {
    Connection connection(make_conninfo(url, settings));
    auto count = apply_missing(connection, progress);
    if (count) make_partitions(connection);
    return count;
  } catch (const pqxx::failure& e) {
    return core::fail(core::Error::unavailable(
        fmt::format("The database cannot be migrated now: {}", without_password(e.what(), url))));
  }
}

}  // namespace belfry::storage
