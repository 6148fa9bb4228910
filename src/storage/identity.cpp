#include <fmt/core.h>

#include "belfry/storage/postgres.hpp"
#include "storage/conninfo.hpp"
#include "storage/session.hpp"
#include "storage/watchdog.hpp"

namespace belfry::storage {
namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr Statement kIdentity{"database_identity", R"sql(
  SELECT (SELECT system_identifier FROM pg_control_system())::text, oid::text, (SELECT encode(key, 'hex') FROM keys WHERE purpose = 'bus')
  FROM pg_database WHERE datname = current_database()
)sql"};

}  // namespace

core::Result<DatabaseIdentity> database_identity(const DatabaseOptions& options) {
  ConnectionSettings settings;
  settings.application_name = "belfry-bus";
  settings.statement_timeout = options.statement_timeout;
  try {
    Watchdog watchdog;
    Connection connection(make_conninfo(options.url, settings));
    const Watchdog::Watch watch(watchdog, connection.raw().sock(), Watchdog::Clock::now() + kPatience);
    pqxx::nontransaction transaction(connection.raw());
    Session session(connection, transaction);
    const auto row = session.run(kIdentity).front();
    return DatabaseIdentity{fmt::format("{}-{}", row[0].as<std::string>(), row[1].as<std::string>()),
                            row[2].as<std::string>()};
  } catch (const std::exception& e) {
    return core::fail(core::Error::unavailable(without_password(e.what(), options.url)));
  }
}

}  // namespace belfry::storage
