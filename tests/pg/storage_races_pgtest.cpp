#include <gtest/gtest.h>

#include "belfry/domain/messages.hpp"
#include "belfry/domain/moderation.hpp"
#include "belfry/domain/posts.hpp"
#include "belfry/domain/room_access.hpp"
#include "pg/node.hpp"
#include "storage/housekeeper.hpp"

// What two nodes decide about the same room at the same time.
namespace belfry::pgtest {
namespace {

using core::Result;
using domain::JobMode;
using domain::UnitOfWork;

domain::CreateMessage say(const Place& place, const domain::Actor& actor) {
  return {.actor = actor, .channel_id = place.channel, .body = "hello", .client_message_id = {}, .idempotency = {}};
}

storage::DatabaseOptions patient() {
  auto options = options_for(database().url(), 8);
  options.lock_timeout = std::chrono::seconds{20};
  options.idle_in_transaction_timeout = std::chrono::seconds{20};
  return options;
}

/// Holds the room of `place` in a write job of `node` until a second writer waits for it; `act` runs under the lock.
std::future<Result<void>> hold_until_awaited(Node& node, const Place& place, std::promise<void>& locked,
                                             std::function<void(UnitOfWork&)> act) {
  auto told = std::make_shared<std::atomic<bool>>(false);
  return node.submit(JobMode::kWrite, [&locked, place, told, act](UnitOfWork& work) -> Result<void> {
    const auto room = place.talk();
    if (auto got = work.lock(std::span(&room, 1)); !got) return got;
    if (!told->exchange(true)) locked.set_value();
    act(work);
    wait_until_blocked();
    return {};
  });
}

class Sanctioned : public ::testing::TestWithParam<domain::SanctionKind> {};

TEST_P(Sanctioned, AMessageThatWaitsBehindASanctionIsRefused) {
  Node first(patient());
  Node second(patient());
  const auto place = make_place(database().url());
  const auto author = user_actor();
  ASSERT_TRUE(second.message(say(place, author)).get()) << "allowed before";
  std::promise<void> locked;
  auto sanction = hold_until_awaited(first, place, locked, [&](UnitOfWork& work) {
    domain::Sanction row;
    row.kind = GetParam();
    row.thread_id = place.thread;
    row.user_id = author.id;
    row.admin_id = any_user();
    row.created_at = work.now();
    work.sanctions().set(row, work.next_seq(place.talk()));
    work.append(place.talk(), control_draft(domain::ControlKind::kBan));
  });
  locked.get_future().wait();
  const auto answer = second.message(say(place, author)).get();
  ASSERT_TRUE(sanction.get());
  ASSERT_FALSE(answer) << "it was decided on what was true before the lock";
  EXPECT_EQ(answer.error().reason, GetParam() == domain::SanctionKind::kBan ? core::Reason::kDiscussionBanned
                                                                            : core::Reason::kDiscussionMuted);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sanctioned, ::testing::Values(domain::SanctionKind::kBan, domain::SanctionKind::kMute),
                         [](const auto& kind) { return kind.param == domain::SanctionKind::kBan ? "Ban" : "Mute"; });

TEST(SlowMode, LetsOneOfManyParallelMessagesOnTwoNodesThrough) {
  Node first(patient());
  Node second(patient());
  for (int round = 0; round < 5; ++round) {
    const auto place = make_place(database().url());
    {
      Transaction transaction;
      transaction.sql().exec_params(
          "UPDATE threads SET slow_mode_enabled = true, slow_mode_interval_seconds = 60 WHERE id = $1",
          place.thread.value);
      transaction.commit();
    }
    const auto author = user_actor();
    std::vector<std::future<Result<domain::CreatedMessage>>> answers;
    for (int i = 0; i < 16; ++i) answers.push_back((i % 2 == 0 ? first : second).message(say(place, author)));
    int accepted = 0;
    for (auto& future : answers) {
      const auto answer = future.get();
      accepted += answer ? 1 : 0;
      if (!answer) {
        EXPECT_EQ(answer.error().reason, core::Reason::kSlowMode);
      }
    }
    EXPECT_EQ(accepted, 1);
  }
}

/// A channel for holders of "gold" with a discussion, and a grant of it.
Place make_gated_place(const domain::Actor& holder) {
  Transaction transaction;
  Place place;
  place.channel = storage::PgChannels(transaction.session()).insert(gated_channel("gold"));
  place.thread = storage::PgThreads(transaction.session()).insert(any_discussion(place.channel));
  transaction.sql().exec_params(
      "INSERT INTO grants (user_id, kind, key, valid_from, from_seq) VALUES ($1, 0, 'gold', now() - interval '1 h', 0)",
      holder.id.value.text());
  transaction.commit();
  return place;
}

void revoke_gold(pqxx::transaction_base& sql, const domain::Actor& holder) {
  sql.exec_params("UPDATE grants SET revoked_at = clock_timestamp(), until_seq = 1 WHERE user_id = $1",
                  holder.id.value.text());
}

/// Another node's transaction that holds the row of a room.
std::unique_ptr<Transaction> hold(const domain::RoomKey& room) {
  auto holder = std::make_unique<Transaction>();
  holder->sql().exec_params("SELECT FROM room_log WHERE kind = $1 AND key = $2 FOR UPDATE", static_cast<int>(room.kind),
                            room.key);
  return holder;
}

TEST(Races, AMessageThatWaitsWhileItsAuthorsRightIsRevokedIsRefused) {
  Node node(patient());
  const auto author = user_actor();
  const auto place = make_gated_place(author);
  ASSERT_TRUE(node.message(say(place, author)).get()) << "allowed before";
  auto holder = hold(place.talk());
  auto answer = node.message(say(place, author));
  wait_until_blocked();
  {
    Transaction revocation;
    revoke_gold(revocation.sql(), author);
    revocation.commit();
  }
  holder.reset();
  const auto refused = answer.get();
  ASSERT_FALSE(refused) << "it was decided on what was true before the lock";
  EXPECT_EQ(refused.error().reason, core::Reason::kEntitlementRequired);
}

TEST(Races, AReplayThatWaitsAcrossARevocationShowsNothingAfterIt) {
  Node node(patient());
  const auto reader = user_actor();
  const auto place = make_gated_place(reader);
  // The replay has decided and waits for the log; the right goes and an event follows before it reads on.
  Transaction holder;
  holder.sql().exec("LOCK TABLE events IN ACCESS EXCLUSIVE MODE");
  std::size_t seen = 0;
  auto replay = node.submit(JobMode::kRead, [&](UnitOfWork& work) -> Result<void> {
    domain::SyncRoom sync;
    sync.target = {domain::RoomKind::kDiscussion, place.channel};
    const auto synced = domain::sync_room(work, reader, sync);
    if (!synced) return core::fail(synced.error());
    seen = synced->page.events.size();
    return {};
  });
  ASSERT_TRUE(eventually([&] {
    Transaction look;
    return !look.sql()
                .exec(
                    "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                    "WHERE NOT l.granted AND l.relation = 'events'::regclass AND a.datname = current_database() "
                    "AND a.application_name = 'belfry'")
                .empty();
  }));
  revoke_gold(holder.sql(), reader);
  storage::LogWriter log(holder.session(), nullptr);
  const auto room = place.talk();
  ASSERT_TRUE(log.lock(std::span(&room, 1)));
  log.append(room, message_draft(place, 1'000'000, "not for those who left"));
  log.flush();
  holder.commit();
  ASSERT_TRUE(replay.get());
  EXPECT_EQ(seen, 0U) << "decision and content are of two moments";
}

TEST(Races, AWriteHasTheTimeOfItsLockAndNotOfItsBeginning) {
  Node node(patient());
  const auto place = make_place(database().url());
  auto holder = hold(place.talk());
  core::TimePoint decided_at;
  auto write = node.submit(JobMode::kWrite, [&](UnitOfWork& work) -> Result<void> {
    auto done = append_to(place.talk(), place)(work);
    decided_at = work.now();
    return done;
  });
  wait_until_blocked();
  const core::SystemClock clock;
  const auto waited = clock.now();
  ASSERT_TRUE(eventually([&] { return clock.now() > waited + std::chrono::milliseconds{5}; }));
  holder.reset();
  ASSERT_TRUE(write.get());
  EXPECT_GT(decided_at, waited) << "what ended while it waited has ended for it";
  ASSERT_TRUE(eventually([&] { return node.notices().size() == 1; }));
  EXPECT_GT(node.notices()[0]->rooms[0].events[0]->occurred_at(), waited);
}

TEST(Races, RoomsAreLockedInTheOrderOfTheirIdsAndNotAsTheyAreNamed) {
  Node node(patient());
  const auto first = make_place(database().url());
  const auto second = make_place(database().url());
  // By name the second channel's posts come before the first one's talk; by id it is the other way round.
  auto holder = hold(first.talk());
  auto write = node.submit(JobMode::kWrite, [&](UnitOfWork& work) -> Result<void> {
    const domain::RoomKey rooms[] = {second.posts(), first.talk()};
    return work.lock(rooms);
  });
  wait_until_blocked();
  {
    Transaction other;
    EXPECT_NO_THROW(other.sql().exec_params("SELECT FROM room_log WHERE kind = 1 AND key = $1 FOR UPDATE NOWAIT",
                                            second.channel.value))
        << "held already: with a writer that goes the other way it is a deadlock";
  }
  holder.reset();
  EXPECT_TRUE(write.get());
}

TEST(Races, IdsOfPostsAndMessagesRiseInCommitOrderWhicheverNodeWrites) {
  Node first(patient());
  Node second(patient());
  const auto place = make_place(database().url());
  std::int64_t message = 0;
  std::int64_t post = 0;
  for (int i = 0; i < 6; ++i) {
    Node& node = i % 2 == 0 ? first : second;
    const auto said = node.message(say(place, user_actor())).get();
    ASSERT_TRUE(said);
    EXPECT_GT(said->message.id.value, message) << "a poller behind the last id would skip it";
    message = said->message.id.value;
    ASSERT_TRUE(node.write([&](UnitOfWork& work) -> Result<void> {
      domain::CreatePost command;
      command.channel_id = place.channel;
      command.body_text = "text";
      const auto made = domain::create_post(work, admin_actor(), command);
      if (!made) return core::fail(made.error());
      EXPECT_GT(made->id.value, post);
      post = made->id.value;
      return {};
    }));
  }
}

TEST(Races, AnAuthorsRowThatSomebodyHoldsHoldsNoRoom) {
  Node node(patient());
  const auto place = make_place(database().url());
  const auto author = user_actor();
  ASSERT_TRUE(node.message(say(place, author)).get());
  Transaction renaming;
  renaming.sql().exec_params("UPDATE users SET username = 'zoe' WHERE id = $1", author.id.value.text());
  auto answer = node.message(say(place, author));
  ASSERT_EQ(answer.wait_for(std::chrono::seconds{4}), std::future_status::ready)
      << "it waits for a user's row while it holds the room";
  EXPECT_TRUE(answer.get());
}

/// Keeps every question until it is told to answer.
class SlowProvider final : public domain::GrantProvider {
 public:
  void ask(std::vector<domain::GrantQuestion> questions, bool,
           std::move_only_function<void(Result<Answers>)> done) override {
    Answers answers;
    for (auto& question : questions) answers.emplace_back(question, domain::Grant{question.kind, question.key, {}, {}});
    owed_ = [answers = std::move(answers), done = std::move(done)]() mutable { done(std::move(answers)); };
    ++asked;
  }
  /// On the I/O thread.
  void answer() {
    if (auto owed = std::exchange(owed_, nullptr)) owed();
  }
  std::atomic<int> asked{0};

 private:
  std::move_only_function<void()> owed_;
};

TEST(Races, NothingIsLockedWhileTheProviderIsAsked) {
  SlowProvider provider;
  Node node(options_for(database().url(), 8), &provider);
  const auto place = make_place(database().url());
  const auto user = any_user();
  auto asking = node.submit(JobMode::kWrite, [&](UnitOfWork& work) -> Result<void> {
    if (auto done = append_to(place.talk(), place)(work); !done) return done;
    const domain::GrantQuestion question{user, domain::GrantKind::kEntitlement, "gold"};
    (void)work.grants().current(std::span(&question, 1), work.now());
    return {};
  });
  ASSERT_TRUE(eventually([&] { return provider.asked == 1; }));
  const auto other = node.write(append_to(place.talk(), place),
                                {.name = "other", .callers = {}, .deadline = std::chrono::milliseconds{1500}});
  node.io.post([&] { provider.answer(); });
  EXPECT_TRUE(other) << "a service outside holds the room up";
  EXPECT_TRUE(asking.get());
}

struct Ears final : pqxx::notification_receiver {
  using notification_receiver::notification_receiver;
  void operator()(const std::string& payload, int) override { heard.push_back(payload); }
  /// All that was said before now.
  std::size_t count() {
    pqxx::nontransaction(conn()).exec("NOTIFY belfry_grew, 'the end'");
    EXPECT_TRUE(eventually([&] {
      conn().get_notifs();
      return !heard.empty() && heard.back() == "the end";
    }));
    return heard.size() - 1;
  }
  std::vector<std::string> heard;
};

TEST(Races, AWriteNotifiesNobodyInsideItsTransaction) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  pqxx::connection connection(database().url());
  Ears ears(connection, "belfry_grew");
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  ASSERT_TRUE(node.message(say(place, user_actor())).get());
  EXPECT_EQ(ears.count(), 0U) << "every commit would wait for the one lock behind all notifications";
}

TEST(Races, ManyCommitsAreFewNotifications) {
  IoThread io;
  telemetry::Metrics metrics;
  pqxx::connection connection(database().url());
  Ears ears(connection, "belfry_grew");
  const auto bus = storage::make_postgres_bus(options_for(database().url()), io.poster(), metrics);
  bus->start();
  for (int i = 0; i < 20'000; ++i) bus->publish({});
  ASSERT_TRUE(eventually([&] {
    connection.get_notifs();
    return !ears.heard.empty();
  }));
  bus->stop();
  EXPECT_LT(ears.count(), 4000U);
}

TEST(Races, AMessageDoesNotOvertakeAnEarlierOneThatWaitsForItsRoom) {
  auto options = options_for(database().url());
  options.lock_timeout = std::chrono::milliseconds{20};
  Node node(options);
  for (int round = 0; round < 5; ++round) {
    const auto place = make_place(database().url());
    const auto retries = node.metrics.transaction_retries.value();
    auto holder = hold(place.talk());
    auto earlier = node.message(say(place, user_actor()));
    // Put aside: a message of another room, which comes later, goes through meanwhile.
    ASSERT_TRUE(node.message(say(make_place(database().url()), user_actor())).get()) << retries;
    holder.reset();
    auto later = node.message(say(place, user_actor()));
    const auto one = earlier.get();
    const auto two = later.get();
    ASSERT_TRUE(one && two);
    EXPECT_LT(one->message.id.value, two->message.id.value);
  }
}

TEST(Races, MessagesThatWaitForTheirRoomComeBackInTheirOrder) {
  auto options = options_for(database().url());
  options.lock_timeout = std::chrono::milliseconds{20};
  Node node(options);
  const auto other = make_place(database().url());
  for (int round = 0; round < 3; ++round) {
    const auto place = make_place(database().url());
    auto holder = hold(place.talk());
    std::vector<std::future<Result<domain::CreatedMessage>>> waiting;
    for (int i = 0; i < 20; ++i) {
      waiting.push_back(node.message(say(place, user_actor())));
      // A batch later: each is put aside at a time of its own.
      ASSERT_TRUE(node.message(say(other, user_actor())).get());
    }
    holder.reset();
    domain::MessageId last{0};
    for (auto& answer : waiting) {
      const auto created = answer.get();
      ASSERT_TRUE(created);
      EXPECT_GT(created->message.id, last);
      last = created->message.id;
    }
  }
}

TEST(Races, PartitionsComeAndGoWhileTheLogIsReadAndWritten) {
  const TestDatabase own;
  auto options = options_for(own.url(), 4);
  options.event_retention = std::chrono::days{3};
  const auto day = std::chrono::floor<std::chrono::days>(core::SystemClock{}.now());
  const auto name = [&](int offset) {
    Transaction ask(own.url());
    return ask.sql()
        .exec1("SELECT 'events_' || to_char((now() AT TIME ZONE 'UTC') + interval '" + std::to_string(offset) +
               " days', 'YYYYMMDD')")[0]
        .as<std::string>();
  };
  const auto attached = [&](const std::string& partition) {
    Transaction look(own.url());
    return look.sql()
               .exec1("SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass('" + partition + "')")[0]
               .as<int>() == 1;
  };
  // The node keeps house when it starts: not beside what follows.
  {
    Transaction setup(own.url());
    setup.sql().exec("DROP TABLE " + name(13));
    setup.commit();
  }
  Node node(options);
  ASSERT_TRUE(eventually([&] { return attached(name(13)); }));
  wait_for_housekeeping(own.url());
  const auto place = make_place(own.url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  const auto floor = [](auto at) {
    return core::Uuid::v7_floor(std::chrono::time_point_cast<std::chrono::milliseconds>(at)).text();
  };
  {
    Transaction setup(own.url());
    const auto old = day - std::chrono::days{9};
    setup.sql().exec("CREATE TABLE " + name(-9) + " PARTITION OF events FOR VALUES FROM ('" + floor(old) + "') TO ('" +
                     floor(old + std::chrono::days{1}) + "')");
    setup.sql().exec("DROP TABLE " + name(14));
    setup.commit();
  }
  std::optional<Transaction> reader(own.url());
  reader->sql().exec("SELECT count(*) FROM events");
  std::thread keeper([&] { storage::housekeep(options); });
  // It made what was missing beside the reader, and waits for it to end before the old one may go.
  const bool made = eventually([&] { return attached(name(14)); }, std::chrono::seconds{5});
  EXPECT_TRUE(made) << "making a partition waits for readers";
  EXPECT_TRUE(eventually([&] {
    Transaction look(own.url());
    return look.sql()
               .exec1(
                   "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                   "WHERE NOT l.granted AND a.datname = current_database()")[0]
               .as<int>() > 0;
  }));
  auto write = node.submit(JobMode::kWrite, append_to(place.talk(), place));
  EXPECT_EQ(write.wait_for(std::chrono::seconds{3}), std::future_status::ready) << "dropping a partition shuts all out";
  reader.reset();
  keeper.join();
  EXPECT_TRUE(write.get());
  Transaction look(own.url());
  EXPECT_TRUE(look.sql().exec1("SELECT to_regclass('" + name(-9) + "') IS NULL")[0].as<bool>());
}

}  // namespace
}  // namespace belfry::pgtest
