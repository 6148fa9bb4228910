#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/node.hpp"

// Jobs, locks, places in the log, group commit.
namespace belfry::pgtest {
namespace {

using core::Result;
using domain::JobMode;
using domain::RoomKey;
using domain::UnitOfWork;

struct StoredEvent {
  std::int64_t seq;
  std::string id;
  std::string prev;
  std::string visible_prev;
  int type;
  std::int64_t access_seq;
};

std::vector<StoredEvent> stored_events(const RoomKey& room, const std::string& url = database().url()) {
  Transaction transaction(url);
  std::vector<StoredEvent> events;
  const auto rows = transaction.sql().exec_params(
      "SELECT e.seq, e.event_id, COALESCE(e.prev_id::text, ''), COALESCE(e.prev_visible_id::text, ''), e.type, "
      "e.access_seq "
      "FROM events e JOIN room_log r ON r.id = e.room_id WHERE r.kind = $1 AND r.key = $2 ORDER BY e.event_id",
      static_cast<int>(room.kind), room.key);
  for (const auto& row : rows) {
    events.push_back({row[0].as<std::int64_t>(), row[1].as<std::string>(), row[2].as<std::string>(),
                      row[3].as<std::string>(), row[4].as<int>(), row[5].as<std::int64_t>()});
  }
  return events;
}

/// Ids rise, seq has no hole, each record names the one before it and the visible one before it.
void expect_chain(const std::vector<StoredEvent>& events, std::size_t count) {
  ASSERT_EQ(events.size(), count);
  std::string prev;
  std::string visible;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].seq, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(events[i].prev, prev);
    EXPECT_EQ(events[i].visible_prev, visible);
    prev = events[i].id;
    if (events[i].type < 100) visible = prev;
  }
}

/// A job's capture that notes where it was destroyed.
struct DestroyedOn {
  explicit DestroyedOn(std::promise<std::thread::id>& told) : told_(&told) {}
  DestroyedOn(const DestroyedOn&) = delete;
  DestroyedOn& operator=(const DestroyedOn&) = delete;
  ~DestroyedOn() { told_->set_value(std::this_thread::get_id()); }

 private:
  std::promise<std::thread::id>* told_;
};

/// No thread's id when it is not told within ten seconds.
std::thread::id told(std::promise<std::thread::id>& id) {
  auto future = id.get_future();
  return future.wait_for(std::chrono::seconds(10)) == std::future_status::ready ? future.get() : std::thread::id();
}

std::thread::id thread_of(IoThread& io) {
  std::promise<std::thread::id> id;
  io.post([&] { id.set_value(std::this_thread::get_id()); });
  return told(id);
}

TEST(StorageEngine, APortAnswersItsOwnThreadAndDestroysJobsThere) {
  IoThread home;
  IoThread away;
  telemetry::Metrics metrics;
  std::promise<std::thread::id> heard_at_home;
  std::promise<std::thread::id> heard_away;
  storage::PostgresDatabase engine(
      options_for(database().url()), home.poster(), metrics,
      {.on_commit = [&](const auto&) { heard_at_home.set_value(std::this_thread::get_id()); }});
  const auto port =
      engine.port(away.poster(), {.on_commit = [&](const auto&) { heard_away.set_value(std::this_thread::get_id()); }});
  engine.start();
  const auto place = make_place(database().url());
  std::promise<std::thread::id> destroyed;
  std::promise<std::thread::id> answered;
  port->submit(
      domain::JobMode::kWrite, {.name = "test"},
      [append = append_to(place.talk(), place), held = std::make_shared<DestroyedOn>(destroyed)](UnitOfWork& work) {
        return append(work);
      },
      [&](const Result<void>& result) {
        EXPECT_TRUE(result);
        answered.set_value(std::this_thread::get_id());
      });
  EXPECT_EQ(told(answered), thread_of(away));
  EXPECT_EQ(told(destroyed), thread_of(away));
  EXPECT_EQ(told(heard_at_home), thread_of(home));
  EXPECT_EQ(told(heard_away), thread_of(away));
  engine.stop();
  std::promise<std::thread::id> refused;
  port->submit(
      domain::JobMode::kRead, {.name = "test"}, [](UnitOfWork&) -> Result<void> { return {}; },
      [&](const Result<void>& result) {
        EXPECT_FALSE(result);
        refused.set_value(std::this_thread::get_id());
      });
  EXPECT_EQ(told(refused), thread_of(away));
}

TEST(StorageEngine, ParallelWritersOnTwoNodesMakeOneOrderPerRoom) {
  Node first(options_for(database().url()));
  Node second(options_for(database().url()));
  std::vector<Place> places;
  for (int i = 0; i < 3; ++i) places.push_back(make_place(database().url()));
  std::vector<std::future<Result<void>>> jobs;
  for (int i = 0; i < 40; ++i) {
    for (const auto& place : places) {
      auto& node = i % 2 == 0 ? first : second;
      jobs.push_back(node.submit(JobMode::kWrite, [place, i](UnitOfWork& work) -> Result<void> {
        // In no order of their own: the lock puts them in its order, or this deadlocks.
        const RoomKey rooms[] = {i % 3 == 0 ? place.talk() : place.posts(), i % 3 == 0 ? place.posts() : place.talk()};
        if (auto locked = work.lock(rooms); !locked) return locked;
        work.append(place.talk(), message_draft(place, 1'000'000 + i));
        work.append(place.talk(), control_draft());
        work.append(place.posts(), control_draft());
        return {};
      }));
    }
  }
  for (auto& job : jobs) {
    const auto result = job.get();
    ASSERT_TRUE(result) << result.error().message;
  }
  for (const auto& place : places) {
    expect_chain(stored_events(place.talk()), 80);
    expect_chain(stored_events(place.posts()), 40);
  }
  const auto head = [&](UnitOfWork& work) -> Result<void> {
    const auto found = work.log().head(places[0].talk());
    EXPECT_EQ(found->last_seq, 80);
    EXPECT_EQ(found->access_version, 40);
    EXPECT_NE(found->last_id, found->last_visible_id);
    return {};
  };
  ASSERT_TRUE(first.read(head));
}

TEST(StorageEngine, IdsRiseWhenTheClockWentBack) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  const auto ahead = core::Uuid::v7(core::SystemClock{}.now() + std::chrono::hours{2});
  {
    Transaction transaction;
    transaction.sql().exec_params(
        "UPDATE room_log SET last_id = $1, last_visible_id = $1, last_seq = 7 WHERE kind = 2 AND key = $2",
        ahead.text(), place.thread.value);
    transaction.commit();
  }
  ASSERT_TRUE(node.write(append_to(place.talk(), place, 2)));
  const auto events = stored_events(place.talk());
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].prev, ahead.text());
  EXPECT_EQ(events[0].seq, 8);
  EXPECT_GT(events[0].id, ahead.text());
  EXPECT_GT(events[1].id, events[0].id);
}

TEST(StorageEngine, EventsCarryTheAccessLogsHeadReadUnderTheLock) {
  Node node(options_for(database().url(), 8));  // three writers at once
  const auto place = make_place(database().url());
  std::promise<void> locked;
  std::promise<void> go;
  auto gate = std::make_shared<std::shared_future<void>>(go.get_future().share());
  std::atomic<bool> told{false};
  auto holder = node.submit(JobMode::kWrite, [&, gate](UnitOfWork& work) -> Result<void> {
    const auto room = place.talk();
    if (auto got = work.lock(std::span(&room, 1)); !got) return got;
    if (!told.exchange(true)) locked.set_value();
    gate->wait();
    return {};
  });
  locked.get_future().wait();
  // The writer waits for the room while the access log grows and is acknowledged: its event has to be positioned behind
  // that.
  auto writer = node.submit(JobMode::kWrite, append_to(place.talk(), place));
  std::int64_t access = 0;
  ASSERT_TRUE(node.write([&](UnitOfWork& work) -> Result<void> {
    const auto log = domain::kAccessLog;
    if (auto got = work.lock(std::span(&log, 1)); !got) return got;
    access = work.next_seq(log);
    domain::EventDraft draft;
    draft.type = domain::EventType::kAccessChanged;
    draft.payload = domain::AccessPayload{{domain::ActorType::kAdmin, any_user()}, any_user(), {}, {}};
    work.append(log, std::move(draft));
    return {};
  }));
  go.set_value();
  ASSERT_TRUE(holder.get());
  ASSERT_TRUE(writer.get());
  EXPECT_EQ(stored_events(place.talk()).at(0).access_seq, access);
}

TEST(StorageEngine, NoticeHasWhatWasWrittenAndOnlyThen) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place, 3)));
  ASSERT_TRUE(eventually([&] { return node.notices().size() == 1; }));
  const auto notice = node.notices().front();
  ASSERT_EQ(notice->rooms.size(), 1U);
  const auto stored = stored_events(place.talk());
  ASSERT_EQ(notice->rooms[0].events.size(), stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_EQ(notice->rooms[0].events[i]->id.value.text(), stored[i].id);
  domain::Timeline timeline = 0;
  ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
    timeline = work.log().journal_since(0).timeline;
    return {};
  }));
  EXPECT_EQ(timeline, 1U) << "of a database where no standby was ever promoted";
  EXPECT_EQ(notice->timeline, timeline);
  EXPECT_EQ(node.grown, 1);

  const auto refused = node.write([&](UnitOfWork& work) -> Result<void> {
    const auto room = place.talk();
    if (auto got = work.lock(std::span(&room, 1)); !got) return got;
    work.append(room, message_draft(place, 1));
    return core::fail(core::Error::not_found("no"));
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kNotFound);
  EXPECT_EQ(stored_events(place.talk()).size(), 3U);
  EXPECT_EQ(node.notices().size(), 1U);
}

TEST(StorageEngine, AnEventThatCannotBeWrittenTakesItsChangeWithIt) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  auto unseen = open_channel();
  unseen.title = "Of an event that jsonb refuses";
  const auto refused = node.write([&](UnitOfWork& work) -> Result<void> {
    const auto room = place.talk();
    if (auto got = work.lock(std::span(&room, 1)); !got) return got;
    work.channels().insert(unseen);
    work.append(room, message_draft(place, 1'000'000, std::string("a\0b", 3)));
    return {};
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kInternal);
  Transaction transaction;
  EXPECT_EQ(transaction.sql().exec_params1("SELECT count(*) FROM channels WHERE title = $1", unseen.title)[0].as<int>(),
            0);
  EXPECT_TRUE(stored_events(place.talk()).empty());
  EXPECT_TRUE(node.notices().empty());
}

TEST(StorageEngine, LockOfAnUnknownRoomIsNotFound) {
  Node node(options_for(database().url()));
  const auto result = node.write([](UnitOfWork& work) -> Result<void> {
    const RoomKey room{domain::RoomKind::kDiscussion, 987654321};
    return work.lock(std::span(&room, 1));
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kNotFound);
}

TEST(StorageEngine, ANewRoomIsAdoptedAndWrittenInTheSameTransaction) {
  Node node(options_for(database().url()));
  Place place;
  ASSERT_TRUE(node.write([&](UnitOfWork& work) -> Result<void> {
    place.channel = work.channels().insert(open_channel());
    work.adopt(place.posts());
    EXPECT_EQ(work.next_seq(place.posts()), 1);
    work.append(place.posts(), control_draft());
    return {};
  }));
  expect_chain(stored_events(place.posts()), 1);
}

TEST(StorageEngine, AReadJobSeesOneSnapshotAndCannotWrite) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
    EXPECT_EQ(work.log().head(place.talk())->last_seq, 0);
    EXPECT_TRUE(node.write(append_to(place.talk(), place)));
    EXPECT_EQ(work.log().head(place.talk())->last_seq, 0);
    return {};
  }));
  const auto written = node.read([&](UnitOfWork& work) -> Result<void> {
    work.channels().insert(open_channel());
    return {};
  });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, core::ErrorCode::kInternal);
}

TEST(StorageEngine, AKeyIsTheSameOnEveryNodeAndAnotherForEachPurpose) {
  Node one(options_for(database().url()));
  Node two(options_for(database().url()));
  using Key = std::optional<std::string>;
  const auto ask = [](Node& node, JobMode mode, const std::string& purpose) {
    Key key;
    auto done = node.submit(mode, [&](UnitOfWork& work) -> Result<void> {
      key = work.node_key(purpose);
      return {};
    });
    EXPECT_TRUE(done.get());
    return key;
  };
  const auto key = ask(one, JobMode::kStatement, "recovery");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 32U);
  EXPECT_EQ(ask(two, JobMode::kRead, "recovery"), key);
  const auto other = ask(one, JobMode::kRead, "bus");
  ASSERT_TRUE(other);
  EXPECT_NE(other, key);
  EXPECT_EQ(ask(one, JobMode::kRead, "nothing'; --"), std::nullopt);
}

TEST(StorageEngine, AThrowingBodyIsAnInternalErrorAndRollsBack) {
  Node node(options_for(database().url(), 1));
  const auto place = make_place(database().url());
  const auto result = node.write([&](UnitOfWork& work) -> Result<void> {
    append_to(place.talk(), place)(work).value();
    throw std::runtime_error("body");
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kInternal);
  EXPECT_TRUE(stored_events(place.talk()).empty());
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
}

TEST(StorageEngine, SerializationFailureAndDeadlockAreRunAgain) {
  for (const char* state : {"40001", "40P01"}) {
    Node node(options_for(database().url()));
    std::atomic<int> runs{0};
    const auto place = make_place(database().url());
    ASSERT_TRUE(node.write([&](UnitOfWork& work) -> Result<void> {
      append_to(place.talk(), place)(work).value();
      if (++runs < 3) raise(work, state);
      return {};
    })) << state;
    EXPECT_EQ(runs, 3);
    EXPECT_EQ(node.metrics.transaction_retries.value(), 2U);
    expect_chain(stored_events(place.talk()), 1);
  }
}

TEST(StorageEngine, AHeldLockIsWaitedForWhileTimeIsLeft) {
  auto options = options_for(database().url());
  options.lock_timeout = std::chrono::milliseconds{50};
  Node node(options);
  const auto place = make_place(database().url());
  auto holder = std::make_unique<Transaction>();
  holder->sql().exec_params("SELECT 1 FROM room_log WHERE kind = 2 AND key = $1 FOR UPDATE", place.thread.value);
  const auto late = node.write(append_to(place.talk(), place),
                               {.name = "late", .callers = {}, .deadline = std::chrono::milliseconds{200}});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(late.error().retry_after_seconds.has_value());
  auto patient = node.submit(JobMode::kWrite, append_to(place.talk(), place));
  ASSERT_TRUE(eventually([&] { return node.metrics.transaction_retries.value() > 2; }));
  holder.reset();
  EXPECT_TRUE(patient.get());
  expect_chain(stored_events(place.talk()), 1);
}

TEST(StorageEngine, AFullQueueAndAPassedDeadlineAreUnavailableWithRetryAfter) {
  auto options = options_for(database().url(), 1);
  options.max_queued_jobs = 2;
  Node node(options);
  std::promise<void> go;
  auto gate = go.get_future().share();
  std::promise<void> running;
  auto holder = node.submit(JobMode::kRead, [&, gate](UnitOfWork&) -> Result<void> {
    running.set_value();
    gate.wait();
    return {};
  });
  running.get_future().wait();
  const auto nothing = [](UnitOfWork&) -> Result<void> { return {}; };
  auto waits = node.submit(JobMode::kRead, nothing);
  auto short_lived =
      node.submit(JobMode::kRead, nothing, {.name = "late", .callers = {}, .deadline = std::chrono::milliseconds{500}});
  const auto refused = node.submit(JobMode::kRead, nothing).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(refused.error().retry_after_seconds.has_value());
  // Answered although the only thread is busy.
  const auto late = short_lived.get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, core::ErrorCode::kUnavailable);
  EXPECT_EQ(node.metrics.jobs_refused.value(), 2U) << "the one that was late, too";
  go.set_value();
  EXPECT_TRUE(waits.get());
  EXPECT_TRUE(holder.get());
  EXPECT_EQ(node.metrics.jobs_queued.value(), 0);
}

TEST(StorageEngine, StopAnswersWhatWaitsAndLetsWhatRunsEnd) {
  auto node = std::make_unique<Node>(options_for(database().url(), 1));
  std::promise<void> go;
  auto gate = go.get_future().share();
  std::promise<void> running;
  auto holder = node->submit(JobMode::kWrite, [&, gate](UnitOfWork&) -> Result<void> {
    running.set_value();
    gate.wait();
    return {};
  });
  running.get_future().wait();
  auto waits = node->submit(JobMode::kWrite, [](UnitOfWork&) -> Result<void> { return {}; });
  std::thread stopper([&] { node->database.stop(); });
  const auto refused = waits.get();
  go.set_value();
  stopper.join();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(holder.get());
  EXPECT_FALSE(node->read([](UnitOfWork&) -> Result<void> { return {}; }));
}

TEST(StorageEngine, WhatACallerBoundIsDestroyedOnTheIoThread) {
  Node node(options_for(database().url(), 2));
  std::promise<std::thread::id> told;
  node.io.post([&] { told.set_value(std::this_thread::get_id()); });
  const auto io_thread = told.get_future().get();
  std::atomic<int> elsewhere{0};
  std::atomic<int> destroyed{0};
  const auto watched = [&] {
    return std::shared_ptr<int>(new int, [&](const int* value) {
      delete value;
      if (std::this_thread::get_id() != io_thread) ++elsewhere;
      ++destroyed;
    });
  };
  constexpr int kJobs = 300;
  node.io.post([&] {
    for (int i = 0; i < kJobs; ++i) {
      node.database.submit(
          JobMode::kRead, {.name = "test"}, [bound = watched()](UnitOfWork&) -> Result<void> { return {}; },
          [bound = watched()](Result<void>) {});
    }
  });
  ASSERT_TRUE(eventually([&] { return destroyed == 2 * kJobs; }));
  EXPECT_EQ(elsewhere, 0);
}

TEST(StorageEngine, FirstSightOfACallerIsWrittenAndAnAbsentClaimKeepsTheStoredOne) {
  Node node(options_for(database().url(), 1));
  const auto stored = [&](domain::UserId id) {
    Transaction transaction;
    const auto rows = transaction.sql().exec_params("SELECT username, COALESCE(picture, '-') FROM users WHERE id = $1",
                                                    id.value.text());
    return rows.empty() ? std::string("none") : rows[0][0].as<std::string>() + "/" + rows[0][1].as<std::string>();
  };
  auto actor = user_actor();
  const auto see = [&](bool fails = false) {
    node.read(
        [&](UnitOfWork&) -> Result<void> {
          if (fails) return core::fail(core::Error::not_found("no"));
          return {};
        },
        {.name = "see", .callers = {actor}});
    return stored(actor.id);
  };
  EXPECT_EQ(stored(actor.id), "none");
  EXPECT_EQ(see(true), "ann/-") << "also when the job itself fails";
  actor.username.reset();
  actor.picture = "p";
  EXPECT_EQ(see(), "ann/p");
  actor.username = "anna";
  actor.picture.reset();
  EXPECT_EQ(see(), "anna/p");
  domain::Actor nobody;
  ASSERT_TRUE(node.read([](UnitOfWork&) -> Result<void> { return {}; }, {.name = "see", .callers = {nobody}}));
  EXPECT_EQ(stored(nobody.id), "none");
  actor.username = std::string("a\0b", 3);
  EXPECT_TRUE(node.read([](UnitOfWork&) -> Result<void> { return {}; }, {.name = "see", .callers = {actor}}));
  EXPECT_EQ(stored(actor.id), "anna/p") << "a claim that the database cannot hold is as if absent";
}

TEST(StorageEngine, ACallerWhomAnotherNodeKnowsIsLookedAtAndNotWritten) {
  const auto actor = user_actor();
  const auto row = [&] {
    Transaction transaction;
    // Both move when the row is written, the second one also when it is only locked.
    const auto rows = transaction.sql().exec_params("SELECT xmin::text || '/' || xmax::text FROM users WHERE id = $1",
                                                    actor.id.value.text());
    return rows.at(0)[0].as<std::string>();
  };
  const auto see = [&](Node& node) {
    return node.read([](UnitOfWork&) -> Result<void> { return {}; }, {.name = "see", .callers = {actor}});
  };
  Node first(options_for(database().url(), 1));
  ASSERT_TRUE(see(first));
  const auto written = row();
  Node second(options_for(database().url(), 1));
  ASSERT_TRUE(see(second));
  EXPECT_EQ(row(), written);
}

class FakeProvider final : public domain::GrantProvider {
 public:
  void ask(std::vector<domain::GrantQuestion> questions, bool,
           std::move_only_function<void(Result<Answers>)> done) override {
    ++asked;
    if (silent) {
      kept.emplace_back(std::move(questions), std::move(done));
      return;
    }
    if (fails) return done(core::fail(core::Error::unavailable("The entitlement service does not answer.")));
    done(all(std::move(questions)));
  }
  /// What it was silent about, in order; on the I/O thread.
  void speak() {
    for (auto& [questions, done] : std::exchange(kept, {})) done(all(std::move(questions)));
  }
  static Answers all(std::vector<domain::GrantQuestion> questions) {
    Answers answers;
    for (auto& question : questions) {
      domain::Grant grant{question.kind, question.key, {}, {}};
      answers.emplace_back(std::move(question), std::move(grant));
    }
    return answers;
  }
  std::atomic<int> asked{0};
  bool fails = false;
  bool silent = false;
  std::vector<std::pair<std::vector<domain::GrantQuestion>, std::move_only_function<void(Result<Answers>)>>> kept;
};

TEST(StorageEngine, UnknownGrantsAreAskedOutsideTheTransactionAndTheJobRunsAgain) {
  FakeProvider provider;
  Node node(options_for(database().url()), &provider);
  const domain::UserId user = any_user();
  const auto ask = [&](std::vector<std::string> keys) {
    return [&, keys](UnitOfWork& work) -> Result<void> {
      for (const auto& key : keys) {
        const domain::GrantQuestion question{user, domain::GrantKind::kEntitlement, key};
        EXPECT_TRUE(work.grants().current(std::span(&question, 1), work.now()).at(0).has_value());
      }
      return {};
    };
  };
  EXPECT_TRUE(node.read(ask({"gold"})));
  EXPECT_EQ(provider.asked, 1);
  EXPECT_TRUE(node.write(ask({"gold", "silver", "bronze"})));
  EXPECT_EQ(provider.asked, 4);
  const auto too_many = node.read(ask({"a", "b", "c", "d"}));
  ASSERT_FALSE(too_many);
  EXPECT_EQ(too_many.error().code, core::ErrorCode::kInternal);
  provider.fails = true;
  const auto unknown = node.read(ask({"gold"}));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, core::ErrorCode::kUnavailable);
  provider.silent = true;
  const auto silent = node.submit(JobMode::kRead, ask({"gold"}),
                                  {.name = "t", .callers = {}, .deadline = std::chrono::milliseconds{50}})
                          .get();
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, core::ErrorCode::kUnavailable);
}

TEST(StorageEngine, WhoWaitsForTheProviderIsCountedToo) {
  FakeProvider provider;
  provider.silent = true;
  auto options = options_for(database().url());
  options.max_queued_jobs = 5;
  Node node(options, &provider);
  const auto ask = [](UnitOfWork& work) -> Result<void> {
    const domain::GrantQuestion question{any_user(), domain::GrantKind::kEntitlement, "gold"};
    (void)work.grants().current(std::span(&question, 1), work.now());
    return {};
  };
  const domain::JobOptions patient{.name = "t", .callers = {}, .deadline = std::chrono::seconds{30}};
  std::vector<std::future<Result<void>>> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(node.submit(JobMode::kRead, ask, patient));
    ASSERT_TRUE(eventually([&] { return provider.asked == i + 1; }));
  }
  auto refused = node.submit(JobMode::kRead, ask, patient);
  ASSERT_EQ(refused.wait_for(std::chrono::seconds{10}), std::future_status::ready);
  const auto result = refused.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
}

domain::CreateMessage say(const Place& place, std::string body = "hello") {
  domain::CreateMessage command;
  command.actor = user_actor();
  command.channel_id = place.channel;
  command.body = std::move(body);
  return command;
}

TEST(GroupCommit, WhatQueuedDuringACommitSharesTheNext) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  auto holder = std::make_unique<Transaction>();
  holder->sql().exec_params("SELECT 1 FROM room_log WHERE kind = 2 AND key = $1 FOR UPDATE", place.thread.value);
  std::vector<std::future<Result<domain::CreatedMessage>>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(node.message(say(place, std::to_string(i))));
  holder.reset();
  std::int64_t last = 0;
  for (int i = 0; i < 50; ++i) {
    auto answer = answers[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->message.body, std::to_string(i));
    EXPECT_GT(answer->message.id.value, last) << "ids follow the order of arrival";
    last = answer->message.id.value;
  }
  expect_chain(stored_events(place.talk()), 50);
  EXPECT_EQ(node.metrics.batch_messages.value(), 50U);
  EXPECT_LE(node.metrics.batches.value(), 10U);
}

TEST(GroupCommit, WhatAdminsWroteIsInTheAuditTrailInOrderAndWhatWasRefusedIsNot) {
  const TestDatabase own;
  Node node(options_for(own.url()));
  const auto place = make_place(own.url());
  auto holder = std::make_unique<Transaction>(own.url());
  holder->sql().exec_params("SELECT 1 FROM room_log WHERE kind = 2 AND key = $1 FOR UPDATE", place.thread.value);
  std::vector<std::future<Result<domain::CreatedMessage>>> answers;
  for (int i = 0; i < 20; ++i) {
    auto command = say(place, std::to_string(i));
    if (i % 2 == 0) command.actor = admin_actor();
    if (i == 4) command.channel_id = {987654321};
    answers.push_back(node.message(std::move(command)));
  }
  holder.reset();
  std::vector<std::string> written;
  for (int i = 0; i < 20; ++i) {
    const auto answer = answers[static_cast<std::size_t>(i)].get();
    ASSERT_EQ(answer.has_value(), i != 4) << i;
    if (answer && i % 2 == 0) written.push_back(std::to_string(answer->message.id.value));
  }
  Transaction asking(own.url());
  std::vector<std::string> trail;
  for (const auto& row : asking.sql().exec("SELECT entity_id FROM audit_log ORDER BY id")) {
    trail.push_back(row[0].as<std::string>());
  }
  EXPECT_EQ(trail, written);
}

TEST(GroupCommit, APoisonedCommandFailsAloneAndTheOthersAreWritten) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  auto holder = std::make_unique<Transaction>();
  holder->sql().exec_params("SELECT 1 FROM room_log WHERE kind = 2 AND key = $1 FOR UPDATE", place.thread.value);
  std::vector<std::future<Result<domain::CreatedMessage>>> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(node.message(say(place, i == 13 ? "\xff\xfe" : "fine")));
  holder.reset();
  for (int i = 0; i < 20; ++i) {
    const auto answer = answers[static_cast<std::size_t>(i)].get();
    EXPECT_EQ(answer.has_value(), i != 13) << i;
    if (!answer) {
      EXPECT_EQ(answer.error().code, core::ErrorCode::kInternal);
    }
  }
  expect_chain(stored_events(place.talk()), 19);
}

TEST(GroupCommit, ARoomThatSomebodyHoldsLeavesTheBatchAndComesBack) {
  auto options = options_for(database().url());
  options.lock_timeout = std::chrono::milliseconds{50};
  Node node(options);
  const auto held = make_place(database().url());
  const auto free = make_place(database().url());
  auto holder = std::make_unique<Transaction>();
  holder->sql().exec_params("SELECT 1 FROM room_log WHERE kind = 2 AND key = $1 FOR UPDATE", held.thread.value);
  auto first = node.message(say(held, "first"));
  auto second = node.message(say(held, "second"));
  auto hopeless = node.message(say(held), {.name = "t", .callers = {}, .deadline = std::chrono::milliseconds{300}});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(node.message(say(free)).get()) << "others go on";
  const auto late = hopeless.get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, core::ErrorCode::kUnavailable);
  holder.reset();
  const auto one = first.get();
  const auto two = second.get();
  ASSERT_TRUE(one);
  ASSERT_TRUE(two);
  EXPECT_LT(one->message.id.value, two->message.id.value);
  expect_chain(stored_events(held.talk()), 2);
}

Place make_gated_place() {
  Place gated;
  Transaction transaction;
  gated.channel = storage::PgChannels(transaction.session()).insert(gated_channel("gold"));
  gated.thread = storage::PgThreads(transaction.session()).insert(any_discussion(gated.channel));
  transaction.commit();
  return gated;
}

TEST(GroupCommit, MessagesThatWaitedForGrantsKeepTheirOrder) {
  FakeProvider provider;
  provider.silent = true;
  Node node(options_for(database().url()), &provider);
  const auto gated = make_gated_place();
  const auto open = make_place(database().url());
  auto one = node.message(say(gated, "one"));
  ASSERT_TRUE(eventually([&] { return provider.asked == 1; }));
  auto two = node.message(say(gated, "two"));
  ASSERT_TRUE(eventually([&] { return provider.asked == 2; }));
  // Both are answered while the batch's thread is held up by another room.
  auto holder = std::make_unique<Transaction>();
  holder->sql().exec("LOCK TABLE room_log IN ACCESS EXCLUSIVE MODE");
  auto plain = node.message(say(open));
  ASSERT_TRUE(eventually([&] { return node.metrics.jobs_queued.value() == 0; }));
  node.io.post([&] { provider.speak(); });
  ASSERT_TRUE(eventually([&] { return node.metrics.jobs_queued.value() == 2; }));
  holder.reset();
  ASSERT_TRUE(plain.get());
  const auto first = one.get();
  const auto second = two.get();
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_LT(first->message.id.value, second->message.id.value);
}

TEST(GroupCommit, AnAuthorIsKnownBeforeTheBatchAndGrantsAreAskedForThoseWhoNeedThem) {
  FakeProvider provider;
  Node node(options_for(database().url()), &provider);
  const auto gated = make_gated_place();
  const auto open = make_place(database().url());
  auto asking = node.message(say(gated));
  auto plain = node.message(say(open));
  const auto answer = asking.get();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->message.author.username, "ann");
  ASSERT_TRUE(plain.get());
  EXPECT_EQ(provider.asked, 1);
}

}  // namespace
}  // namespace belfry::pgtest
