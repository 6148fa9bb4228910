#include "storage/job_thread.hpp"

#include <algorithm>
#include <thread>

#include "belfry/telemetry/log.hpp"
#include "storage/unit_of_work.hpp"

namespace belfry::storage {
namespace {

using Clock = std::chrono::steady_clock;

/// Tries of one job, whatever time is left: contention that lasts longer is answered.
constexpr int kMostTries = 10;
/// An outcome in doubt is asked at least this long, also when the job's deadline is near: an answer is worth more than
/// punctuality.
constexpr std::chrono::milliseconds kLeastDoubt{1000};

/// COMMIT of a transaction that only read does nothing that takes time.
constexpr std::chrono::milliseconds kLongestEnd{1000};

}  // namespace

JobThread::JobThread(Engine& engine, JobQueue<Job>& queue)
    : engine_(engine), queue_(queue), link_(engine.options.url, engine.conninfo("belfry"), engine.metrics) {}

void JobThread::run() {
  try {
    link_.get();
  } catch (const Unreachable&) {
    engine_.lost();
  }
  while (const auto job = next()) finish(job);
}

std::shared_ptr<Job> JobThread::next() {
  auto taken = queue_.take(1, SteadyTime::min());
  if (taken.empty()) {
    end_transaction();
    taken = queue_.take(1);
  }
  if (taken.empty()) return nullptr;
  engine_.metrics.jobs_queued.sub();
  return taken.front();
}

void JobThread::end_transaction() {
  auto* connection = link_.current();
  if (connection == nullptr || !connection->left_open()) return;
  try {
    const Watchdog::Watch watch(engine_.watchdog, connection->raw().sock(), Clock::now() + kLongestEnd);
    connection->end_transaction();
  } catch (const std::exception&) {
    // Its job has been answered; the next one gets a new connection.
    link_.drop();
    engine_.lost();
  }
}

void JobThread::finish(const std::shared_ptr<Job>& job) {
  for (tries_ = 0; tries_ < kMostTries; ++tries_) {
    if (Clock::now() >= job->deadline) break;
    if (tries_ > 0) engine_.metrics.transaction_retries.add();
    bool parked = false;
    auto answer = attempt(job, parked);
    if (parked) return;
    if (answer) return job->answer(std::move(*answer));
  }
  telemetry::warn("job_out_of_time", {{"job", job->options.name}, {"tries", tries_}});
  job->fail(unavailable_error());
}

JobThread::Answer JobThread::attempt(const std::shared_ptr<Job>& job, bool& parked) {
  if (engine_.schema == SchemaState::kUnfit) return core::fail(unavailable_error());
  bool begun = false;
  try {
    return run_once(*job, begun);
  } catch (const CommitInDoubt& doubt) {
    return settle(doubt, *job);
  } catch (domain::GrantsUnknown& unknown) {
    parked = true;
    engine_.ask_grants(job, std::move(unknown.questions), [&engine = engine_, &queue = queue_, job] {
      engine.metrics.jobs_queued.add();
      if (queue.push_again(job)) return;
      engine.metrics.jobs_queued.sub();
      job->fail(unavailable_error());
    });
    return std::nullopt;
  } catch (...) {
    return judge(classify(std::current_exception(), link_.current()), *job, begun);
  }
}

JobThread::Answer JobThread::run_once(Job& job, bool& begun) {
  auto& connection = link_.get();
  const Watchdog::Watch watch(engine_.watchdog, connection.raw().sock(), job.deadline + kWatchdogMargin);
  engine_.sightings.record(connection, job.options.callers, [](const auto& actor) { return &actor; });
  PgUnitOfWork work(connection, job.mode, engine_.options.event_retention, engine_.external(job.answers));
  begun = true;
  engine_.metrics.transactions.add();
  auto result = job.body(work);
  if (!result) return result;
  notice_ = work.notice();
  const auto before = Clock::now();
  work.commit();
  if (job.mode == domain::JobMode::kWrite) engine_.metrics.commit_seconds.observe(Clock::now() - before);
  engine_.committed(work.notice());
  return result;
}

JobThread::Answer JobThread::settle(const CommitInDoubt& doubt, Job& job) {
  engine_.lost();
  switch (resolve_commit(link_, engine_.watchdog, doubt, std::max(job.deadline, Clock::now() + kLeastDoubt))) {
    case CommitOutcome::kCommitted:
      engine_.committed(std::move(notice_));
      return core::Result<void>{};
    case CommitOutcome::kAborted:
      return std::nullopt;
    case CommitOutcome::kUnknown:
      break;
  }
  return core::fail(unavailable_error());
}

JobThread::Answer JobThread::judge(const Failure& failure, const Job& job, bool begun) {
  switch (failure.kind) {
    case FailureKind::kConflict:
    case FailureKind::kLockTimeout:
      pause();
      return std::nullopt;
    case FailureKind::kBroken:
      link_.drop();
      engine_.lost();
      // A connection that died while idle says nothing about this job, which has not begun.
      if (!begun && tries_ == 0) return std::nullopt;
      telemetry::warn("database_connection_lost", {{"job", job.options.name}, {"error", failure.text}});
      return core::fail(unavailable_error());
    case FailureKind::kUnreachable:
      engine_.lost();
      return core::fail(unavailable_error());
    case FailureKind::kReadOnly:
      if (job.mode != domain::JobMode::kWrite) break;  // a body that writes in a read job: our fault, not a standby's
      [[fallthrough]];
    case FailureKind::kSchema:
      engine_.lost();
      [[fallthrough]];
    case FailureKind::kStatementTimeout:
    case FailureKind::kExhausted:
    case FailureKind::kNoPartition:
      telemetry::warn("job_unavailable",
                      {{"job", job.options.name}, {"sqlstate", failure.sqlstate}, {"error", failure.text}});
      if (failure.kind == FailureKind::kNoPartition) engine_.want_partitions(failure.days);
      return core::fail(unavailable_error());
    case FailureKind::kData:
    case FailureKind::kOther:
      break;
  }
  telemetry::error("job_failed", {{"job", job.options.name}, {"sqlstate", failure.sqlstate}, {"error", failure.text}});
  return core::fail(core::Error::internal());
}

void JobThread::pause() {
  // Two that met once would meet again if both came back at once. At most 2, 4, 8 … 64 ms.
  std::uniform_int_distribution<int> jitter(1, 2 << std::min(tries_, 5));
  std::this_thread::sleep_for(std::chrono::milliseconds(jitter(random_)));
}

}  // namespace belfry::storage
