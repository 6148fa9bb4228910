#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/node.hpp"
#include "storage/conninfo.hpp"
#include "storage/monitor.hpp"

// Migrations, health, partitions, housekeeping, and what every connection is set to.
namespace belfry::pgtest {
namespace {

using core::ErrorCode;
using core::Result;
using domain::UnitOfWork;

void run_sql(const std::string& url, const std::string& sql) {
  pqxx::connection connection(url);
  pqxx::nontransaction(connection).exec(sql);
}

std::string ask(const std::string& url, const std::string& sql) {
  pqxx::connection connection(url);
  return pqxx::nontransaction(connection).exec1(sql)[0].as<std::string>();
}

/// A database without anything in it.
void empty(const TestDatabase& database) {
  run_sql(database.url(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

Result<int> migrate(const TestDatabase& database, std::vector<std::string>* lines = nullptr) {
  return storage::migrate(database.url(), [lines](const std::string& line) {
    if (lines != nullptr) lines->push_back(line);
  });
}

TEST(Migrations, AreNumberedFromOneWithoutAGap) {
  int expected = 1;
  for (const auto& migration : storage::migrations()) {
    EXPECT_EQ(migration.version, expected++) << migration.name;
    EXPECT_FALSE(migration.sql.empty());
  }
}

TEST(Migrations, AreAppliedOnceAndSayWhatTheyDo) {
  const TestDatabase database;
  empty(database);
  std::vector<std::string> lines;
  const auto first = migrate(database, &lines);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*first, static_cast<int>(storage::migrations().size()));
  EXPECT_EQ(lines.size(), storage::migrations().size() + 1);
  EXPECT_EQ(lines.front(), "applying 0001 communication");
  EXPECT_EQ(ask(database.url(), "SELECT max(oldest_binary) FROM schema_migrations"), "1")
      << "all steps so far let the first binary run on";
  const auto second = migrate(database);
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, 0);
  Node node(options_for(database.url()));
  EXPECT_TRUE(node.write(append_to(domain::kAccessLog, Place{}))) << "there is a partition for now";
}

TEST(Migrations, TwoNodesThatMigrateAtOnceApplyThemOnce) {
  const TestDatabase database;
  empty(database);
  auto one = std::async(std::launch::async, [&] { return migrate(database); });
  auto two = std::async(std::launch::async, [&] { return migrate(database); });
  const auto first = one.get();
  const auto second = two.get();
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(*first + *second, static_cast<int>(storage::migrations().size()));
}

TEST(Migrations, ARefusalNamesItsCause) {
  struct Case {
    const char* name;
    const char* sql;
    ErrorCode code;
    const char* says;
  };
  const std::vector<Case> cases{
      {"changed after it was applied", "UPDATE schema_migrations SET checksum = 'x' WHERE version = 1",
       ErrorCode::kConflict, "Migration 1"},
      {"database newer than the binary",
       "INSERT INTO schema_migrations (version, name, checksum, oldest_binary) VALUES (999, 'later', 'x', 1)",
       ErrorCode::kConflict, "999"},
  };
  for (const auto& c : cases) {
    const TestDatabase database;
    run_sql(database.url(), c.sql);
    const auto result = migrate(database);
    ASSERT_FALSE(result) << c.name;
    EXPECT_EQ(result.error().code, c.code) << c.name;
    EXPECT_THAT(result.error().message, testing::HasSubstr(c.says)) << c.name;
  }
  const auto away = storage::migrate("postgresql://u:hidden@/nowhere?host=/nonexistent", {});
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(away.error().message, testing::Not(testing::HasSubstr("hidden")));
}

TEST(Migrations, OneThatFailsIsRolledBackWhole) {
  const TestDatabase database;
  empty(database);
  run_sql(database.url(), "CREATE TABLE audit_log (id bigint)");
  const auto result = migrate(database);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_EQ(ask(database.url(), "SELECT to_regclass('channels') IS NULL"), "t");
  run_sql(database.url(), "DROP TABLE audit_log");
  EXPECT_TRUE(migrate(database));
}

TEST(Health, DependsOnWhatBothSidesKnow) {
  struct Case {
    const char* name;
    std::optional<storage::SchemaVersion> found;
    int known;
    bool ready;
    const char* says;
  };
  const std::vector<Case> cases{
      {"no schema", std::nullopt, 3, false, "belfry migrate"},
      {"an empty book", storage::SchemaVersion{0, 0}, 3, false, "belfry migrate"},
      {"behind", storage::SchemaVersion{2, 1}, 3, false, "belfry migrate"},
      {"equal", storage::SchemaVersion{3, 3}, 3, true, ""},
      {"ahead, older binaries may stay", storage::SchemaVersion{4, 3}, 3, true, ""},
      {"ahead, older binaries may not", storage::SchemaVersion{4, 4}, 3, false, "newer belfry"},
  };
  for (const auto& c : cases) {
    const auto health = storage::judge_schema(c.found, c.known);
    EXPECT_EQ(health.ready, c.ready) << c.name;
    EXPECT_THAT(health.reason, testing::HasSubstr(c.says)) << c.name;
  }
}

TEST(Health, ADatabaseWithoutSchemaRefusesJobsUntilItIsMigrated) {
  const TestDatabase database;
  empty(database);
  Node node(options_for(database.url()));
  ASSERT_TRUE(eventually([&] { return node.database.health().reason.contains("belfry migrate"); }));
  const auto refused = node.read([](UnitOfWork& work) -> Result<void> {
    (void)work.log().head(domain::kAccessLog);
    return {};
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(migrate(database));
  ASSERT_TRUE(eventually([&] { return node.database.health().ready; }));
  EXPECT_TRUE(eventually([&] { return node.restored >= 1; }));
  EXPECT_TRUE(node.write(append_to(domain::kAccessLog, Place{})));
}

TEST(Health, AStoppedNodeIsNotReady) {
  Node node(options_for(database().url()));
  ASSERT_TRUE(eventually([&] { return node.database.health().ready; }));
  node.database.stop();
  EXPECT_FALSE(node.database.health().ready);
}

std::string partition_of(int days_ago) {
  return "'events_' || to_char((now() AT TIME ZONE 'UTC') - interval '" + std::to_string(days_ago) +
         " days', 'YYYYMMDD')";
}

/// A partition for a day in the past, and one event in it.
void make_old_day(const std::string& url, int days_ago) {
  const auto day = std::chrono::floor<std::chrono::days>(core::SystemClock{}.now()) - std::chrono::days{days_ago};
  const auto floor = [](auto at) {
    return core::Uuid::v7_floor(std::chrono::time_point_cast<std::chrono::milliseconds>(at)).text();
  };
  const auto name = ask(url, "SELECT " + partition_of(days_ago));
  run_sql(url, "CREATE TABLE " + name + " PARTITION OF events FOR VALUES FROM ('" + floor(day) + "') TO ('" +
                   floor(day + std::chrono::days{1}) + "')");
  run_sql(url,
          "INSERT INTO events (room_id, event_id, seq, access_seq, audience, type, entity_id, schema, payload) VALUES "
          "(1, '" +
              floor(day + std::chrono::hours{1}) + "', 1, 0, 0, 100, 0, 1, '{}')");
}

bool has_partition(const std::string& url, int days_ago) {
  return ask(url, "SELECT to_regclass(" + partition_of(days_ago) + ") IS NOT NULL") == "t";
}

TEST(Housekeeping, MakesPartitionsAheadAndDropsThoseADayBehindRetention) {
  const TestDatabase own;
  auto options = options_for(own.url());
  options.event_retention = std::chrono::days{3};
  for (const int day : {2, 3, 4, 5, 6, 9}) make_old_day(own.url(), day);
  run_sql(own.url(), "DROP TABLE " + ask(own.url(), "SELECT " + partition_of(-14)));
  storage::housekeep(options);
  EXPECT_TRUE(has_partition(own.url(), 1));
  EXPECT_TRUE(has_partition(own.url(), 0));
  EXPECT_TRUE(has_partition(own.url(), -14));
  for (const int day : {2, 3, 4}) EXPECT_TRUE(has_partition(own.url(), day)) << day;
  for (const int day : {5, 6, 9}) EXPECT_EQ(has_partition(own.url(), day), false) << day;
  EXPECT_EQ(ask(own.url(), "SELECT count(*) FROM events"), "3");
  storage::housekeep(options);
  EXPECT_EQ(ask(own.url(), "SELECT count(*) FROM events"), "3");
}

TEST(Housekeeping, FinishesWhatAnInterruptedPassLeft) {
  const TestDatabase own;
  auto options = options_for(own.url());
  options.event_retention = std::chrono::days{3};
  make_old_day(own.url(), 9);
  make_old_day(own.url(), 8);
  run_sql(own.url(), "ALTER TABLE events DETACH PARTITION " + ask(own.url(), "SELECT " + partition_of(9)));
  {
    // A reader of the table keeps the second step of a concurrent detach waiting until it is cancelled.
    Transaction reader(own.url());
    reader.sql().exec("SELECT count(*) FROM events");
    EXPECT_ANY_THROW(run_sql(
        own.url() + "&options=-c%20lock_timeout%3D100",
        "ALTER TABLE events DETACH PARTITION " + ask(own.url(), "SELECT " + partition_of(8)) + " CONCURRENTLY"));
  }
  EXPECT_EQ(ask(own.url(), "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"), "1");
  storage::housekeep(options);
  EXPECT_FALSE(has_partition(own.url(), 9));
  EXPECT_FALSE(has_partition(own.url(), 8));
}

TEST(Housekeeping, ADayThatIsNeededAgainIsAttachedAgain) {
  const TestDatabase own;
  run_sql(own.url(), "ALTER TABLE events DETACH PARTITION " + ask(own.url(), "SELECT " + partition_of(0)));
  storage::housekeep(options_for(own.url()));
  const auto place = make_place(own.url());
  Node node(options_for(own.url(), 1));
  EXPECT_TRUE(node.write(append_to(place.talk(), place)));
}

TEST(Housekeeping, AMissingPartitionIsMadeWhenItIsNeededAndTheWriterAskedToComeBack) {
  const TestDatabase own;
  Node node(options_for(own.url(), 1));
  const auto place = make_place(own.url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  // The room's ids ran ahead of the clock, beyond every day that is made ahead.
  const auto ahead = core::Uuid::v7(core::SystemClock{}.now() + std::chrono::days{40}).text();
  run_sql(own.url(), "UPDATE room_log SET last_id = '" + ahead + "' WHERE kind = 2");
  const auto write = [&] { return node.write(append_to(place.talk(), place)); };
  const auto refused = write();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(refused.error().retry_after_seconds.has_value());
  EXPECT_TRUE(eventually([&] { return write().has_value(); }));
  // The same for a batch: nobody kept house for weeks.
  wait_for_housekeeping(own.url());
  for (int day = -14; day <= 1; ++day) {
    run_sql(own.url(), "DROP TABLE IF EXISTS " + ask(own.url(), "SELECT " + partition_of(day)));
  }
  const auto other = make_place(own.url());
  domain::CreateMessage command;
  command.actor = user_actor();
  command.channel_id = other.channel;
  command.body = "hi";
  const auto late = node.message(command).get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, core::ErrorCode::kUnavailable);
  EXPECT_TRUE(eventually([&] { return node.message(command).get().has_value(); }));
}

TEST(Housekeeping, DeletesWhatHasEndedAndNothingElse) {
  const TestDatabase own;
  run_sql(own.url(), R"(
    INSERT INTO commit_journal (xid, room_ids, seqs, written_at)
      SELECT n::text::xid8, '{1}', '{1}', now() - interval '11 minutes' FROM generate_series(1, 12000) n;
    INSERT INTO commit_journal (xid, room_ids, seqs, written_at) VALUES ('900000', '{1}', '{1}', now() - interval '9 minutes');
    INSERT INTO ws_tickets (secret_hash, actor_type, actor_id, scope, issuer, expires_at, session_expires_at)
      SELECT s::bytea, 1, gen_random_uuid(), 0, 0, now() + e, now() FROM (VALUES ('old', interval '-1 s'), ('new', interval '30 s')) v (s, e);
    INSERT INTO idempotency_keys (caller, path, key, hash, answer_kind, entity_id, answer, created_at)
      SELECT gen_random_uuid(), '/', k, '', 0, 1, '{}', now() - a FROM (VALUES ('old', interval '25 h'), ('new', interval '23 h')) v (k, a);
  )");
  storage::housekeep(options_for(own.url()));
  EXPECT_EQ(ask(own.url(), "SELECT string_agg(xid::text, ',') FROM commit_journal"), "900000");
  EXPECT_EQ(ask(own.url(), "SELECT string_agg(convert_from(secret_hash, 'UTF8'), ',') FROM ws_tickets"), "new");
  EXPECT_EQ(ask(own.url(), "SELECT string_agg(key, ',') FROM idempotency_keys"), "new");
}

TEST(ConnectionInfo, SettingsHoldWhateverFormTheUrlHas) {
  const auto& uri = database().url();
  const auto host = uri.substr(uri.find("host=") + 5);
  const auto name = uri.substr(uri.find("@/") + 2, uri.find('?') - uri.find("@/") - 2);
  storage::ConnectionSettings settings;
  settings.lock_timeout = std::chrono::milliseconds{123};
  struct Case {
    const char* name;
    std::string url;
    std::string work_mem;
    std::string application;
  };
  const std::vector<Case> cases{
      {"uri", uri, "4MB", "belfry"},
      {"uri with options", uri + "&options=-c%20work_mem%3D8MB&application_name=mine", "8MB", "mine"},
      {"uri that says what we say", uri + "&options=-c%20work_mem%3D8MB%20-c%20lock_timeout%3D9&connect_timeout=9",
       "8MB", "belfry"},
      {"key=value", "host=" + host + " user=postgres dbname=" + name, "4MB", "belfry"},
      {"key=value with quoted options", "host = '" + host + "' options='-c work_mem=8MB' user=postgres dbname=" + name,
       "8MB", "belfry"},
      {"key=value with bare options", "host=" + host + " user=postgres options=-cwork_mem=8MB dbname=" + name, "8MB",
       "belfry"},
      {"key=value with empty options", "host=" + host + " user=postgres options='' dbname=" + name, "4MB", "belfry"},
  };
  for (const auto& c : cases) {
    const auto url = storage::make_conninfo(c.url, settings);
    const auto show = [&](const std::string& what) { return ask(url, "SHOW " + what); };
    EXPECT_EQ(show("lock_timeout"), "123ms") << c.name;
    EXPECT_EQ(show("statement_timeout"), "5s") << c.name;
    EXPECT_EQ(show("idle_in_transaction_session_timeout"), "2s") << c.name;
    EXPECT_EQ(show("timezone"), "UTC") << c.name;
    EXPECT_EQ(show("client_encoding"), "UTF8") << c.name;
    EXPECT_EQ(show("work_mem"), c.work_mem) << c.name;
    EXPECT_EQ(show("application_name"), c.application) << c.name;
  }
}

TEST(ConnectionInfo, OnlyThePrimaryIsAskedUnlessTheUrlSaysOtherwise) {
  const auto has = testing::HasSubstr("target_session_attrs=primary");
  EXPECT_THAT(storage::make_conninfo("postgresql://a,b/x", {}), has);
  EXPECT_THAT(storage::make_conninfo("host=a,b", {}), has);
  EXPECT_THAT(storage::make_conninfo("host=a target_session_attrs=any", {}), testing::Not(has));
  EXPECT_THAT(storage::make_conninfo("host=a", {.primary_only = false}), testing::Not(has));
}

TEST(ConnectionInfo, NoPasswordIsLeftInWhatIsLogged) {
  struct Case {
    const char* url;
    const char* secret;
  };
  const std::vector<Case> cases{
      {"postgresql://belfry:s3cret@db/x", "s3cret"},
      {"postgresql://db/x?user=belfry&password=s3cret&sslmode=require", "s3cret"},
      {"host=db password=s3cret user=belfry", "s3cret"},
      {"host=db user=belfry password = 's3 cret'", "s3 cret"},
  };
  for (const auto& c : cases) {
    const auto said = storage::without_password("cannot connect with " + std::string(c.url) + "\n", c.url);
    EXPECT_THAT(said, testing::Not(testing::HasSubstr(c.secret))) << c.url;
    EXPECT_THAT(said, testing::HasSubstr("***")) << c.url;
  }
  EXPECT_EQ(storage::without_password("plain", "postgresql://db/x"), "plain");
  EXPECT_EQ(storage::without_password("plain", "postgresql://u:secret@db/x?application_name=a@b"), "plain");
}

TEST(ConnectionInfo, WhatTheDriverTakesForSomethingElseIsNotLoggedEither) {
  const auto host = storage::without_password("could not translate host name \"9Qz@localhost\" to address: unknown",
                                              "postgresql://belfry:pre@9Qz@localhost/x");
  EXPECT_THAT(host, testing::Not(testing::HasSubstr("9Qz")));
  for (const std::string url : {
           "postgresql://belfry:Ab3xK/9Qz@localhost/belfry",    // a port
           "postgresql://belfry:pre@9Qz?Ab3xK@localhost/x",     // a parameter
           "postgresql://belfry:Ab3xK9Qz",                      // the host was forgotten
           "host=/nowhere user=belfry password=pre 9Qz",        // a keyword
           "host=/nowhere password=pre 9Qz=Ab3xK user=belfry",  // a keyword with a value
           "host=/nowhere password='pre 9Qz",                   // a quote that is not closed
       }) {
    std::string said;
    try {
      storage::Connection connection(storage::make_conninfo(url, {}));
    } catch (const std::exception& e) {
      said = e.what();
    }
    ASSERT_FALSE(said.empty()) << url;
    const auto shown = storage::without_password(said, url);
    EXPECT_THAT(shown, testing::Not(testing::AnyOf(testing::HasSubstr("9Qz"), testing::HasSubstr("Ab3"))))
        << url << "\n"
        << said;
    EXPECT_THAT(shown, testing::HasSubstr("%40")) << url << "\n" << said;
  }
}

}  // namespace
}  // namespace belfry::pgtest
