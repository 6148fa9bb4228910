#include <gtest/gtest.h>

#include <set>

#include "belfry/domain/messages.hpp"
#include "belfry/wire/events.hpp"
#include "pg/node.hpp"

// What is read of the log: pages, gaps, the cut, masking, the journal.
namespace belfry::pgtest {
namespace {

using core::EventId;
using core::Result;
using domain::Gap;
using domain::JobMode;
using domain::LogPage;
using domain::LogPageQuery;
using domain::RoomKey;
using domain::UnitOfWork;

LogPage read_page(Node& node, const LogPageQuery& query) {
  LogPage page;
  const auto result = node.read([&](UnitOfWork& work) -> Result<void> {
    page = work.log().page(query);
    return {};
  });
  EXPECT_TRUE(result);
  return page;
}

/// Writes records with ids of chosen ages straight into the log: `ages` in seconds, oldest first, negative numbers are
/// control records.
std::vector<EventId> write_history(const Place& place, const std::vector<int>& ages) {
  Transaction transaction;
  std::vector<EventId> ids;
  std::string prev;
  std::string visible;
  const auto now = core::SystemClock{}.now();
  const auto room_id = transaction.sql()
                           .exec_params1("SELECT id FROM room_log WHERE kind = 2 AND key = $1", place.thread.value)[0]
                           .as<std::int64_t>();
  for (std::size_t i = 0; i < ages.size(); ++i) {
    const bool control = ages[i] < 0;
    const EventId id{core::Uuid::v7(now - std::chrono::seconds{std::abs(ages[i])})};
    transaction.sql().exec_params(
        "INSERT INTO events (room_id, event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, "
        "schema, payload) "
        "SELECT $1, $2, $3, NULLIF($4, '')::uuid, NULLIF($5, '')::uuid, 0, 0, $6, 1, $7, $8",
        room_id, id.value.text(), static_cast<std::int64_t>(i + 1), prev, visible, control ? 100 : 11,
        domain::kPayloadSchema,
        wire::encode_payload(control ? control_draft().payload : message_draft(place, 1).payload));
    prev = id.value.text();
    if (!control) visible = prev;
    ids.push_back(id);
  }
  transaction.sql().exec_params(
      "UPDATE room_log SET last_seq = $2, last_id = NULLIF($3, '')::uuid, last_visible_id = NULLIF($4, '')::uuid WHERE "
      "id = $1",
      room_id, static_cast<std::int64_t>(ages.size()), prev, visible);
  transaction.commit();
  return ids;
}

TEST(StorageLog, GapsAreSaidExactlyWhenContinuityCannotBeProved) {
  auto options = options_for(database().url());
  options.event_retention = std::chrono::seconds{60};
  Node node(options);
  // Seconds of age: behind the cut 300 and 200 (a control record between them), retained 30, 20 (control) and 10.
  const auto place = make_place(database().url());
  const auto ids = write_history(place, {300, -250, 200, 30, -20, 10});
  const auto quiet = make_place(database().url());
  const auto quiet_ids = write_history(quiet, {300, 200});
  const auto young = make_place(database().url());
  const auto young_ids = write_history(young, {30, 20});
  const auto silent = make_place(database().url());
  const auto ago = [](int seconds) {
    return EventId{core::Uuid::v7(core::SystemClock{}.now() - std::chrono::seconds{seconds})};
  };
  struct Case {
    const char* name;
    Place place;
    std::optional<EventId> since;
    bool control;
    Gap gap;
    std::size_t events;
  };
  const std::vector<Case> cases{
      {"no since: from the oldest retained", place, {}, false, Gap::kNone, 2},
      {"no since, with control records", place, {}, true, Gap::kNone, 3},
      {"the last before the cut is no gap", place, ids[2], false, Gap::kNone, 2},
      {"older than the last before the cut", place, ids[0], false, Gap::kExpired, 0},
      {"never there, older than what was cut", place, ago(400), false, Gap::kExpired, 0},
      {"never there, behind the last that was cut", place, ago(100), false, Gap::kUnknownEvent, 0},
      {"the oldest retained", place, ids[3], false, Gap::kNone, 1},
      {"the newest", place, ids[5], false, Gap::kNone, 0},
      {"a control record means nothing to a client", place, ids[4], false, Gap::kUnknownEvent, 0},
      {"a control record is a place for the hub", place, ids[4], true, Gap::kNone, 1},
      {"an expired control record is behind the cut", place, ids[1], false, Gap::kExpired, 0},
      {"another room's event", place, young_ids[0], false, Gap::kUnknownEvent, 0},
      {"a room quiet for longer than retention", quiet, quiet_ids[1], false, Gap::kNone, 0},
      {"a quiet room, for the hub", quiet, quiet_ids[1], true, Gap::kNone, 0},
      {"a quiet room's earlier event", quiet, quiet_ids[0], false, Gap::kExpired, 0},
      {"newer than anything", quiet, ago(0), false, Gap::kUnknownEvent, 0},
      {"nothing was ever cut, so old ids are unknown", young, ago(400), false, Gap::kUnknownEvent, 0},
      {"nil", young, EventId{}, false, Gap::kUnknownEvent, 0},
      {"an empty room", silent, ago(5), false, Gap::kUnknownEvent, 0},
      {"an empty room from its start", silent, {}, false, Gap::kNone, 0},
  };
  for (const auto& c : cases) {
    const auto page =
        read_page(node, {.room = c.place.talk(), .since = c.since, .up_to = {}, .control_records = c.control});
    EXPECT_EQ(page.gap, c.gap) << c.name;
    EXPECT_EQ(page.events.size(), c.events) << c.name;
    EXPECT_FALSE(page.has_more) << c.name;
    EXPECT_EQ(page.head.room, c.place.talk()) << c.name;
  }
  EXPECT_EQ(read_page(node, {.room = {domain::RoomKind::kPosts, 987654321}, .since = ago(1), .up_to = {}}).gap,
            Gap::kUnknownEvent);
}

TEST(StorageLog, TheCutMovesWithTheClockAndNotWithHousekeeping) {
  auto options = options_for(database().url());
  options.event_retention = std::chrono::seconds{6};
  Node node(options);
  const auto place = make_place(database().url());
  const auto ids = write_history(place, {7, 0});
  const auto page = read_page(node, {.room = place.talk(), .since = {}, .up_to = {}});
  ASSERT_EQ(page.events.size(), 1U);
  EXPECT_EQ(page.events[0]->id, ids[1]);
  EXPECT_EQ(read_page(node, {.room = place.talk(), .since = ids[0], .up_to = {}}).gap, Gap::kNone);
  ASSERT_TRUE(
      eventually([&] { return read_page(node, {.room = place.talk(), .since = {}, .up_to = {}}).events.empty(); }));
  EXPECT_EQ(read_page(node, {.room = place.talk(), .since = ids[1], .up_to = {}}).gap, Gap::kNone);
  EXPECT_EQ(read_page(node, {.room = place.talk(), .since = ids[0], .up_to = {}}).gap, Gap::kExpired);
}

TEST(StorageLog, PagesAreBoundedByRecordsBytesAndSeq) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write([&](UnitOfWork& work) -> Result<void> {
    const auto room = place.talk();
    if (auto locked = work.lock(std::span(&room, 1)); !locked) return locked;
    for (int i = 0; i < 5; ++i) {
      work.append(room, message_draft(place, 2'000'000 + i, std::string(1000, 'x')));
      work.append(room, control_draft());
    }
    return {};
  }));
  auto page = read_page(node, {.room = place.talk(), .since = {}, .up_to = {}, .limit = 2});
  ASSERT_EQ(page.events.size(), 2U);
  EXPECT_TRUE(page.has_more);
  EXPECT_EQ(page.head.last_seq, 10);
  EXPECT_EQ(page.events[1]->prev_visible_id, page.events[0]->id);
  page = read_page(node, {.room = place.talk(), .since = page.events[1]->id, .up_to = {}, .limit = 3});
  EXPECT_EQ(page.events.size(), 3U);
  EXPECT_FALSE(page.has_more);
  page = read_page(node, {.room = place.talk(), .since = {}, .up_to = {}, .limit = 100, .max_bytes = 1});
  EXPECT_EQ(page.events.size(), 1U) << "one at least";
  EXPECT_TRUE(page.has_more);
  page = read_page(node, {.room = place.talk(), .since = {}, .up_to = {}, .limit = 100, .max_bytes = 4500});
  EXPECT_GE(page.events.size(), 2U);
  EXPECT_LT(page.events.size(), 5U);
  EXPECT_TRUE(page.has_more);
  page = read_page(node, {.room = place.talk(), .since = {}, .up_to = 4, .control_records = true});
  ASSERT_EQ(page.events.size(), 4U);
  EXPECT_EQ(page.events[3]->seq, 4);
  EXPECT_EQ(page.events[3]->prev_id, page.events[2]->id);
  EXPECT_EQ(std::get<domain::ControlPayload>(page.events[3]->payload).kind, domain::ControlKind::kPolicy);
}

TEST(StorageLog, DeletedContentIsMaskedInEveryEarlierEventAndComesBackWithARestore) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  const auto admin = admin_actor();
  domain::CreateMessage command{
      .actor = user_actor(), .channel_id = place.channel, .body = "secret", .client_message_id = {}, .idempotency = {}};
  const auto created = node.message(command).get();
  ASSERT_TRUE(created);
  const auto id = created->message.id;
  const auto change = [&](auto service) {
    const auto done = node.write([&](UnitOfWork& work) -> Result<void> {
      auto result = service(work);
      if (!result) return core::fail(result.error());
      return {};
    });
    ASSERT_TRUE(done) << done.error().message;
  };
  change([&](UnitOfWork& work) { return domain::edit_message_as_admin(work, admin, id, "secret two"); });
  const auto bodies = [&] {
    std::string all;
    for (const auto& event : read_page(node, {.room = place.talk(), .since = {}, .up_to = {}}).events) {
      const auto& message = std::get<domain::MessagePayload>(event->payload).message;
      all += std::to_string(static_cast<int>(event->type)) + (event->masked ? "m" : "") + ":" + message.body + " ";
    }
    return all;
  };
  EXPECT_EQ(bodies(), "11:secret 12:secret two ");
  change([&](UnitOfWork& work) { return domain::delete_message_as_admin(work, admin, id); });
  EXPECT_EQ(bodies(), "11m: 12m: 13: ");
  change([&](UnitOfWork& work) { return domain::restore_message(work, admin, id); });
  EXPECT_EQ(bodies().substr(0, 24), "11:secret 12:secret two ");
  EXPECT_EQ(bodies().find('m'), std::string::npos);
}

TEST(StorageLog, TheJournalMissesNothingWhileLongTransactionsAreOpen) {
  auto options = options_for(database().url(), 6);
  options.idle_in_transaction_timeout = std::chrono::seconds{20};
  Node node(options);
  const domain::JobOptions patient{.name = "patient", .callers = {}, .deadline = std::chrono::seconds{20}};
  std::vector<Place> places;
  for (int i = 0; i < 4; ++i) places.push_back(make_place(database().url()));
  std::uint64_t from = 0;
  std::map<RoomKey, std::int64_t> heard;
  const auto sweep = [&] {
    ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
      const auto page = work.log().journal_since(from);
      for (const auto& [room, seq] : page.heads) heard[room] = std::max(heard[room], seq);
      from = page.next_xid;
      return {};
    }));
  };
  sweep();
  EXPECT_TRUE(heard.empty()) << "zero is only a start";
  EXPECT_GT(from, 0U);
  std::atomic<bool> stop{false};
  std::vector<std::future<Result<void>>> jobs;
  std::atomic<int> round{0};
  // Writers whose transactions lie open over several sweeps, and short ones between them.
  for (std::size_t w = 0; w < places.size(); ++w) {
    jobs.push_back(node.submit(
        JobMode::kWrite,
        [&, w](UnitOfWork& work) -> Result<void> {
          if (auto done = append_to(places[w].posts(), places[w])(work); !done) return done;
          const int until = round + 3 * static_cast<int>(w);
          eventually([&] { return round >= until || stop.load(); }, std::chrono::milliseconds{1500});
          return {};
        },
        patient));
    jobs.push_back(
        node.submit(JobMode::kWrite, append_to(places[w].talk(), places[w], static_cast<int>(w) + 1), patient));
  }
  for (int i = 0; i < 12; ++i) {
    sweep();
    ++round;
  }
  for (auto& job : jobs) ASSERT_TRUE(job.get());
  sweep();
  for (std::size_t w = 0; w < places.size(); ++w) {
    EXPECT_EQ(heard[places[w].posts()], 1) << w;
    EXPECT_EQ(heard[places[w].talk()], static_cast<std::int64_t>(w) + 1) << w;
  }
  // Transactions of other databases in the cluster hold the start point back as well.
  EXPECT_TRUE(eventually([&] {
    heard.clear();
    sweep();
    return heard.empty();
  })) << "nothing open, nothing repeated";
}

TEST(StorageLog, HeadsOfSeveralRoomsLeaveUnknownOnesOut) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
    const RoomKey rooms[] = {place.talk(), {domain::RoomKind::kPosts, 987654321}, place.posts(), domain::kAccessLog};
    std::map<RoomKey, std::int64_t> found;
    for (const auto& head : work.log().heads(rooms)) found[head.room] = head.last_seq;
    EXPECT_EQ(found.size(), 3U);
    EXPECT_EQ(found[place.talk()], 1);
    EXPECT_EQ(found[place.posts()], 0);
    EXPECT_FALSE(work.log().head({domain::RoomKind::kPosts, 987654321}));
    return {};
  }));
}

}  // namespace
}  // namespace belfry::pgtest
