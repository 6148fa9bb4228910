#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/node.hpp"

namespace belfry::app {
namespace {

constexpr std::chrono::seconds kConnectDeadline{5};

/// Waits until the database is ready or the deadline has passed; the state tells which.
storage::PostgresDatabase::Health ask_database(const config::Settings& settings) {
  telemetry::Metrics metrics;
  auto options = database_options(settings);
  options.connections = 1;
  storage::PostgresDatabase database(options, [](std::move_only_function<void()>) {}, metrics, {});
  database.start();
  const auto deadline = std::chrono::steady_clock::now() + kConnectDeadline;
  auto health = database.health();
  while (!health.ready && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    health = database.health();
  }
  database.stop();
  return health;
}

int print_settings(const config::Loaded& loaded, bool connect) {
  std::size_t name_width = 0;
  std::size_t value_width = 0;
  for (const auto& row : loaded.effective) {
    name_width = std::max(name_width, row.name.size());
    value_width = std::max(value_width, std::min<std::size_t>(row.value.size(), 40));
  }
  for (const auto& row : loaded.effective) {
    std::puts(fmt::format("{:<{}}  {:<{}}  {}", row.name, name_width, row.value, value_width, row.source).c_str());
  }
  for (const auto& warning : loaded.warnings) complain("warning: " + warning);
  if (!loaded.settings.jwt_secret && !loaded.settings.jwt_jwks) {
    complain("warning: neither jwt_secret nor jwt_jwks is set; serve will not start without one");
  }
  if (!connect) return 0;
  const auto health = ask_database(loaded.settings);
  std::puts(health.ready ? "database: ready"
                         : fmt::format("database: not ready: {}", one_line(health.whole())).c_str());
  return health.ready ? 0 : kExitFailed;
}

}  // namespace

void add_check_config(CLI::App& root, Chosen& chosen) {
  auto* command = root.add_subcommand("check-config", "Print the settings that take effect and where each comes from");
  auto settings = SettingFlags::add(*command);
  auto connect = std::make_shared<bool>(false);
  command->add_flag("--connect", *connect, "Also ask whether the database is reachable and its schema fits");
  command->callback([&chosen, settings, connect] {
    chosen = [settings, connect] {
      const auto loaded = settings->load();
      return loaded ? print_settings(*loaded, *connect) : kExitUsage;
    };
  });
}

}  // namespace belfry::app
