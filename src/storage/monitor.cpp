#include "storage/monitor.hpp"

#include <fmt/core.h>

#include "belfry/telemetry/log.hpp"
#include "storage/conninfo.hpp"

namespace belfry::storage {
namespace {

using Health = PostgresDatabase::Health;

constexpr std::chrono::milliseconds kLookEvery{1000};
constexpr std::chrono::milliseconds kLeastBetween{50};
constexpr std::chrono::milliseconds kLateEvery{50};

constexpr Statement kSchema{"monitor_schema", R"sql(
  SELECT pg_is_in_recovery(), to_regclass('schema_migrations') IS NOT NULL
)sql"};
constexpr Statement kVersion{"monitor_version", R"sql(
  SELECT COALESCE(max(version), 0), COALESCE(max(oldest_binary), 0) FROM schema_migrations
)sql"};

}  // namespace

Health judge_schema(const std::optional<SchemaVersion>& found, int known) {
  if (!found || found->version == 0) return {false, "the database has no schema: run `belfry migrate`"};
  if (found->version < known) {
    return {false, fmt::format("the database is at schema version {}, this binary needs {}: run `belfry migrate`",
                               found->version, known)};
  }
  if (found->oldest_binary > known) {
    return {false,
            fmt::format("the database is at schema version {} and asks for a binary that knows version {}; this one "
                        "knows {}: install a newer belfry",
                        found->version, found->oldest_binary, known)};
  }
  return {true, ""};
}

Monitor::Monitor(Engine& engine)
    : engine_(engine), link_(engine.options.url, engine.conninfo("belfry-monitor", false), engine.metrics) {}

void Monitor::start() {
  thread_ = std::thread([this] { run(); });
  clerk_ = std::thread([this] { refuse_late(); });
}

void Monitor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    health_ = {false, "shutting down"};
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (clerk_.joinable()) clerk_.join();
}

void Monitor::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

Health Monitor::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void Monitor::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    woken_ = false;
    lock.unlock();
    auto found = look();
    conclude(std::move(found));
    lock.lock();
    changed_.wait_for(lock, kLeastBetween, [this] { return stopping_; });
    changed_.wait_for(lock, kLookEvery - kLeastBetween, [this] { return stopping_ || woken_; });
  }
}

void Monitor::refuse_late() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kLateEvery, [this] { return stopping_; })) {
    lock.unlock();
    engine_.refuse_late();
    engine_.wake_resting();
    lock.lock();
  }
}

Health Monitor::look() {
  try {
    link_.retry_now();
    auto& connection = link_.get();
    const Watchdog::Watch watch(engine_.watchdog, connection.raw().sock(),
                                std::chrono::steady_clock::now() + engine_.options.statement_timeout + kWatchdogMargin);
    pqxx::nontransaction transaction(connection.raw());
    Session session(connection, transaction);
    const auto state = session.run(kSchema);
    if (state.front()[0].as<bool>()) {
      return {false, "the database is a standby and takes no writes: point the database URL at the primary"};
    }
    std::optional<SchemaVersion> version;
    if (state.front()[1].as<bool>()) {
      const auto row = session.run(kVersion).front();
      version = SchemaVersion{row[0].as<int>(), row[1].as<int>()};
    }
    auto health = judge_schema(version, migrations().back().version);
    engine_.schema = health.ready ? SchemaState::kFits : SchemaState::kUnfit;
    return health;
  } catch (const Unreachable& e) {
    return {false, "the database cannot be reached", e.what()};
  } catch (const std::exception& e) {
    link_.drop();
    return {false, "the database does not answer", without_password(e.what(), engine_.options.url)};
  }
}

void Monitor::conclude(Health found) {
  bool changed = false;
  if (found.ready) {
    ++engine_.seen_alive;  // first: who reads that the node is ready must find the threads willing
    engine_.connections_changed.tell();
  }
  {
    const std::lock_guard lock(mutex_);
    changed = !stopping_ && (found.ready != health_.ready || found.whole() != health_.whole());
    if (!stopping_) health_ = found;
  }
  if (!found.ready) {
    away_ = true;
    if (changed) telemetry::warn("database_not_ready", {{"reason", found.whole()}});
    return;
  }
  if (changed) telemetry::info("database_ready");
  const bool lost = engine_.was_lost.exchange(false);
  if (away_ || lost) {
    engine_.sightings.forget();
    engine_.restored();
  }
  away_ = false;
}

}  // namespace belfry::storage
