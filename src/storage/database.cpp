#include "belfry/storage/postgres.hpp"

#include <algorithm>
#include <chrono>

#include "belfry/telemetry/log.hpp"
#include "storage/batcher.hpp"
#include "storage/engine.hpp"
#include "storage/housekeeper.hpp"
#include "storage/job_thread.hpp"
#include "storage/monitor.hpp"
#include "storage/short_slice.hpp"

namespace belfry::storage {

namespace {

/// Before a thread that failed begins anew.
constexpr std::chrono::milliseconds kThreadPause{1000};

}  // namespace

class PostgresDatabase::Impl {
 public:
  Impl(DatabaseOptions options, Poster poster, telemetry::Metrics& metrics, Hooks hooks,
       domain::GrantProvider* provider)
      : engine_(std::make_shared<Engine>(std::move(options), std::move(poster), metrics, std::move(hooks), provider)),
        monitor_(*engine_),
        housekeeper_(engine_->options, engine_->watchdog) {
    engine_->wake_monitor = [this] { monitor_.wake(); };
    engine_->want_partitions = [this](const auto& days) { housekeeper_.want(days); };
  }
  ~Impl() { stop(); }

  void start() {
    monitor_.start();
    housekeeper_.start();
    threads_.emplace_back([this] { run_thread<Batcher>("messages"); });
    // Hot writes go through the batcher: of the rest, most are reads.
    const int writers = std::max(1, engine_->options.connections * 3 / 8);
    const int readers = std::max(1, engine_->options.connections - writers);
    for (int i = 0; i < readers; ++i)
      threads_.emplace_back([this] { run_thread<JobThread>("reads", domain::JobMode::kRead); });
    for (int i = 0; i < writers; ++i)
      threads_.emplace_back([this] { run_thread<JobThread>("writes", domain::JobMode::kWrite); });
  }

  void stop() {
    if (engine_->stopping.exchange(true)) return;
    engine_->connections_changed.tell();
    refuse_queued(engine_->reads);
    refuse_queued(engine_->writes);
    refuse_queued(engine_->messages);
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    housekeeper_.stop();
    monitor_.stop();
    engine_->refuse_late();  // with `stopping` set: all that the provider still had, and all that rests
    engine_->wake_resting();
  }

  Health health() const { return monitor_.health(); }

  /// Before `start`.
  AskerPtr add_asker(Poster poster, PortHooks hooks) {
    return engine_->askers.emplace_back(
        std::make_shared<Asker>(std::move(poster), std::move(hooks.on_commit), std::move(hooks.on_restored)));
  }
  /// Whoever made the database.
  const AskerPtr& owner() const { return engine_->askers.front(); }

  void submit(const AskerPtr& asker, domain::JobMode mode, const domain::JobOptions& options, Body body, Done done) {
    auto job = std::make_shared<Job>(mode, options, std::move(body));
    job->answer = engine_->answer_once<Done, core::Result<void>>(*job, std::move(done), asker);
    engine_->enqueue(engine_->jobs(mode), job, JobQueue<Job>::Entry::kNew);
  }

  void create_message(const AskerPtr& asker, domain::CreateMessage command, const domain::JobOptions& options,
                      MessageDone done) {
    auto job = std::make_shared<MessageJob>(std::move(command), options);
    job->answer = engine_->answer_once<MessageDone, core::Result<domain::CreatedMessage>>(*job, std::move(done), asker);
    engine_->enqueue(engine_->messages, job, JobQueue<MessageJob>::Entry::kNew);
  }

 private:
  template <class T>
  void refuse_queued(JobQueue<T>& queue) {
    for (const auto& job : queue.close()) {
      engine_->metrics.jobs_queued.sub();
      job->fail(unavailable_error());
    }
  }

  /// Every job's failure is caught at the job; what comes here is a fault of ours. There may be one thread only that
  /// does what this one does, so it begins anew.
  template <class Runner, class... What>
  void run_thread(const char* name, What... what) {
    ask_for_short_slices();
    while (!engine_->stopping) {
      const auto seen = engine_->connections_changed.count();
      try {
        return Runner(*engine_, what...).run();
      } catch (const std::exception& e) {
        telemetry::error("database_thread_failed", {{"thread", name}, {"error", e.what()}});
      }
      engine_->connections_changed.wait(seen, std::chrono::steady_clock::now() + kThreadPause);
    }
  }

  std::shared_ptr<Engine> engine_;
  Monitor monitor_;
  Housekeeper housekeeper_;
  std::vector<std::thread> threads_;
};

/// Any thread may ask here; the answers find their own.
class PostgresDatabase::Port final : public domain::Database {
 public:
  Port(Impl& database, AskerPtr asker) : database_(database), asker_(std::move(asker)) {}

  void submit(domain::JobMode mode, domain::JobOptions options, Body body, Done done) override {
    database_.submit(asker_, mode, options, std::move(body), std::move(done));
  }
  void create_message(domain::CreateMessage command, domain::JobOptions options, MessageDone done) override {
    database_.create_message(asker_, std::move(command), options, std::move(done));
  }

 private:
  Impl& database_;
  AskerPtr asker_;
};

PostgresDatabase::PostgresDatabase(DatabaseOptions options, Poster poster, telemetry::Metrics& metrics, Hooks hooks,
                                   domain::GrantProvider* provider)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(poster), metrics, std::move(hooks), provider)) {}
PostgresDatabase::~PostgresDatabase() = default;

void PostgresDatabase::start() { impl_->start(); }
void PostgresDatabase::stop() { impl_->stop(); }
PostgresDatabase::Health PostgresDatabase::health() const { return impl_->health(); }

void PostgresDatabase::submit(domain::JobMode mode, domain::JobOptions options, Body body, Done done) {
  impl_->submit(impl_->owner(), mode, options, std::move(body), std::move(done));
}

void PostgresDatabase::create_message(domain::CreateMessage command, domain::JobOptions options, MessageDone done) {
  impl_->create_message(impl_->owner(), std::move(command), options, std::move(done));
}

std::unique_ptr<domain::Database> PostgresDatabase::port(Poster poster, PortHooks hooks) {
  return std::make_unique<Port>(*impl_, impl_->add_asker(std::move(poster), std::move(hooks)));
}

}  // namespace belfry::storage
