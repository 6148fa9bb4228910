#include "app/commands.hpp"
#include "app/node.hpp"
#include "belfry/telemetry/log.hpp"

namespace belfry::app {
namespace {

int serve(const config::Loaded& loaded) {
  const auto& settings = loaded.settings;
  if (!settings.jwt_secret && !settings.jwt_jwks) {
    complain(
        "neither jwt_secret nor jwt_jwks is set: no token could be verified. Set BELFRY_JWT_JWKS, BELFRY_JWT_SECRET or "
        "BELFRY_JWT_SECRET_FILE (at least "
        "32 bytes)");
    return kExitUsage;
  }
  configure_logs(settings);
  log_warnings(loaded);
  telemetry::info("starting", {{"version", BELFRY_VERSION}});
  Node node(settings);
  if (const auto started = node.start(); !started) {
    telemetry::error("cannot_start", {{"reason", started.error().message}});
    return kExitFailed;
  }
  return node.run();
}

}  // namespace

void add_serve(CLI::App& root, Chosen& chosen) {
  auto* command =
      root.add_subcommand("serve", "Serve the API and the rooms. Never changes the schema: see belfry migrate");
  auto settings = SettingFlags::add(*command);
  command->callback([&chosen, settings] {
    chosen = [settings] {
      const auto loaded = settings->load();
      return loaded ? serve(*loaded) : kExitUsage;
    };
  });
}

}  // namespace belfry::app
