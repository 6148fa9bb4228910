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
constexpr std::chrono::milliseconds kLeastPause{2};
/// Of what waits for a lock that somebody keeps; doubled up to 800 ms.
constexpr std::chrono::milliseconds kLeastRest{50};
/// COMMIT of a transaction that only read does nothing that takes time.
constexpr std::chrono::milliseconds kLongestEnd{1000};

}  // namespace

JobThread::JobThread(Engine& engine, domain::JobMode mode)
    : engine_(engine),
      queue_(engine.jobs(mode)),
      connected_(engine.connected(mode)),
      link_(engine.options.url, engine.conninfo("belfry"), engine.metrics, &engine.seen_alive) {}

JobThread::~JobThread() {
  link_.drop();
  count_connection();
}

void JobThread::run() {
  while (true) {
    await_connection();
    const auto job = next();
    if (!job) return;
    finish(job);
    count_connection();
  }
}

void JobThread::await_connection() {
  while (!link_.open()) {
    const auto seen =
        engine_.connections_changed.count();  // before the attempt: nothing that happens meanwhile is missed
    bool unreachable = false;
    try {
      link_.get();
    } catch (const Unreachable&) {
      unreachable = true;
    }
    count_connection();
    // One thread that finds no place at the server says nothing about the others' history.
    if (unreachable && !others_connected()) engine_.lost();
    if (link_.open() || !others_connected() || engine_.stopping) return;
    engine_.connections_changed.wait(seen, link_.retry_at());
  }
}

void JobThread::count_connection() {
  if (const bool open = link_.open(); open != counted_) {
    connected_ += open ? 1 : -1;
    counted_ = open;
    engine_.connections_changed.tell();
  }
}

void JobThread::lose_connection() {
  link_.drop();
  count_connection();
  engine_.lost();
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
    lose_connection();  // its job has been answered; the next one gets a new connection
  }
}

void JobThread::finish(const std::shared_ptr<Job>& job) {
  for (; job->tries < kMostTries; ++job->tries) {
    if (Clock::now() >= job->deadline) break;
    if (job->tries + job->rests > 0) engine_.metrics.transaction_retries.add();
    bool parked = false;
    auto answer = attempt(job, parked);
    if (parked) return;
    if (answer) return job->answer(std::move(*answer));
  }
  Engine::out_of_time(*job);
}

JobThread::Answer JobThread::attempt(const std::shared_ptr<Job>& job, bool& parked) {
  if (engine_.schema == SchemaState::kUnfit) return core::fail(unavailable_error());
  bool begun = false;
  try {
    return run_once(*job, begun);
  } catch (const CommitInDoubt& doubt) {
    return settle(doubt, *job);
  } catch (const CommitNotReplicated& commit) {
    telemetry::error("commit_not_replicated", {{"job", job->options.name}, {"warning", commit.warning}});
    return core::fail(unavailable_error());
  } catch (domain::GrantsUnknown& unknown) {
    parked = true;
    engine_.ask_grants(job, std::move(unknown.questions), [&engine = engine_, &queue = queue_, job] {
      engine.enqueue(queue, job, JobQueue<Job>::Entry::kAgain);
    });
    return std::nullopt;
  } catch (...) {
    return judge(classify(std::current_exception(), link_.current()), job, begun, parked);
  }
}

JobThread::Answer JobThread::run_once(Job& job, bool& begun) {
  auto& connection = link_.get();
  count_connection();
  const Watchdog::Watch watch(engine_.watchdog, connection.raw().sock(), job.deadline + kWatchdogMargin);
  record_callers(connection, job);
  PgUnitOfWork work(connection, job.mode, engine_.options.event_retention, engine_.external(job.answers),
                    &engine_.held_rooms);
  begun = true;
  engine_.metrics.transactions.add();
  auto result = job.body(work);
  if (!result) return result;
  notice_ = work.notice();
  const auto before = Clock::now();
  work.commit();
  if (job.mode == domain::JobMode::kWrite) engine_.metrics.commit_seconds.observe(Clock::now() - before);
  engine_.committed(std::move(notice_));
  return result;
}

/// Who only reads is served also while nothing can be written: the next job of theirs tries again.
void JobThread::record_callers(Connection& connection, const Job& job) {
  try {
    engine_.sightings.record(connection, job.options.callers, [](const auto& actor) { return &actor; });
  } catch (const pqxx::sql_error& e) {
    if (job.mode == domain::JobMode::kWrite || !connection.raw().is_open()) throw;
    telemetry::debug("callers_not_recorded", {{"sqlstate", e.sqlstate()}});
  }
}

JobThread::Answer JobThread::settle(const CommitInDoubt& doubt, Job& job) {
  lose_connection();  // first: nobody is to count on a thread that is busy asking, which may take long
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

JobThread::Answer JobThread::judge(const Failure& failure, const std::shared_ptr<Job>& held, bool begun, bool& parked) {
  const Job& job = *held;
  switch (failure.kind) {
    case FailureKind::kConflict:
      // Two that met once would meet again if both came back at once. At most 2, 4, 8 … 64 ms.
      std::this_thread::sleep_for(jittered(kLeastPause * (1 << std::min(job.tries, 5))));
      return std::nullopt;
    case FailureKind::kLockTimeout:
      parked = true;
      engine_.rest(held, jittered(kLeastRest * (1 << std::min(held->rests++, 4))));
      return std::nullopt;
    case FailureKind::kBroken:
      lose_connection();
      // A connection that died while idle says nothing about this job, which has not begun. Many may have died at once
      // and no new one be had: whoever has one serves it.
      if (!begun && others_connected()) {
        parked = true;
        engine_.enqueue(queue_, held, JobQueue<Job>::Entry::kAgain);
        return std::nullopt;
      }
      if (!begun || job.mode == domain::JobMode::kStatement) return std::nullopt;
      telemetry::warn("database_connection_lost", {{"job", job.options.name}, {"error", failure.text}});
      return core::fail(unavailable_error());
    case FailureKind::kUnreachable:
      count_connection();
      if (!others_connected()) {
        engine_.lost();
        return core::fail(unavailable_error());
      }
      parked = true;
      engine_.enqueue(queue_, held, JobQueue<Job>::Entry::kAgain);
      return std::nullopt;
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

std::chrono::milliseconds JobThread::jittered(std::chrono::milliseconds most) {
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(most.count() / 2, most.count())(random_));
}

}  // namespace belfry::storage
