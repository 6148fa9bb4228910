#include <csignal>
#include <cstdio>
#include <exception>

#include "app/commands.hpp"
#include "belfry/telemetry/log.hpp"

namespace {

int run(int argc, char** argv) {
  using namespace belfry::app;
  CLI::App root("Belfry: channels and discussions over REST and WebSocket rooms, on one PostgreSQL log.", "belfry");
  root.require_subcommand(0, 1);  // with a minimum of one, a misspelt name would not be named
  root.set_version_flag("--version", "belfry " BELFRY_VERSION);
  Chosen chosen;
  add_serve(root, chosen);
  add_dev(root, chosen);
  add_migrate(root, chosen);
  add_token(root, chosen);
  add_health(root, chosen);
  add_check_config(root, chosen);
  add_docs(root, chosen);
  add_verify(root, chosen);
  add_version(root, chosen);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return root.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (!chosen) {
    complain("a subcommand is required; see --help");
    return kExitUsage;
  }
  return chosen();
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  int code = belfry::app::kExitFailed;
  try {
    code = run(argc, argv);
  } catch (const std::exception& error) {
    belfry::app::complain(error.what());
  }
  belfry::telemetry::shutdown_logging();
  if (std::fflush(stdout) != 0 && code == 0) code = belfry::app::kExitFailed;
  return code;
}
