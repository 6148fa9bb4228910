#include "storage/engine.hpp"

#include <algorithm>

#include "belfry/telemetry/log.hpp"
#include "storage/conninfo.hpp"

namespace belfry::storage {

core::Error unavailable_error() {
  return core::Error::unavailable("The service is busy or cannot reach its database. Try again shortly.");
}

Engine::Engine(DatabaseOptions asked, Poster post, telemetry::Metrics& counts, PostgresDatabase::Hooks hook,
               domain::GrantProvider* grants)
    : options(std::move(asked)),
      poster(std::move(post)),
      metrics(counts),
      askers{std::make_shared<Asker>(poster, std::move(hook.on_commit), std::move(hook.on_restored))},
      on_grew(std::move(hook.on_grew)),
      provider(grants),
      reads(options.max_queued_jobs),
      writes(options.max_queued_jobs),
      messages(options.max_queued_jobs) {}

std::string Engine::conninfo(std::string_view application, bool primary_only) const {
  ConnectionSettings settings;
  settings.primary_only = primary_only;
  settings.application_name = application;
  settings.lock_timeout = options.lock_timeout;
  settings.statement_timeout = options.statement_timeout;
  settings.idle_in_transaction_timeout = options.idle_in_transaction_timeout;
  return make_conninfo(options.url, settings);
}

void Engine::committed(const std::shared_ptr<domain::CommitNotice>& notice) {
  if (!notice) return;
  notice->committed_at = std::chrono::steady_clock::now();
  for (const auto& asker : askers) {
    if (asker->on_commit)
      asker->poster([asker, told = std::shared_ptr<const domain::CommitNotice>(notice)] { asker->on_commit(told); });
  }
  if (on_grew) on_grew(*notice);
}

void Engine::restored() {
  for (const auto& asker : askers) {
    if (asker->on_restored) asker->poster([asker] { asker->on_restored(); });
  }
}

void Engine::lost() {
  was_lost = true;
  if (wake_monitor) wake_monitor();
}

void Engine::ask_grants(std::shared_ptr<Pending> pending, std::vector<domain::GrantQuestion> questions,
                        std::function<void()> resume) {
  constexpr int kMostRounds = 3;
  if (provider == nullptr || pending->rounds >= kMostRounds) {
    telemetry::error("grants_asked_in_vain", {{"job", pending->options.name}, {"rounds", pending->rounds}});
    return pending->fail(core::Error::internal());
  }
  ++pending->rounds;
  {
    const std::lock_guard lock(asking_mutex);
    // What waits here has left its queue, so it needs a bound of its own.
    if (stopping || asking.size() >= options.max_queued_jobs) return pending->fail(unavailable_error());
    asking.insert(pending);
  }
  auto answered = [weak = weak_from_this(), pending,
                   resume = std::move(resume)](core::Result<domain::GrantProvider::Answers> result) {
    const auto self = weak.lock();
    if (!self) return;
    {
      const std::lock_guard lock(self->asking_mutex);
      if (self->asking.erase(pending) == 0) return;  // answered as late, or at stop
    }
    if (!result) return pending->fail(std::move(result.error()));
    pending->answers.insert(pending->answers.end(), result->begin(), result->end());
    resume();
  };
  poster([self = shared_from_this(), questions = std::move(questions), answered = std::move(answered)]() mutable {
    if (self->stopping) return;
    self->provider->ask(std::move(questions), false, std::move(answered));
  });
}

void Engine::rest(std::shared_ptr<Job> job, std::chrono::milliseconds pause) {
  {
    const std::lock_guard lock(resting_mutex_);
    if (!stopping && resting_.size() < options.max_queued_jobs) {
      resting_.emplace_back(std::chrono::steady_clock::now() + pause, std::move(job));
      return;
    }
  }
  job->fail(unavailable_error());
}

void Engine::wake_resting() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<Job>> due;
  {
    const std::lock_guard lock(resting_mutex_);
    std::erase_if(resting_, [&](auto& waiting) {
      auto& [at, job] = waiting;
      if (!stopping && at > now && job->deadline > now) return false;
      due.push_back(std::move(job));
      return true;
    });
  }
  for (auto& job : due) {
    if (job->deadline <= now) {
      out_of_time(*job);
      continue;
    }
    enqueue(jobs(job->mode), job, JobQueue<Job>::Entry::kAgain);
  }
}

void Engine::out_of_time(Pending& pending) {
  telemetry::warn("job_out_of_time", {{"job", pending.options.name}, {"tries", pending.tries + pending.rests}});
  pending.fail(unavailable_error());
}

void Engine::refuse_late() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<Pending>> late;
  const auto collect = [&](auto& queue) {
    for (auto& job : queue.take_late(now)) {
      metrics.jobs_queued.sub();
      late.push_back(std::move(job));
    }
  };
  collect(reads);
  collect(writes);
  collect(messages);
  {
    const std::lock_guard lock(asking_mutex);
    std::erase_if(asking, [&](const auto& pending) {
      if (!stopping && pending->deadline > now) return false;
      late.push_back(pending);
      return true;
    });
  }
  for (const auto& pending : late) {
    if (pending->deadline <= now) {
      out_of_time(*pending);
    } else {
      pending->fail(unavailable_error());
    }
  }
}

}  // namespace belfry::storage
