#include "app/dev/jobs.hpp"

namespace belfry::app::dev {
namespace {

storage::DatabaseOptions one_connection(const std::string& url) {
  storage::DatabaseOptions options;
  options.url = url;
  options.connections = 1;
  return options;
}

}  // namespace

Jobs::Jobs(const std::string& database_url)
    : database_(one_connection(database_url),
                [this](std::move_only_function<void()> task) { loop_.post(std::move(task)); }, metrics_,
                {.on_commit = [](std::shared_ptr<const domain::CommitNotice>) {},
                 .on_restored = [] {},
                 .on_grew = [](const domain::CommitNotice&) {}}),
      thread_([this] { loop_.run([](std::exception_ptr) {}); }) {
  database_.start();
  try {
    wait_until_ready();
  } catch (...) {
    // A constructor that throws runs no destructor of its own.
    database_.stop();
    loop_.stop();
    thread_.join();
    throw;
  }
}

Jobs::~Jobs() {
  database_.stop();
  loop_.stop();
  thread_.join();
}

void Jobs::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  auto health = database_.health();
  while (!health.ready) {
    if (std::chrono::steady_clock::now() > deadline) throw JobFailed(health.whole());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    health = database_.health();
  }
}

void Jobs::write_nothing(const domain::Actor& caller, std::function<core::Result<void>(domain::UnitOfWork&)> body) {
  auto promise = std::make_shared<std::promise<core::Result<void>>>();
  auto future = promise->get_future();
  database_.submit(domain::JobMode::kWrite, options(caller), std::move(body),
                   [promise](core::Result<void> result) { promise->set_value(std::move(result)); });
  // Waits without end: `done` comes exactly once, by the deadline of the job.
  if (const auto result = future.get(); !result) throw JobFailed(explain(result.error()));
}

domain::CreatedMessage Jobs::create_message(domain::CreateMessage command) {
  auto promise = std::make_shared<std::promise<core::Result<domain::CreatedMessage>>>();
  auto future = promise->get_future();
  auto job = options(command.actor);
  database_.create_message(std::move(command), std::move(job), [promise](core::Result<domain::CreatedMessage> result) {
    promise->set_value(std::move(result));
  });
  return wait(future);
}

std::string Jobs::explain(const core::Error& error) {
  std::string text = error.message;
  for (const auto& detail : error.details) text += " (" + detail.field + ": " + detail.issue + ")";
  return text;
}

}  // namespace belfry::app::dev
