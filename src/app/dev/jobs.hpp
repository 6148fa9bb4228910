#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "belfry/domain/database.hpp"
#include "belfry/runtime/loop.hpp"
#include "belfry/storage/postgres.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::app::dev {

/// Runs domain jobs one after another and waits for each: a database with a loop on a thread of its own. A refused job
/// throws JobFailed.
class Jobs {
 public:
  struct JobFailed : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  explicit Jobs(const std::string& database_url);
  ~Jobs();

  template <class T>
  T run(domain::JobMode mode, const domain::Actor& caller, std::function<core::Result<T>(domain::UnitOfWork&)> body) {
    auto promise = std::make_shared<std::promise<core::Result<T>>>();
    auto future = promise->get_future();
    database_.run<T>(mode, options(caller), std::move(body),
                     [promise](core::Result<T> result) { promise->set_value(std::move(result)); });
    return wait(future);
  }
  template <class T>
  T write(const domain::Actor& caller, std::function<core::Result<T>(domain::UnitOfWork&)> body) {
    return run<T>(domain::JobMode::kWrite, caller, std::move(body));
  }
  void write_nothing(const domain::Actor& caller, std::function<core::Result<void>(domain::UnitOfWork&)> body);
  domain::CreatedMessage create_message(domain::CreateMessage command);

 private:
  static constexpr std::chrono::seconds kDeadline{20};

  static domain::JobOptions options(const domain::Actor& caller) {
    return {.name = "dev.seed", .callers = {caller}, .deadline = kDeadline};
  }
  template <class T>
  static T wait(std::future<core::Result<T>>& future) {
    if (future.wait_for(2 * kDeadline) != std::future_status::ready)
      throw JobFailed("the database did not answer in time");
    auto result = future.get();
    if (!result) throw JobFailed(explain(result.error()));
    return std::move(*result);
  }
  static std::string explain(const core::Error& error);
  void wait_until_ready();

  telemetry::Metrics metrics_;
  runtime::Loop loop_;
  storage::PostgresDatabase database_;
  std::thread thread_;
};

}  // namespace belfry::app::dev
