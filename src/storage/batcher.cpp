#include "storage/batcher.hpp"

#include <algorithm>
#include <iterator>

#include "belfry/domain/messages.hpp"
#include "belfry/telemetry/log.hpp"
#include "storage/unit_of_work.hpp"
#include "storage/values.hpp"

namespace belfry::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostTries = 20;  ///< halving 500 commands takes 9
constexpr std::chrono::milliseconds kProbeEvery{25};
constexpr std::chrono::milliseconds kLeastDoubt{1000};

// Lock order: rooms by id; waits for none. Rolled back at once: it only tells which rooms somebody holds. A channel
// without a discussion has no room to be stuck on.
constexpr Statement kFreeRooms{"batch_free_rooms", R"sql(
  SELECT t.channel_id
  FROM threads t JOIN room_log r ON r.kind = 2 AND r.key = t.id
  WHERE t.kind = 0 AND t.channel_id = ANY ($1::bigint[])
  ORDER BY r.id
  FOR NO KEY UPDATE OF r SKIP LOCKED
)sql"};
constexpr Statement kAllRooms{"batch_all_rooms", R"sql(
  SELECT t.channel_id FROM threads t WHERE t.kind = 0 AND t.channel_id = ANY ($1::bigint[])
)sql"};

}  // namespace

Batcher::Batcher(Engine& engine)
    : engine_(engine), link_(engine.options.url, engine.conninfo("belfry-batch"), engine.metrics, &engine.seen_alive) {}

Batcher::~Batcher() {
  for (auto& waiting : aside_) waiting.item->fail(unavailable_error());
}

void Batcher::run() {
  try {
    link_.get();  // before somebody else has the server's last one
  } catch (const Unreachable&) {
    engine_.lost();
  }
  while (true) {
    auto until = SteadyTime::max();
    for (const auto& waiting : aside_) until = std::min(until, waiting.probe_at);
    Items taken = engine_.messages.take(engine_.options.max_batch, until);
    if (engine_.messages.closed()) return fail_all(taken, unavailable_error());
    engine_.metrics.jobs_queued.sub(static_cast<std::int64_t>(taken.size()));
    Items batch;
    collect_aside(batch);
    std::ranges::move(taken, std::back_inserter(batch));
    run_batch(std::move(batch));
  }
}

void Batcher::put_aside(std::shared_ptr<MessageJob> item) {
  if (aside_.size() >= engine_.options.max_queued_jobs) return item->fail(unavailable_error());
  // All of one channel are probed together, so that they stay in their order.
  auto probe_at = Clock::now() + kProbeEvery;
  for (const auto& waiting : aside_) {
    if (waiting.item->command.channel_id == item->command.channel_id) probe_at = waiting.probe_at;
  }
  aside_.push_back({std::move(item), probe_at});
}

void Batcher::keep_order(Items& items) {
  if (aside_.empty()) return;
  Items free;
  for (auto& item : items) {
    const bool stuck = std::ranges::any_of(
        aside_, [&](const Aside& waiting) { return waiting.item->command.channel_id == item->command.channel_id; });
    if (stuck) {
      put_aside(std::move(item));
    } else {
      free.push_back(std::move(item));
    }
  }
  items = std::move(free);
}

void Batcher::collect_aside(Items& batch) {
  const auto now = Clock::now();
  Items due;
  for (auto& waiting : aside_) {
    if (waiting.probe_at <= now) due.push_back(waiting.item);
  }
  if (due.empty()) return;
  std::set<core::ChannelId> stuck;
  bool asked = true;
  try {
    stuck = stuck_channels(due);
  } catch (const std::exception&) {
    const auto failure = classify(std::current_exception(), link_.current());
    if (failure.kind == FailureKind::kBroken) link_.drop();
    if (failure.kind == FailureKind::kBroken || failure.kind == FailureKind::kUnreachable) engine_.lost();
    asked = false;
  }
  for (auto waiting = aside_.begin(); waiting != aside_.end();) {
    if (waiting->item->deadline <= now) {
      Engine::out_of_time(*waiting->item);
    } else if (asked && waiting->probe_at <= now && !stuck.contains(waiting->item->command.channel_id)) {
      batch.push_back(std::move(waiting->item));
    } else {
      if (waiting->probe_at <= now) waiting->probe_at = now + kProbeEvery;
      ++waiting;
      continue;
    }
    waiting = aside_.erase(waiting);
  }
}

void Batcher::drop_late(Items& items) {
  const auto now = Clock::now();
  std::erase_if(items, [&](const auto& item) {
    if (item->deadline > now) return false;
    Engine::out_of_time(*item);
    return true;
  });
}

void Batcher::run_batch(Items items) {
  std::vector<std::pair<Items, int>> left;
  left.emplace_back(std::move(items), 0);
  while (!left.empty()) {
    auto [next, tries] = std::move(left.back());
    left.pop_back();
    drop_late(next);
    keep_order(next);
    if (next.empty()) continue;
    if (tries >= kMostTries) {
      fail_all(next, unavailable_error());
      continue;
    }
    auto rest = attempt(std::move(next), tries);
    for (auto part = rest.rbegin(); part != rest.rend(); ++part) left.emplace_back(std::move(*part), tries + 1);
  }
}

std::vector<Batcher::Items> Batcher::attempt(Items items, int tries) {
  if (engine_.schema == SchemaState::kUnfit) {
    fail_all(items, unavailable_error());
    return {};
  }
  if (tries > 0) engine_.metrics.transaction_retries.add();
  begun_ = false;
  try {
    run_once(items);
  } catch (const CommitInDoubt& doubt) {
    return settle(doubt, std::move(items));
  } catch (const CommitNotReplicated& commit) {
    telemetry::error("commit_not_replicated",
                     {{"job", "messages.create"}, {"size", items.size()}, {"warning", commit.warning}});
    fail_all(items, unavailable_error());
    return {};
  } catch (domain::GrantsUnknown& unknown) {
    return ask_grants(std::move(unknown.questions), std::move(items));
  } catch (...) {
    return judge(classify(std::current_exception(), link_.current()), std::move(items), begun_);
  }
  for (std::size_t i = 0; i < items.size(); ++i) items[i]->answer(std::move(results_[i]));
  return {};
}

void Batcher::run_once(const Items& items) {
  auto& connection = link_.get();
  SteadyTime until = Clock::now();
  std::vector<const domain::Actor*> authors;
  std::vector<domain::CreateMessage> commands;
  domain::GrantProvider::Answers answers;
  for (const auto& item : items) {
    until = std::max(until, item->deadline);
    authors.push_back(&item->command.actor);
    commands.push_back(item->command);
    answers.insert(answers.end(), item->answers.begin(), item->answers.end());
  }
  const Watchdog::Watch watch(engine_.watchdog, connection.raw().sock(), until + kWatchdogMargin);
  engine_.sightings.record(connection, authors);
  PgUnitOfWork work(connection, domain::JobMode::kWrite, engine_.options.event_retention, engine_.external(answers));
  begun_ = true;
  engine_.metrics.transactions.add();
  results_ = domain::create_messages(work, commands);
  if (results_.size() != items.size())
    throw std::logic_error("storage: create_messages answered another number of commands");
  notice_ = work.notice();
  // All refused: nothing was written, nothing is confirmed. A repeat tells of a message that may not be safe yet.
  if (std::ranges::none_of(results_, [](const auto& result) { return result.has_value(); })) return;
  const auto before = Clock::now();
  work.commit();
  engine_.metrics.commit_seconds.observe(Clock::now() - before);
  engine_.metrics.batches.add();
  engine_.metrics.batch_messages.add(items.size());
  if (notice_) notice_->more = more_follows(items);
  engine_.committed(std::move(notice_));
}

bool Batcher::more_follows(const Items& items) const {
  return engine_.messages.any([&](const MessageJob& next) {
    return std::ranges::any_of(items,
                               [&](const auto& item) { return item->command.channel_id == next.command.channel_id; });
  });
}

std::vector<Batcher::Items> Batcher::settle(const CommitInDoubt& doubt, Items items) {
  engine_.lost();
  auto deadline = Clock::now() + kLeastDoubt;
  for (const auto& item : items) deadline = std::max(deadline, item->deadline);
  switch (resolve_commit(link_, engine_.watchdog, doubt, deadline)) {
    case CommitOutcome::kCommitted:
      engine_.metrics.batches.add();
      engine_.metrics.batch_messages.add(items.size());
      engine_.committed(std::move(notice_));
      for (std::size_t i = 0; i < items.size(); ++i) items[i]->answer(std::move(results_[i]));
      return {};
    case CommitOutcome::kAborted:
      return {std::move(items)};
    case CommitOutcome::kUnknown:
      break;
  }
  fail_all(items, unavailable_error());
  return {};
}

std::vector<Batcher::Items> Batcher::judge(const Failure& failure, Items items, bool begun) {
  switch (failure.kind) {
    case FailureKind::kConflict:
      return {std::move(items)};
    case FailureKind::kLockTimeout:
      return without_stuck(std::move(items));
    case FailureKind::kBroken:
      link_.drop();
      engine_.lost();
      if (!begun) return {std::move(items)};  // it died while idle
      telemetry::warn("database_connection_lost", {{"job", "messages.create"}, {"error", failure.text}});
      fail_all(items, unavailable_error());
      return {};
    case FailureKind::kUnreachable:
    case FailureKind::kReadOnly:
    case FailureKind::kSchema:
      engine_.lost();
      fail_all(items, unavailable_error());
      return {};
    case FailureKind::kNoPartition:
    case FailureKind::kExhausted:
      telemetry::warn("batch_unavailable",
                      {{"size", items.size()}, {"sqlstate", failure.sqlstate}, {"error", failure.text}});
      if (failure.kind == FailureKind::kNoPartition) engine_.want_partitions(failure.days);
      fail_all(items, unavailable_error());
      return {};
    case FailureKind::kStatementTimeout:
    case FailureKind::kData:
    case FailureKind::kOther:
      break;
  }
  if (items.size() == 1) {
    telemetry::error("message_failed", {{"sqlstate", failure.sqlstate}, {"error", failure.text}});
    fail_all(items, failure.kind == FailureKind::kStatementTimeout ? unavailable_error() : core::Error::internal());
    return {};
  }
  telemetry::warn("batch_halved", {{"size", items.size()}, {"sqlstate", failure.sqlstate}, {"error", failure.text}});
  const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
  return {Items(items.begin(), middle), Items(middle, items.end())};
}

std::set<core::ChannelId> Batcher::stuck_channels(const Items& items) {
  auto& connection = link_.get();
  const Watchdog::Watch watch(engine_.watchdog, connection.raw().sock(),
                              Clock::now() + engine_.options.statement_timeout + kWatchdogMargin);
  std::set<core::ChannelId> channels;
  for (const auto& item : items) channels.insert(item->command.channel_id);
  const auto list = to_sql_array(channels);
  PgUnitOfWork work(connection, domain::JobMode::kWrite, engine_.options.event_retention, nullptr);
  std::set<core::ChannelId> stuck;
  for (const auto& row : work.session().run(kAllRooms, list)) stuck.insert({row[0].as<std::int64_t>()});
  for (const auto& row : work.session().run(kFreeRooms, list)) stuck.erase({row[0].as<std::int64_t>()});
  return stuck;
}

std::vector<Batcher::Items> Batcher::without_stuck(Items items) {
  std::set<core::ChannelId> stuck;
  try {
    stuck = stuck_channels(items);
  } catch (...) {
    const auto failure = classify(std::current_exception(), link_.current());
    // A whole table is locked, by a migration say: tried again as long as there is time.
    if (failure.kind == FailureKind::kLockTimeout) return {std::move(items)};
    return judge(failure, std::move(items), true);
  }
  Items free;
  for (auto& item : items) {
    if (stuck.contains(item->command.channel_id)) {
      put_aside(std::move(item));
    } else {
      free.push_back(std::move(item));
    }
  }
  // With no room held any more the batch is simply run again: the lock was given back meanwhile.
  return {std::move(free)};
}

std::vector<Batcher::Items> Batcher::ask_grants(std::vector<domain::GrantQuestion> questions, Items items) {
  Items others;
  bool found = false;
  for (auto& item : items) {
    std::vector<domain::GrantQuestion> own;
    std::ranges::copy_if(questions, std::back_inserter(own),
                         [&](const auto& question) { return question.user == item->command.actor.id; });
    if (own.empty()) {
      others.push_back(std::move(item));
      continue;
    }
    found = true;
    auto* engine = &engine_;
    engine_.ask_grants(item, std::move(own), [engine, item] {
      engine->enqueue(engine->messages, item, JobQueue<MessageJob>::Entry::kAgain);
    });
  }
  if (!found) {
    telemetry::error("grants_of_nobody", {{"job", "messages.create"}});
    fail_all(others, core::Error::internal());
    return {};
  }
  return {std::move(others)};
}

void Batcher::fail_all(const Items& items, const core::Error& error) {
  for (const auto& item : items) item->fail(error);
}

}  // namespace belfry::storage
