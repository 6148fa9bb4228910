#include <stop_token>
#include <thread>

#include <gtest/gtest.h>

#include "belfry/domain/membership.hpp"
#include "belfry/domain/posts.hpp"
#include "pg/node.hpp"

// A standby that is to have every commit and is not there.
namespace belfry::pgtest {
namespace {

using core::Result;
using domain::UnitOfWork;

[[maybe_unused]] const bool kOwnCluster = want_own_cluster();

/// While it lives no commit is confirmed: a standby that is to have each is not there, and somebody cancels whoever
/// waits for it. PostgreSQL answers a cancelled wait with a warning only. Made for a node that is ready.
class Missing {
 public:
  explicit Missing(Node& node) : node_(node) {
    EXPECT_TRUE(eventually([&] { return node.database.health().ready; }));
    set("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    EXPECT_TRUE(eventually([&] { return !writes(); }));
  }
  ~Missing() {
    set("ALTER SYSTEM RESET synchronous_standby_names");
    EXPECT_TRUE(eventually([&] { return writes(); }));
  }

 private:
  static void set(const std::string& sql) {
    pqxx::connection connection(database().url());
    pqxx::nontransaction work(connection);
    work.exec(sql);
    work.exec("SELECT pg_reload_conf()");
  }
  static void cancel(const std::stop_token& stop) {
    pqxx::connection connection(database().url());
    pqxx::nontransaction work(connection);
    while (!stop.stop_requested()) {
      work.exec("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
      work.exec("SELECT pg_sleep(0.01)");
    }
  }
  bool writes() {
    return node_
        .write([](UnitOfWork& work) -> Result<void> {
          work.channels().insert(open_channel());
          return {};
        })
        .has_value();
  }

  Node& node_;
  std::jthread canceller_{&Missing::cancel};
};

/// A write that is asked for twice under one name, and how often it was done.
struct Repeated {
  std::string name;
  std::function<Result<void>(Node&)> ask;
  std::string count;  ///< SQL
};

std::int64_t done(const Repeated& write) {
  Transaction transaction;
  return transaction.sql().exec1(write.count)[0].as<std::int64_t>();
}

Repeated message(const Place& place) {
  domain::CreateMessage command;
  command.actor = user_actor();
  command.channel_id = place.channel;
  command.body = "hi";
  command.client_message_id = "m-1";
  return {"a message with its client's id",
          [command](Node& node) -> Result<void> {
            auto made = node.message(command).get();
            if (!made) return core::fail(made.error());
            return {};
          },
          "SELECT count(*) FROM messages WHERE thread_id = " + std::to_string(place.thread.value)};
}

Repeated post(const Place& place) {
  domain::CreatePost command;
  command.channel_id = place.channel;
  command.body_text = "Low tide at six.";
  const auto admin = admin_actor();
  command.idempotency = domain::IdempotencyKey{.caller = admin.id, .path = "/posts", .key = "k", .hash = "h"};
  return {"a post with an idempotency key",
          [admin, command](Node& node) {
            return node.write([admin, command](UnitOfWork& work) -> Result<void> {
              auto made = domain::create_post(work, admin, command);
              if (!made) return core::fail(made.error());
              return {};
            });
          },
          "SELECT count(*) FROM posts WHERE channel_id = " + std::to_string(place.channel.value)};
}

Repeated join(const Place& place) {
  const auto user = user_actor();
  return {"a join, which locks nothing",
          [user, channel = place.channel](Node& node) {
            return node.write(
                [user, channel](UnitOfWork& work) -> Result<void> {
                  auto joined = domain::join_channel(work, user, channel);
                  if (!joined) return core::fail(joined.error());
                  return {};
                },
                {.name = "join", .callers = {user}});
          },
          "SELECT count(*) FROM memberships WHERE channel_id = " + std::to_string(place.channel.value)};
}

TEST(StorageStandby, WhatRepeatsAWriteThatNoStandbyHasIsNotAcknowledgedEither) {
  Node node(options_for(database().url(), 2));
  const auto place = make_place(database().url());
  const std::vector<Repeated> writes{message(place), post(place), join(place)};
  {
    const Missing standby(node);
    for (const auto& write : writes) {
      for (const auto* turn : {"the first time", "again"}) {
        const auto answer = write.ask(node);
        EXPECT_TRUE(!answer && answer.error().code == core::ErrorCode::kUnavailable) << write.name << ", " << turn;
        EXPECT_EQ(done(write), 1) << write.name << ", " << turn << ": it did happen on this server";
      }
    }
  }
  for (const auto& write : writes) {
    EXPECT_TRUE(write.ask(node)) << write.name;
    EXPECT_EQ(done(write), 1) << write.name;
  }
}

TEST(StorageStandby, ARefusalWaitsForNoStandby) {
  Node node(options_for(database().url(), 2));
  const auto place = make_place(database().url());
  domain::CreateMessage command;  // of nobody
  command.channel_id = place.channel;
  command.body = "hi";
  const Missing standby(node);
  const auto answer = node.message(command).get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, core::ErrorCode::kUnauthorized);
}

}  // namespace
}  // namespace belfry::pgtest
