#pragma once

#include <functional>
#include <memory>
#include <string>

#include "belfry/config/settings.hpp"
#include "belfry/core/result.hpp"
#include "belfry/http/service.hpp"
#include "belfry/runtime/loop.hpp"
#include "belfry/storage/postgres.hpp"

namespace belfry::app {

/// The settings of the database room.
storage::DatabaseOptions database_options(const config::Settings& settings);

/// One server process: owns every room's objects and fixes the order in which they start and stop. Made and run on one
/// thread, which becomes the I/O thread. SIGINT and SIGTERM end it in order; a second one ends the process at once.
class Node {
 public:
  explicit Node(const config::Settings& settings);
  ~Node();

  /// Binds the addresses, then begins to reach for the database: being without one is no failure. An Error is a line
  /// for the operator.
  core::Result<void> start();
  /// `ready` runs on the I/O thread once the node can serve. Set before `run`.
  void when_ready(std::function<void()> ready);
  /// The address that was bound, with its real port.
  const config::Endpoint& listening() const;
  /// Serves until told to stop; everything is stopped when it returns. The exit code.
  int run();
  /// Begins the orderly stop; `run` returns `exit_code`. I/O thread only; a second call changes nothing.
  void stop(int exit_code);
  /// For a command that has to watch something of its own while the node runs.
  runtime::Loop& loop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belfry::app
