#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "belfry/storage/postgres.hpp"
#include "storage/held_rooms.hpp"
#include "storage/job_queue.hpp"
#include "storage/link.hpp"
#include "storage/pending.hpp"
#include "storage/sightings.hpp"
#include "storage/signal.hpp"
#include "storage/watchdog.hpp"

namespace belfry::storage {

/// What the health check found of the schema; jobs are refused only when it is known not to fit.
enum class SchemaState { kUnknown, kFits, kUnfit };

/// An I/O thread that asks the database, and what it wants to hear.
struct Asker {
  Poster poster;
  domain::CommitListener on_commit;
  std::function<void()> on_restored;
};
using AskerPtr = std::shared_ptr<const Asker>;

/// What the database threads share. Outlives them; callbacks of the provider hold it weakly.
struct Engine : std::enable_shared_from_this<Engine> {
  Engine(DatabaseOptions asked, Poster post, telemetry::Metrics& counts, PostgresDatabase::Hooks hook,
         domain::GrantProvider* grants);

  /// Wraps a callback so that it runs once, on the I/O thread that asks; counts the job as ended.
  template <class Done, class Outcome>
  std::function<void(Outcome)> answer_once(Pending& pending, Done done, AskerPtr asker);

  /// Counts it as waiting; what the queue does not take is refused.
  template <class T>
  void enqueue(JobQueue<T>& queue, const std::shared_ptr<T>& job, typename JobQueue<T>::Entry entry);

  /// Tells listeners and bus what a transaction added that has just committed; null: nothing.
  void committed(const std::shared_ptr<domain::CommitNotice>& notice);
  /// Tells the listeners that the database was away.
  void restored();
  /// Asks the provider and calls `resume` on the provider's thread once `pending.answers` has more; else answers the
  /// pending with a failure.
  void ask_grants(std::shared_ptr<Pending> pending, std::vector<domain::GrantQuestion> questions,
                  std::function<void()> resume);
  /// Its deadline passed: says so in the log, and answers.
  static void out_of_time(Pending& pending);
  /// Answers what is past its deadline and in no thread's hands.
  void refuse_late();
  /// Puts a job aside that somebody's lock holds up: its thread is needed by others. It comes back by `wake_resting`.
  void rest(std::shared_ptr<Job> job, std::chrono::milliseconds pause);
  void wake_resting();
  /// A connection broke: the health check shall look now, and tell that the database was away.
  void lost();

  const domain::GrantProvider::Answers* external(const domain::GrantProvider::Answers& answers) const {
    return provider == nullptr ? nullptr : &answers;
  }
  JobQueue<Job>& jobs(domain::JobMode mode) { return mode == domain::JobMode::kWrite ? writes : reads; }
  std::string conninfo(std::string_view application, bool primary_only = true) const;

  DatabaseOptions options;
  Poster poster;  ///< to the provider's thread
  telemetry::Metrics& metrics;
  std::vector<AskerPtr> askers;  ///< complete before the threads start
  std::function<void(const domain::CommitNotice&)> on_grew;
  domain::GrantProvider* provider;
  Sightings sightings;
  Watchdog watchdog;
  /// Reads and writes wait and run apart: writes that are held up by one room's lock must not hold up pages, joins and
  /// sweeps.
  JobQueue<Job> reads;
  JobQueue<Job> writes;
  JobQueue<MessageJob> messages;
  std::atomic<bool> stopping{false};
  std::atomic<SchemaState> schema{SchemaState::kUnknown};
  std::atomic<bool> was_lost{false};
  std::atomic<std::uint32_t> seen_alive{0};  ///< grows whenever the health check found the database well
  /// Told when a thread finds or loses its connection, when `seen_alive` grows, and when all ends.
  Signal connections_changed;
  HeldRooms held_rooms;
  /// Threads that have a connection, of those that run reads and of those that run writes.
  std::atomic<int>& connected(domain::JobMode mode) {
    return mode == domain::JobMode::kRead ? connected_readers_ : connected_writers_;
  }
  std::function<void()> wake_monitor;  ///< set before the threads start, as the next
  std::function<void(const std::set<std::chrono::sys_days>&)> want_partitions;

  std::mutex asking_mutex;
  std::set<std::shared_ptr<Pending>> asking;  ///< waiting for the provider

 private:
  std::atomic<int> connected_readers_{0};
  std::atomic<int> connected_writers_{0};
  std::mutex resting_mutex_;
  std::vector<std::pair<SteadyTime, std::shared_ptr<Job>>> resting_;  ///< with the time to come back
};

template <class Done, class Outcome>
std::function<void(Outcome)> Engine::answer_once(Pending& pending, Done done, AskerPtr asker) {
  // shared_ptr: std::function wants something that can be copied, `done` can only be moved.
  auto slot = std::make_shared<Done>(std::move(done));
  return [this, self = weak_from_this(), &pending, slot, asker = std::move(asker)](Outcome outcome) {
    if (pending.answered.exchange(true)) return;
    const auto alive = self.lock();
    if (!alive) return;
    metrics.job_seconds.observe(std::chrono::steady_clock::now() - pending.submitted);
    if (!outcome && outcome.error().code == core::ErrorCode::kUnavailable) metrics.jobs_refused.add();
    asker->poster([slot, body = pending.take_body(), outcome = std::move(outcome)]() mutable {
      // Taken out of what a database thread may hold longer: what the caller bound is destroyed here.
      auto callback = std::move(*slot);
      callback(std::move(outcome));
    });
  };
}

core::Error unavailable_error();

template <class T>
void Engine::enqueue(JobQueue<T>& queue, const std::shared_ptr<T>& job, typename JobQueue<T>::Entry entry) {
  metrics.jobs_queued.add();
  if (queue.push(job, entry)) return;
  metrics.jobs_queued.sub();
  job->fail(unavailable_error());
}

/// How long past a job's deadline a statement may keep its thread.
inline constexpr std::chrono::milliseconds kWatchdogMargin{1000};

}  // namespace belfry::storage
