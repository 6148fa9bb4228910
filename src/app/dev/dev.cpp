#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>
#include <boost/asio/signal_set.hpp>

#include "app/commands.hpp"
#include "app/dev/cluster.hpp"
#include "app/dev/folder.hpp"
#include "app/dev/seed.hpp"
#include "app/dev/tour.hpp"
#include "app/node.hpp"
#include "belfry/storage/postgres.hpp"
#include "belfry/telemetry/log.hpp"

namespace belfry::app {
namespace {

constexpr std::chrono::seconds kDatabaseDeadline{60};

void say(const std::string& line) {
  std::printf("belfry dev: %s\n", line.c_str());
  std::fflush(stdout);
}

/// A socket in a private folder is all there is to say; what the shell has set for other servers must not join in.
void forget_libpq_variables() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.starts_with("PG")) names.emplace_back(text.substr(0, text.find('=')));
  }
  for (const auto& name : names) ::unsetenv(name.c_str());
}

/// Connects until the cluster answers, then brings the schema up.
std::expected<void, std::string> migrate_when_ready(dev::PrivateCluster& cluster) {
  const auto deadline = std::chrono::steady_clock::now() + kDatabaseDeadline;
  while (true) {
    const auto applied = storage::migrate(cluster.url(), say);
    if (applied) return {};
    const auto& error = applied.error();
    if (error.code != core::ErrorCode::kUnavailable) return std::unexpected(error.message);
    if (!cluster.running())
      return std::unexpected("PostgreSQL did not start; its last lines:\n" + cluster.last_words());
    if (std::chrono::steady_clock::now() > deadline) {
      return std::unexpected(error.message + "; PostgreSQL's last lines:\n" + cluster.last_words());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// The demo of this cluster: the one written before, or a new one. Its note lies with the data, so both go together.
std::expected<dev::Demo, std::string> demo_of(const dev::PrivateCluster& cluster) {
  const auto note = cluster.data() / "belfry-demo";
  if (const auto text = config::read_small_file(note.string())) {
    if (const auto demo = dev::decode(*text)) return *demo;
  }
  auto demo = dev::seed(cluster.url(), say);
  if (!demo) return demo;
  if (auto written = dev::write_private_file(note, dev::encode(*demo)); !written)
    return std::unexpected(written.error());
  return demo;
}

int serve_demo(const config::Loaded& loaded, dev::PrivateCluster& cluster, const dev::Demo& demo) {
  configure_logs(loaded.settings);
  log_warnings(loaded);
  Node node(loaded.settings);
  if (const auto started = node.start(); !started) {
    complain(started.error().message);
    return kExitFailed;
  }
  boost::asio::signal_set children(node.loop().context(), SIGCHLD);
  std::function<void()> watch = [&] {
    children.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      if (cluster.running()) return watch();
      telemetry::error("postgres_ended", {{"log", cluster.data().parent_path().string() + "/postgres.log"}});
      node.stop(kExitFailed);
    });
  };
  watch();
  node.when_ready([&] {
    const auto shown = config::to_text(reachable(node.listening()));
    std::fputs(dev::describe_tour(demo, shown, loaded.settings, core::SystemClock{}.now()).c_str(), stdout);
    std::fflush(stdout);
  });
  return node.run();
}

std::expected<int, std::string> run_dev(config::Loaded loaded, const std::string& asked_folder) {
  forget_libpq_variables();
  auto user = dev::server_user();
  if (!user) return std::unexpected(user.error());
  auto folder = dev::DataFolder::take(asked_folder, *user, say);
  if (!folder) return std::unexpected(folder.error());
  auto secret = folder->secret();
  if (!secret) return std::unexpected(secret.error());
  dev::PrivateCluster cluster(folder->path(), *user, say);
  say(fmt::format("starting PostgreSQL on {}", folder->path().string()));
  if (auto started = cluster.start(); !started) return std::unexpected(started.error());
  if (auto migrated = migrate_when_ready(cluster); !migrated) return std::unexpected(migrated.error());
  auto demo = demo_of(cluster);
  if (!demo) return std::unexpected(demo.error());
  loaded.settings.database_url = cluster.url();
  loaded.settings.jwt_secret = std::move(*secret);
  const int code = serve_demo(loaded, cluster, *demo);
  say("stopping PostgreSQL");
  cluster.stop();
  say("stopped");
  return code;
}

}  // namespace

void add_dev(CLI::App& root, Chosen& chosen) {
  auto* command = root.add_subcommand("dev", "Try Belfry: a PostgreSQL of its own, demo data, tokens, and the server");
  auto folder = std::make_shared<std::string>(".belfry");
  command->add_option("--data-dir", *folder, "Where the database and the demo's secret are kept; default: .belfry")
      ->type_name("DIR");
  auto settings = SettingFlags::add(*command);
  settings->prefer("bus", "local");
  settings->prefer("log_format", "text");
  command->callback([&chosen, folder, settings] {
    chosen = [folder, settings] {
      auto loaded = settings->load();
      if (!loaded) return kExitUsage;
      auto code = run_dev(std::move(*loaded), *folder);
      if (code) return *code;
      complain(code.error());
      return kExitFailed;
    };
  });
}

}  // namespace belfry::app
