// Tickets, idempotency keys, the audit log, users, and the conversions under all of the tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "belfry/core/mac.hpp"
#include "pg/harness.hpp"
#include "pg/rows.hpp"
#include "storage/tables/audit.hpp"
#include "storage/tables/channels.hpp"
#include "storage/tables/idempotency.hpp"
#include "storage/tables/messages.hpp"
#include "storage/tables/posts.hpp"
#include "storage/tables/threads.hpp"
#include "storage/tables/tickets.hpp"
#include "storage/tables/users.hpp"
#include "storage/values.hpp"

namespace belfry::pgtest {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// 32 bytes with all that is hard to pass as text: zero, quotes, backslash, bytes beyond ASCII.
std::string hash(char last) {
  std::string bytes("\0\x01\\'\"\xFF\x80,{}%", 11);
  bytes.resize(31, '\0');
  bytes.push_back(last);
  return bytes;
}

domain::Ticket any_ticket(char last) {
  domain::Ticket ticket;
  ticket.secret_hash = hash(last);
  ticket.actor = {.type = domain::ActorType::kUser, .id = any_user(), .username = "ann", .picture = std::nullopt};
  ticket.origin = "https://example.org";
  ticket.expires_at = at(30);
  ticket.session_expires_at = at(3600, 5);
  return ticket;
}

TEST(Tickets, AreRedeemedOnceWithAllTheySay) {
  Transaction transaction;
  storage::PgTickets tickets(transaction.session());
  const auto ticket = any_ticket('a');
  tickets.insert(ticket);
  EXPECT_FALSE(tickets.redeem(hash('b'), at(1)));
  const auto redeemed = tickets.redeem(ticket.secret_hash, at(29, 999));
  ASSERT_TRUE(redeemed);
  EXPECT_EQ(redeemed->secret_hash, ticket.secret_hash);
  EXPECT_EQ(redeemed->actor.type, ticket.actor.type);
  EXPECT_EQ(redeemed->actor.id, ticket.actor.id);
  EXPECT_EQ(redeemed->actor.username, "ann");
  EXPECT_FALSE(redeemed->actor.picture);
  EXPECT_EQ(redeemed->origin, ticket.origin);
  EXPECT_EQ(redeemed->scope, ticket.scope);
  EXPECT_EQ(redeemed->issuer, ticket.issuer);
  EXPECT_EQ(redeemed->expires_at, ticket.expires_at);
  EXPECT_EQ(redeemed->session_expires_at, ticket.session_expires_at);
  EXPECT_FALSE(tickets.redeem(ticket.secret_hash, at(1)));
}

TEST(Tickets, AnExpiredOneIsUsedUpByTheAttempt) {
  Transaction transaction;
  storage::PgTickets tickets(transaction.session());
  const auto ticket = any_ticket('c');
  tickets.insert(ticket);
  EXPECT_FALSE(tickets.redeem(ticket.secret_hash, ticket.expires_at));
  EXPECT_FALSE(tickets.redeem(ticket.secret_hash, at(0)));
}

TEST(Tickets, HaveExactlyOneWinnerAmongRacingAttempts) {
  for (char round = 'g'; round < 'l'; ++round) {
    {
      Transaction transaction;
      storage::PgTickets(transaction.session()).insert(any_ticket(round));
      transaction.commit();
    }
    std::latch ready(2);
    std::atomic<int> winners{0};
    const auto attempt = [&] {
      Transaction transaction;
      storage::PgTickets tickets(transaction.session());
      ready.arrive_and_wait();
      if (tickets.redeem(hash(round), at(0))) ++winners;
      transaction.commit();
    };
    {
      std::jthread first(attempt);
      std::jthread second(attempt);
    }
    EXPECT_EQ(winners, 1);
  }
}

struct Tables {
  Transaction transaction;
  storage::PgChannels channels{transaction.session()};
  storage::PgPosts posts{transaction.session()};
  storage::PgThreads threads{transaction.session()};
  storage::PgMessages messages{transaction.session()};
  storage::PgIdempotency idempotency{transaction.session()};

  std::optional<domain::IdempotencyRecord> find(const domain::IdempotencyKey& key) {
    return idempotency.find(std::span(&key, 1)).at(0);
  }
  bool store(const domain::IdempotencyKey& key, const domain::IdempotentAnswer& answer) {
    const domain::KeyedAnswer kept{key, answer};
    return idempotency.store(std::span(&kept, 1));
  }
};

domain::IdempotencyKey any_key(domain::UserId caller, std::string key = "k\"1") {
  return {.caller = caller, .path = "/api/admin/channels/1/posts", .key = std::move(key), .hash = hash('h')};
}

TEST(Idempotency, GivesTheFirstAnswerToTheSameCallerPathAndKeyOnly) {
  Tables tables;
  auto channel = gated_channel("vip");
  channel.id = tables.channels.insert(channel);
  const auto key = any_key(any_user());
  EXPECT_FALSE(tables.find(key));
  EXPECT_TRUE(tables.store(key, channel));
  const auto found = tables.find(key);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->hash, key.hash);
  const auto& answer = std::get<domain::Channel>(found->answer);
  EXPECT_EQ(answer.id, channel.id);
  EXPECT_EQ(answer.title, channel.title);
  EXPECT_EQ(answer.entitlement_key, "vip");

  auto other = key;
  other.caller = any_user();
  EXPECT_FALSE(tables.find(other));
  other = key;
  other.path += "x";
  EXPECT_FALSE(tables.find(other));
  other = key;
  other.key += "x";
  EXPECT_FALSE(tables.find(other));

  other = key;
  other.hash = hash('i');
  EXPECT_FALSE(tables.store(other, open_channel())) << "the first stays";
  EXPECT_EQ(tables.find(other)->hash, key.hash);
}

TEST(Idempotency, ManyKeysAreKeptAndFoundAtOnceEachInItsPlace) {
  Tables tables;
  std::vector<domain::KeyedAnswer> answers;
  std::vector<domain::IdempotencyKey> keys;
  for (const char* name : {"c", "a", "b"}) {
    auto channel = open_channel();
    channel.title = name;
    channel.id = tables.channels.insert(channel);
    keys.push_back(any_key(any_user(), name));
    answers.push_back({keys.back(), channel});
  }
  EXPECT_TRUE(tables.idempotency.store(answers));
  keys.insert(keys.begin() + 1, any_key(any_user()));
  const auto found = tables.idempotency.find(keys);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(std::get<domain::Channel>(found[0].value().answer).title, "c");
  EXPECT_FALSE(found[1]);
  EXPECT_EQ(std::get<domain::Channel>(found[2].value().answer).title, "a");
  EXPECT_EQ(std::get<domain::Channel>(found[3].value().answer).title, "b");

  answers[0].key = any_key(any_user());
  EXPECT_FALSE(tables.idempotency.store(answers)) << "two of them are taken";
  EXPECT_TRUE(tables.idempotency.find({}).empty());
  EXPECT_TRUE(tables.idempotency.store({}));
}

TEST(Idempotency, AStoredAnswerHidesWhatWasDeletedSinceAndShowsWhatWasRestored) {
  Tables tables;
  const auto channel = tables.channels.insert(open_channel());
  auto post = text_post(channel, "post secret");
  post.chart_payload_json = R"({"z":1.50,"a":"\u0000"})";
  post.attachments = {{.id = {}, .storage_key = "k", .file_name = "secret.png", .mime_type = "image/png"}};
  tables.posts.insert(post);
  domain::Message message =
      any_message(tables.threads.insert(any_discussion(channel)), as_user(any_user()), "message secret");
  message.channel_id = channel;
  tables.messages.insert({&message, 1});
  const auto post_key = any_key(any_user());
  const auto message_key = any_key(any_user());
  tables.store(post_key, post);
  tables.store(message_key, message);
  const auto stored_post = [&] { return std::get<domain::Post>(tables.find(post_key)->answer); };
  const auto stored_message = [&] { return std::get<domain::Message>(tables.find(message_key)->answer); };
  EXPECT_EQ(stored_post().body_text, "post secret");
  EXPECT_EQ(stored_post().chart_payload_json, post.chart_payload_json);
  EXPECT_EQ(stored_post().attachments, post.attachments);
  EXPECT_EQ(stored_message().body, "message secret");

  post.deleted_at = at(60);
  tables.posts.update(post, false);
  message.deleted_at = at(61);
  tables.messages.update(message);
  EXPECT_EQ(stored_post().deleted_at, at(60));
  EXPECT_FALSE(stored_post().body_text || stored_post().chart_payload_json);
  EXPECT_THAT(stored_post().attachments, IsEmpty());
  EXPECT_EQ(stored_message().deleted_at, at(61));
  EXPECT_TRUE(stored_message().masked);
  EXPECT_EQ(stored_message().body, "");

  message.deleted_at.reset();
  tables.messages.update(message);
  EXPECT_EQ(stored_message().body, "message secret");
  EXPECT_FALSE(stored_message().masked);
}

TEST(Idempotency, AKeyIsForgottenAfterADayAndCanBeUsedAnew) {
  Tables tables;
  auto first = open_channel();
  first.id = tables.channels.insert(first);
  auto second = open_channel();
  second.id = tables.channels.insert(second);
  const auto key = any_key(any_user());
  tables.store(key, first);
  const auto age = [&](const std::string& interval) {
    tables.transaction.sql().exec("UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '" + interval +
                                  "'");
  };
  age("23 hours 59 minutes");
  EXPECT_TRUE(tables.find(key));
  EXPECT_FALSE(tables.store(key, second));
  age("24 hours 1 second");
  EXPECT_FALSE(tables.find(key));
  EXPECT_TRUE(tables.store(key, second));
  EXPECT_EQ(std::get<domain::Channel>(tables.find(key)->answer).id, second.id);
}

/// Runs `end` on the first holder while a second one waits for the key; what the second one's `store` said.
template <class End>
bool store_behind(const domain::IdempotencyKey& key, End end) {
  std::optional<Tables> first(std::in_place);
  EXPECT_TRUE(first->store(key, open_channel()));
  bool stored = false;
  {
    std::jthread second([&] {
      Tables tables;
      stored = tables.store(key, open_channel());
      EXPECT_TRUE(tables.find(key)) << "either way the key has an answer now";
    });
    wait_until_blocked();
    end(*first);
    first.reset();
  }
  return stored;
}

TEST(Idempotency, ARacingDuplicateWaitsAndFindsTheFirstAnswer) {
  EXPECT_FALSE(store_behind(any_key(any_user()), [](Tables& first) { first.transaction.commit(); }));
}

TEST(Idempotency, ARacingDuplicateTakesOverWhenTheFirstRollsBack) {
  EXPECT_TRUE(store_behind(any_key(any_user()), [](Tables& first) { first.transaction.sql().abort(); }));
}

TEST(Audit, PagesFromTheNewestByEveryFilter) {
  Transaction transaction;
  storage::PgAudit audit(transaction.session());
  const auto ann = any_user();
  const auto bob = any_user();
  audit.append({.at = {},
                .admin_id = ann,
                .action = "channel.create",
                .entity_type = "channel",
                .entity_id = "1",
                .details_json = R"({"title": "it's \"x\""})"});
  audit.append({.at = {}, .admin_id = bob, .action = "channel.update", .entity_type = "channel", .entity_id = "1"});
  audit.append({.at = {}, .admin_id = ann, .action = "post.delete", .entity_type = "post", .entity_id = "1"});
  audit.append({.at = {}, .admin_id = ann, .action = "channel.update", .entity_type = "channel", .entity_id = "2"});
  EXPECT_THAT(audit.page({}), IsEmpty()) << "written together, at commit";
  audit.flush();
  audit.flush();
  const auto all = audit.page({});
  ASSERT_EQ(all.size(), 4U);
  EXPECT_GT(all[0].id, all[1].id);
  EXPECT_EQ(all[3].action, "channel.create");
  EXPECT_EQ(all[3].admin_id, ann);
  EXPECT_EQ(all[3].details_json, R"({"title": "it's \"x\""})");
  EXPECT_GT(all[3].at, at(0));

  const auto places = [&](const domain::AuditQuery& query) {
    std::vector<std::ptrdiff_t> found;
    for (const auto& entry : audit.page(query)) {
      found.push_back(std::ranges::find(all, entry.id, &domain::AuditEntry::id) - all.begin());
    }
    return found;
  };
  domain::AuditQuery query;
  query.admin_id = ann;
  EXPECT_THAT(places(query), ElementsAre(0, 1, 3));
  query.action = "channel.update";
  EXPECT_THAT(places(query), ElementsAre(0));
  query = {};
  query.entity_type = "channel";
  query.entity_id = "1";
  EXPECT_THAT(places(query), ElementsAre(2, 3));
  query = {};
  query.limit = 2;
  EXPECT_THAT(places(query), ElementsAre(0, 1, 2)) << "one more than the limit";
  query.before = all[1].id;
  EXPECT_THAT(places(query), ElementsAre(2, 3));
}

TEST(Users, AreFoundByIdAndMissingOnesLeftOut) {
  Transaction transaction;
  storage::PgUsers users(transaction.session());
  const auto named = any_user();
  const auto bare = any_user();
  transaction.sql().exec("INSERT INTO users (id, username, picture) VALUES ('" + named.value.text() +
                         "', 'ann', 'https://p'), ('" + bare.value.text() + "', NULL, NULL)");
  EXPECT_EQ(users.find(named)->username, "ann");
  EXPECT_EQ(users.find(named)->picture, "https://p");
  EXPECT_FALSE(users.find(bare)->username);
  EXPECT_FALSE(users.find(any_user()));
  const std::vector asked{bare, any_user(), named};
  EXPECT_EQ(users.find_all(asked).size(), 2U);
}

// Conversions, there and back through the server ---------------------------------------------------

struct TimeCase {
  const char* name;
  std::int64_t milliseconds;
  const char* text;  ///< in UTC, as PostgreSQL says it
};

TEST(Values, TimesGoThereAndBackExactly) {
  const TimeCase cases[] = {
      {"epoch", 0, "1970-01-01 00:00:00.000"},
      {"before the epoch", -1, "1969-12-31 23:59:59.999"},
      {"a millisecond that binary fractions miss", 1'700'000'000'001, "2023-11-14 22:13:20.001"},
      {"leap day", 1'709'164'799'999, "2024-02-28 23:59:59.999"},
      {"last that the API shows", 253'402'300'799'999, "9999-12-31 23:59:59.999"},
      {"first of year 1", -62'135'596'800'000, "0001-01-01 00:00:00.000"},
  };
  static constexpr storage::Statement kEcho{"values_time", R"(
    SELECT epoch_ms($1::timestamptz(3)), to_char($1::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'))"};
  Transaction transaction;
  transaction.sql().exec("SET LOCAL TimeZone = 'America/St_Johns'");
  transaction.sql().exec("SET LOCAL DateStyle = 'SQL, DMY'");
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.name);
    const domain::TimePoint time{std::chrono::milliseconds{expected.milliseconds}};
    const auto line = transaction.session().run(kEcho, storage::to_sql(time)).at(0);
    storage::RowReader row(line);
    EXPECT_EQ(row.next<domain::TimePoint>(), time);
    EXPECT_EQ(row.next<std::string>(), expected.text);
  }
}

TEST(Values, TimesBeyondTheApiAreCut) {
  EXPECT_EQ(storage::to_sql(domain::TimePoint::max()), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(storage::to_sql(domain::TimePoint::min()), "0001-01-01T00:00:00.000Z");
}

TEST(Values, ArraysKeepEveryElementAsItIs) {
  using Element = std::optional<std::string>;
  const std::vector<Element> hostile{"",
                                     "NULL",
                                     "null",
                                     std::nullopt,
                                     "a,b",
                                     "{}",
                                     "\"",
                                     "\\",
                                     "\\\"",
                                     " padded ",
                                     "'; DROP TABLE x; --",
                                     "\n\t",
                                     "\xC3\xA9\xF0\x9F\x98\x80"};
  static constexpr storage::Statement kEcho{"values_array",
                                            "SELECT e FROM unnest($1::text[]) WITH ORDINALITY AS u (e, n) ORDER BY n"};
  Transaction transaction;
  const auto echo = [&](const std::vector<Element>& elements) {
    std::vector<Element> found;
    for (const auto& line : transaction.session().run(kEcho, storage::to_sql_array(elements))) {
      found.push_back(storage::RowReader(line).next<Element>());
    }
    return found;
  };
  EXPECT_EQ(echo(hostile), hostile);
  EXPECT_EQ(echo({}), std::vector<Element>{});
  EXPECT_EQ(echo({std::nullopt}), std::vector<Element>{std::nullopt});
}

TEST(Values, HexadecimalDigitsAreStrict) {
  EXPECT_EQ(storage::from_hex(core::to_hex(hash('x'))), hash('x'));
  EXPECT_THROW(storage::from_hex("abc"), std::runtime_error);
  EXPECT_THROW(storage::from_hex("0g"), std::runtime_error);
}

TEST(Values, AColumnThatBreaksTheSchemaThrows) {
  Transaction transaction;
  const auto line = transaction.sql().exec("SELECT NULL, 'x', 40000, 'no-uuid'").at(0);
  EXPECT_THROW(storage::RowReader(line).next<std::int64_t>(), std::runtime_error);
  const auto skip = [&](int columns) {
    storage::RowReader row(line);
    while (columns-- > 0) row.next<std::optional<std::string>>();
    return row;
  };
  EXPECT_THROW(skip(1).next<std::int64_t>(), std::runtime_error);
  EXPECT_THROW(skip(2).next<std::int16_t>(), std::runtime_error);
  EXPECT_THROW(skip(3).next<core::Uuid>(), std::runtime_error);
}

}  // namespace
}  // namespace belfry::pgtest
