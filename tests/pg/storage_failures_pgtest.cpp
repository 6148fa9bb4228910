#include <gtest/gtest.h>

#include "pg/node.hpp"
#include "pg/proxy.hpp"
#include "storage/link.hpp"

// The wire breaks, the server goes away, COMMIT is in doubt; and the bus, whose connection breaks as any other.
namespace belfry::pgtest {
namespace {

using core::Result;
using domain::JobMode;
using domain::UnitOfWork;

void kill_backends(const std::string& url, const std::string& application) {
  Transaction transaction(url);
  transaction.sql().exec_params(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name "
      "= $1 "
      "AND pid <> pg_backend_pid()",
      application);
}

std::int64_t event_count(const domain::RoomKey& room) {
  Transaction transaction;
  return transaction.sql()
      .exec_params1(
          "SELECT count(*) FROM events e JOIN room_log r ON r.id = e.room_id WHERE r.kind = $1 AND r.key = $2",
          static_cast<int>(room.kind), room.key)[0]
      .as<std::int64_t>();
}

Result<void> nothing(UnitOfWork&) { return {}; }

TEST(StorageFailures, AConnectionKilledInsideAJobIsUnavailableAndTheNextJobWorks) {
  Node node(options_for(database().url(), 1));
  ASSERT_TRUE(eventually([&] { return node.database.health().ready; }));
  const auto place = make_place(database().url());
  const int restored = node.restored;
  const auto result = node.write([&](UnitOfWork& work) -> Result<void> {
    if (auto done = append_to(place.talk(), place)(work); !done) return done;
    kill_backends(database().url(), "belfry");
    (void)work.log().head(place.talk());
    return {};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(result.error().retry_after_seconds.has_value());
  EXPECT_EQ(event_count(place.talk()), 0);
  EXPECT_TRUE(node.write(append_to(place.talk(), place)));
  EXPECT_TRUE(eventually([&] { return node.restored > restored; }))
      << "positions are to be verified after a lost connection";
}

TEST(StorageFailures, AConnectionThatDiedIdleIsReplacedUnnoticed) {
  Node node(options_for(database().url(), 1));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  domain::CreateMessage command;
  command.actor = user_actor();
  command.channel_id = place.channel;
  command.body = "hi";
  ASSERT_TRUE(node.message(command).get());
  kill_backends(database().url(), "belfry");
  kill_backends(database().url(), "belfry-batch");
  EXPECT_TRUE(node.write(append_to(place.talk(), place)));
  command.actor = user_actor();
  EXPECT_TRUE(node.message(command).get());
}

TEST(StorageFailures, OneConnectionThatIsLeftServesAllWhoseThreadsHaveNone) {
  Proxy proxy(database().url());
  auto options = options_for(proxy.url(), 12);
  options.idle_in_transaction_timeout = std::chrono::seconds{20};  // the one that is left waits for the others to end
  Node node(options);
  ASSERT_TRUE(eventually([&] { return node.metrics.database_connections.value() >= 12; }));
  std::promise<std::string> left;
  std::promise<void> go;
  auto reading = node.submit(JobMode::kRead, [&, gate = go.get_future().share()](UnitOfWork& work) -> Result<void> {
    left.set_value(sql_of(work).exec1("SELECT pg_backend_pid()")[0].as<std::string>());
    gate.wait();
    return {};
  });
  const auto pid = left.get_future().get();
  proxy.mode = Proxy::Mode::kRefuseNew;
  Transaction(database().url())
      .sql()
      .exec_params(
          "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
          "WHERE datname = current_database() AND application_name = 'belfry' AND pid <> $1::int",
          pid);
  go.set_value();
  ASSERT_TRUE(reading.get());
  // One after the other: each comes to the thread that waits longest, and from there on to the next.
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(node.read(nothing)) << i;
}

TEST(StorageFailures, AStatementThatRunsTooLongIsUnavailable) {
  auto options = options_for(database().url(), 1);
  options.statement_timeout = std::chrono::milliseconds{500};
  Node node(options);
  // With time enough: nobody but the server ends it.
  const auto result = node.read(
      [](UnitOfWork& work) -> Result<void> {
        sql_of(work).exec("SELECT pg_sleep(5)");
        return {};
      },
      {.name = "test", .callers = {}, .deadline = std::chrono::seconds{60}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(node.read(nothing));
}

TEST(StorageFailures, ReadsGoOnWhileEveryWriterIsHeldUp) {
  Node node(options_for(database().url(), 4));
  std::promise<void> go;
  auto gate = go.get_future().share();
  std::vector<std::future<Result<void>>> writes;
  for (int i = 0; i < 8; ++i) {
    writes.push_back(node.submit(JobMode::kWrite, [gate](UnitOfWork&) -> Result<void> {
      gate.wait();
      return {};
    }));
  }
  EXPECT_TRUE(node.read(nothing));
  go.set_value();
  for (auto& write : writes) EXPECT_TRUE(write.get());
}

TEST(StorageFailures, ATransactionLeftIdleIsEndedByTheServer) {
  auto options = options_for(database().url(), 6);
  options.idle_in_transaction_timeout = std::chrono::seconds{1};
  Node node(options);
  const auto place = make_place(database().url());
  std::promise<void> go;
  auto gate = go.get_future().share();
  std::promise<void> locked;
  auto stopped = node.submit(JobMode::kWrite, [&, gate](UnitOfWork& work) -> Result<void> {
    if (auto done = append_to(place.talk(), place)(work); !done) return done;
    locked.set_value();
    gate.wait();
    return {};
  });
  ASSERT_EQ(locked.get_future().wait_for(std::chrono::seconds{10}), std::future_status::ready);
  EXPECT_TRUE(node.write(append_to(place.talk(), place))) << "a stopped thread does not freeze the room";
  go.set_value();
  const auto result = stopped.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
  EXPECT_EQ(event_count(place.talk()), 1);
}

TEST(StorageFailures, ACommitWhoseAnswerWasLostIsAskedForAndAnsweredAsCommitted) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 1));
  const auto place = make_place(database().url());
  std::atomic<int> runs{0};
  proxy.mode = Proxy::Mode::kCutAfterCommit;
  const auto result = node.write([&](UnitOfWork& work) -> Result<void> {
    ++runs;
    return append_to(place.talk(), place)(work);
  });
  EXPECT_TRUE(result);
  EXPECT_EQ(proxy.cuts, 1);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(event_count(place.talk()), 1);
  EXPECT_TRUE(eventually([&] { return node.notices().size() == 1; })) << "told, too";
}

TEST(StorageFailures, ACommitInDoubtThatAppendedNothingIsAskedForAsWell) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 1));
  std::atomic<int> runs{0};
  domain::ChannelId id;
  proxy.mode = Proxy::Mode::kCutAfterCommit;
  EXPECT_TRUE(node.write([&](UnitOfWork& work) -> Result<void> {
    ++runs;
    id = work.channels().insert(open_channel());
    return {};
  }));
  EXPECT_EQ(proxy.cuts, 1);
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
    EXPECT_TRUE(work.channels().find(id));
    return {};
  }));
}

TEST(StorageFailures, ACommitThatNeverArrivedIsRunAgainAndWrittenOnce) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 1));
  const auto place = make_place(database().url());
  std::atomic<int> runs{0};
  proxy.mode = Proxy::Mode::kCutBeforeCommit;
  EXPECT_TRUE(node.write([&](UnitOfWork& work) -> Result<void> {
    ++runs;
    return append_to(place.talk(), place)(work);
  }));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(event_count(place.talk()), 1);
  EXPECT_TRUE(eventually([&] { return node.notices().size() == 1; }));
}

TEST(StorageFailures, AnOutcomeThatNobodyCanTellIsUnavailable) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 1));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  ASSERT_TRUE(eventually([&] { return node.notices().size() == 1 && node.grown == 1; }));
  proxy.mode = Proxy::Mode::kCutAfterCommitForGood;
  const auto result =
      node.write(append_to(place.talk(), place), {.name = "doubt", .callers = {}, .deadline = std::chrono::seconds{2}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
  EXPECT_GE(proxy.cuts, 1) << "it was committed";
  EXPECT_EQ(node.notices().size(), 1U) << "nobody is told of what is not known";
  EXPECT_EQ(node.grown, 1) << "other nodes least of all";
}

TEST(StorageFailures, AServerThatFallsSilentWhenAskedForAnOutcomeHoldsNobody) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 1));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  proxy.mode = Proxy::Mode::kCutAfterCommitAndHush;
  auto answer = node.submit(JobMode::kWrite, append_to(place.talk(), place),
                            {.name = "doubt", .callers = {}, .deadline = std::chrono::seconds{2}});
  const bool in_time = answer.wait_for(std::chrono::seconds{10}) == std::future_status::ready;
  EXPECT_TRUE(in_time) << "a job's answer has to come";
  EXPECT_GT(proxy.hushed, 0);
  proxy.mode = Proxy::Mode::kRefuse;  // lets go of whoever still waits
  const auto result = answer.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
}

TEST(StorageFailures, NobodyCountsOnTheConnectionOfAThreadThatAsksForAnOutcome) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 6));  // two threads that write
  const auto place = make_place(database().url());
  ASSERT_TRUE(eventually([&] { return node.database.health().ready; }));
  proxy.mode = Proxy::Mode::kCutAfterCommitForGood;
  const domain::JobOptions patient{.name = "patient", .callers = {}, .deadline = std::chrono::seconds{20}};
  auto doubtful = node.submit(JobMode::kWrite, append_to(place.talk(), place), patient);
  ASSERT_TRUE(eventually([&] { return proxy.cuts == 1; }));
  const auto refused = node.write(nothing, patient);
  EXPECT_EQ(doubtful.wait_for(std::chrono::seconds{0}), std::future_status::timeout)
      << "refused at once: neither thread has a connection";
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kUnavailable);
  proxy.mode = Proxy::Mode::kPass;
  EXPECT_TRUE(doubtful.get());
}

TEST(StorageFailures, AnOutcomeThatIsToldInNoFormWeKnowIsUnknown) {
  const TestDatabase own;
  {
    Transaction transaction(own.url());
    // Found in front of the server's own, and tells nothing: not even a row.
    transaction.sql().exec(
        "CREATE FUNCTION public.pg_xact_status(xid8) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text WHERE "
        "false'");
    transaction.sql().exec(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
        "' SET search_path = public, pg_catalog'; END $$");
    transaction.commit();
  }
  telemetry::Metrics metrics;
  storage::Watchdog watchdog;
  storage::Link link(own.url(), own.url(), metrics);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  EXPECT_EQ(storage::resolve_commit(link, watchdog, {"4711", 0, {}}, deadline), storage::CommitOutcome::kUnknown);
}

TEST(StorageFailures, ALockedTableIsWaitedForUntilTheDeadlineAndNotLonger) {
  const TestDatabase own;
  Node node(options_for(own.url(), 1));
  const auto place = make_place(own.url());
  domain::CreateMessage command;
  command.actor = user_actor();
  command.channel_id = place.channel;
  command.body = "hi";
  ASSERT_TRUE(node.message(command).get());
  std::optional<Transaction> migration(own.url());
  migration->sql().exec("LOCK TABLE threads IN ACCESS EXCLUSIVE MODE");
  auto late = node.message(command, {.name = "t", .callers = {}, .deadline = std::chrono::milliseconds{600}});
  auto patient = node.message(command);
  EXPECT_EQ(late.wait_for(std::chrono::seconds{3}), std::future_status::ready);
  migration.reset();
  const auto refused = late.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(patient.get());
}

TEST(StorageFailures, ABatchInDoubtIsAnsweredByItsOutcome) {
  for (const auto mode : {Proxy::Mode::kCutAfterCommit, Proxy::Mode::kCutBeforeCommit}) {
    Proxy proxy(database().url());
    Node node(options_for(proxy.url(), 1));
    const auto place = make_place(database().url());
    domain::CreateMessage command;
    command.actor = user_actor();
    command.channel_id = place.channel;
    command.body = "hi";
    proxy.mode = mode;
    const auto answer = node.message(command).get();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(proxy.cuts, 1);
    EXPECT_EQ(event_count(place.talk()), 1);
  }
}

TEST(StorageFailures, AServerThatFallsSilentHoldsAThreadNotLongerThanTheWatchdogAllows) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 1));
  ASSERT_TRUE(node.read(nothing));
  const auto began = std::chrono::steady_clock::now();
  const auto result = node.read(
      [&](UnitOfWork& work) -> Result<void> {
        proxy.mode = Proxy::Mode::kStall;
        (void)work.log().head(domain::kAccessLog);
        return {};
      },
      {.name = "silent", .callers = {}, .deadline = std::chrono::milliseconds{200}});
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{4});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
  proxy.mode = Proxy::Mode::kPass;
  EXPECT_TRUE(eventually([&] { return node.read(nothing).has_value(); }));
}

TEST(StorageFailures, WhatWaitsInTheQueueOfASilentServerIsRefusedInTime) {
  Proxy proxy(database().url());
  Node node(options_for(proxy.url(), 1));
  ASSERT_TRUE(node.read(nothing));
  ASSERT_TRUE(eventually([&] { return node.database.health().ready; }));
  proxy.mode = Proxy::Mode::kStall;
  auto busy = node.submit(JobMode::kRead, nothing);
  // Longer than the health check looks once: it hangs, too, when these run out of time.
  std::vector<std::future<Result<void>>> queued;
  for (int i = 0; i < 3; ++i) {
    queued.push_back(node.submit(JobMode::kRead, nothing,
                                 {.name = "late", .callers = {}, .deadline = std::chrono::milliseconds{1500}}));
  }
  const auto began = std::chrono::steady_clock::now();
  for (auto& answer : queued) EXPECT_FALSE(answer.get());
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds{4000});
  proxy.mode = Proxy::Mode::kPass;
  EXPECT_TRUE(busy.get());
}

TEST(StorageFailures, WithoutADatabaseJobsAreRefusedAtOnceAndHealthSaysSoUntilItIsBack) {
  Proxy proxy(database().url());
  proxy.mode = Proxy::Mode::kRefuse;
  Node node(options_for(proxy.url(), 2));
  ASSERT_TRUE(eventually([&] { return node.database.health().reason.contains("cannot be reached"); }));
  for (int i = 0; i < 10; ++i) {
    const auto began = std::chrono::steady_clock::now();
    const auto result = node.read(nothing);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, core::ErrorCode::kUnavailable);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{1});
  }
  EXPECT_FALSE(node.database.health().ready);
  EXPECT_EQ(node.restored, 0);
  proxy.mode = Proxy::Mode::kPass;
  EXPECT_TRUE(eventually([&] { return node.database.health().ready; }));
  // More than once where somebody found out late that it had been away.
  EXPECT_TRUE(eventually([&] { return node.restored >= 1; }));
  EXPECT_TRUE(eventually([&] { return node.read(nothing).has_value(); }));
}

TEST(StorageFailures, AnOutcomeIsToldByTheTransactionAndProvedByItsEvent) {
  const auto place = make_place(database().url());
  std::string event;
  {
    Node node(options_for(database().url(), 1));
    ASSERT_TRUE(node.write(append_to(place.talk(), place)));
    ASSERT_TRUE(eventually([&] { return node.notices().size() == 1; }));
    event = node.notices()[0]->rooms[0].events[0]->id.value.text();
  }
  Transaction asking;
  const auto row = asking.sql().exec_params1(
      "SELECT j.xid::text, e.room_id FROM events e JOIN commit_journal j ON e.room_id = ANY (j.room_ids) WHERE "
      "e.event_id = $1",
      event);
  const auto committed = row[0].as<std::string>();
  const auto room = row[1].as<std::int64_t>();
  const auto journalled = Transaction()
                              .sql()
                              .exec1("SELECT written_at FROM commit_journal WHERE xid = '" + committed + "'")[0]
                              .as<std::string>();
  const auto xid = [](Transaction& transaction) {
    return transaction.sql().exec1("SELECT pg_current_xact_id()::text")[0].as<std::string>();
  };
  std::string aborted;
  {
    Transaction transaction;
    aborted = xid(transaction);
  }
  Transaction open;
  struct Case {
    const char* name;
    storage::CommitInDoubt doubt;
    storage::CommitOutcome outcome;
  };
  const std::vector<Case> cases{
      {"committed", {committed, room, core::Uuid::parse(event)}, storage::CommitOutcome::kCommitted},
      {"committed, nothing appended", {committed, 0, {}, journalled}, storage::CommitOutcome::kCommitted},
      {"another transaction has the number since a crash, nothing appended",
       {committed, 0, {}, "2001-01-01 00:00:00.000001+00"},
       storage::CommitOutcome::kAborted},
      {"another transaction has the number since a failover",
       {committed, room, any_uuid()},
       storage::CommitOutcome::kAborted},
      {"aborted", {aborted, room, any_uuid()}, storage::CommitOutcome::kAborted},
      {"still running", {xid(open), room, any_uuid()}, storage::CommitOutcome::kUnknown},
      {"lost by a crash, and its number not given again yet",
       {"99999999", room, any_uuid()},
       storage::CommitOutcome::kAborted},
  };
  telemetry::Metrics metrics;
  storage::Watchdog watchdog;
  for (const auto& c : cases) {
    storage::Link link(database().url(), database().url(), metrics);
    // Only what nobody can tell is waited for.
    const std::chrono::milliseconds patience{c.outcome == storage::CommitOutcome::kUnknown ? 300 : 10'000};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    EXPECT_EQ(storage::resolve_commit(link, watchdog, c.doubt, deadline), c.outcome) << c.name;
  }
}

struct HeardBus {
  explicit HeardBus(IoThread& io, const std::string& url)
      : bus(storage::make_postgres_bus(options_for(url), io.poster(), metrics)) {
    bus->on_hint([this](std::optional<domain::LogHint>) { ++hints; });
    bus->start();
  }
  ~HeardBus() { bus->stop(); }
  telemetry::Metrics metrics;
  std::atomic<int> hints{0};
  std::unique_ptr<domain::Bus> bus;
};

TEST(PostgresBus, TellsTheOthersAndNotItself) {
  IoThread io;
  HeardBus one(io, database().url());
  HeardBus two(io, database().url());
  ASSERT_TRUE(eventually([&] { return one.hints == 1 && two.hints == 1; })) << "one hint at connecting";
  one.bus->publish({});
  ASSERT_TRUE(eventually([&] { return two.hints == 2; }));
  two.bus->publish({});
  ASSERT_TRUE(eventually([&] { return one.hints == 2; }));
  EXPECT_EQ(two.hints, 2);
}

TEST(PostgresBus, CoalescesWhatComesFast) {
  IoThread io;
  HeardBus one(io, database().url());
  HeardBus two(io, database().url());
  ASSERT_TRUE(eventually([&] { return one.hints == 1 && two.hints == 1; }));
  for (int i = 0; i < 100000; ++i) one.bus->publish({});
  ASSERT_TRUE(eventually([&] { return two.hints >= 2; }));
  EXPECT_LT(two.hints, 20000);
}

TEST(PostgresBus, ComesBackAfterItsConnectionBrokeAndHintsWhatItMayHaveMissed) {
  IoThread io;
  HeardBus one(io, database().url());
  HeardBus two(io, database().url());
  ASSERT_TRUE(eventually([&] { return one.hints == 1 && two.hints == 1; }));
  kill_backends(database().url(), "belfry-bus");
  ASSERT_TRUE(eventually([&] { return one.hints == 2 && two.hints == 2; }));
  one.bus->publish({});
  EXPECT_TRUE(eventually([&] { return two.hints >= 3; }));
}

TEST(NodePresence, ALocalNodeSeesAnotherLiveOneAndOnlyWhileItLives) {
  telemetry::Metrics metrics;
  const TestDatabase own;
  storage::NodePresence local(options_for(own.url()), true, metrics);
  local.start();
  EXPECT_EQ(local.conflict(), "");
  {
    storage::NodePresence other(options_for(own.url()), false, metrics);
    other.start();
    EXPECT_TRUE(eventually([&] { return local.conflict().contains("1 other live node"); }));
    EXPECT_EQ(other.conflict(), "");
  }
  EXPECT_TRUE(eventually([&] { return local.conflict().empty(); }));
}

}  // namespace
}  // namespace belfry::pgtest
