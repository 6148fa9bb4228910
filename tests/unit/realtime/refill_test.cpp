#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

class RefillTest : public HubTest {
 protected:
  RefillTest()
      : HubTest(HubOptions{
            .recheck_interval = std::chrono::seconds{0}, .refill_records = 10, .max_concurrent_refills = 2}) {
    start();
    join_and_settle(*slow);
    join_and_settle(*fast);
    slow->heard.clear();
    fast->heard.clear();
  }
  void write(int count, const RoomKey& room = kRoom) {
    for (int i = 0; i < count; ++i) tell({world.append(room)});
  }
  void drain(Reader& who, int frames) {
    who.room_for = frames;
    hub->drained(who);
  }
  static Heard numbers(int from, int to) {
    Heard all;
    for (int i = from; i <= to; ++i) all.push_back("7#" + std::to_string(i));
    return all;
  }
  std::unique_ptr<Reader> slow = reader(1);
  std::unique_ptr<Reader> fast = reader(2);
};

TEST_F(RefillTest, SlowReaderLosesNothingAndHoldsNobodyUp) {
  slow->room_for = 3;
  write(25);
  EXPECT_EQ(slow->heard, numbers(1, 3));
  EXPECT_EQ(fast->heard, numbers(1, 25));
  EXPECT_TRUE(reads->calls.empty()) << "nothing is read for a socket that takes nothing";
  drain(*slow, 4);
  reads->settle();
  EXPECT_EQ(slow->heard, numbers(1, 7));
  drain(*slow, 1000);
  reads->settle();
  write(1);
  EXPECT_EQ(slow->heard, numbers(1, 26));
}

TEST_F(RefillTest, EventsCommittedDuringARefillFollowIt) {
  slow->room_for = 0;
  write(5);
  drain(*slow, 1000);
  ScriptedReads::look(reads->only(ReadKind::kPage));
  write(2);
  EXPECT_TRUE(slow->heard.empty());
  reads->settle();
  write(1);
  EXPECT_EQ(slow->heard, numbers(1, 8));
}

TEST_F(RefillTest, ControlRecordsAreSteppedOverUnseen) {
  slow->room_for = 0;
  write(1);
  tell({world.control(kRoom, domain::ControlKind::kMute, user_id(8))});
  write(1);
  drain(*slow, 1000);
  reads->settle();
  EXPECT_EQ(slow->heard, (Heard{"7#1", "7#3"}));
}

TEST_F(RefillTest, EvictedReaderIsNotRefilled) {
  slow->room_for = 0;
  write(3);
  drain(*slow, 1000);
  const auto page = reads->only(ReadKind::kPage);
  ScriptedReads::look(page);
  tell({world.revoke(user_id(1))});
  reads->answer(page);
  EXPECT_TRUE(slow->heard.empty());
  reads->settle();
  EXPECT_EQ(slow->heard, (Heard{"left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(RefillTest, EndsWhereTheRoomHasProcessedItsLog) {
  slow->room_for = 0;
  write(2);
  world.revoke(user_id(1));
  tell({world.append(kRoom)});  // written under a revocation that was not applied here: the room stands before it
  const auto access = reads->only(ReadKind::kPage);
  drain(*slow, 1000);
  for (const auto& call : reads->pending(ReadKind::kPage)) {
    if (call != access) reads->answer(call);
  }
  EXPECT_EQ(slow->heard, numbers(1, 2));
  reads->settle();
  EXPECT_EQ(slow->heard, (Heard{"7#1", "7#2", "left 7 ENTITLEMENT_REQUIRED"}));
  EXPECT_EQ(fast->heard, numbers(1, 3));
}

TEST_F(RefillTest, ReaderWhoseMissedEventsAreNoLongerKeptIsTold) {
  slow->room_for = 1;
  write(5);
  world.retained_from[kRoom] = 4;
  drain(*slow, 1000);
  reads->settle();
  EXPECT_EQ(slow->heard, (Heard{"7#1", "left 7 SERVICE_UNAVAILABLE"}));
  EXPECT_EQ(fast->heard, numbers(1, 5));
}

TEST_F(RefillTest, ReadThatFailsIsTriedAgain) {
  slow->room_for = 0;
  write(3);
  drain(*slow, 1000);
  reads->answer(reads->only(ReadKind::kPage), core::Error::unavailable("away"));
  pass(milliseconds{400});
  reads->settle();
  EXPECT_EQ(slow->heard, numbers(1, 3));
}

TEST_F(RefillTest, RemovedOrLeftDuringARefillHearsNothing) {
  slow->room_for = 0;
  fast->room_for = 0;
  write(3);
  drain(*slow, 1000);
  drain(*fast, 1000);
  hub->remove(*slow);
  slow.reset();
  hub->leave(*fast, kRoom);
  reads->settle();
  EXPECT_TRUE(fast->heard.empty());
  EXPECT_EQ(hub->counts().rooms, 0U);
}

TEST_F(RefillTest, ReadersAtTheSamePlaceShareTheirReads) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 10; i < 110; ++i) join(*readers.emplace_back(reader(i)));
  reads->settle();
  for (const auto& one : readers) one->room_for = 0;
  write(20);
  const auto before = metrics.refills.value();
  const int encoded = encoder.encoded;
  for (const auto& one : readers) drain(*one, 1000);
  reads->settle();
  for (const auto& one : readers) {
    ASSERT_EQ(one->heard.size(), 21U);
    hub->remove(*one);
  }
  EXPECT_LE(metrics.refills.value() - before, 4U);
  EXPECT_LE(encoder.encoded - encoded, 40);
}

TEST_F(RefillTest, ReadsAreBoundedAndTheRestWaitsItsTurn) {
  std::vector<domain::RoomTarget> targets;
  for (int i = 0; i < 6; ++i) targets.push_back({domain::RoomKind::kPosts, {100 + i}});
  for (const auto& target : targets) join_and_settle(*slow, target);
  slow->heard.clear();
  slow->room_for = 0;
  for (const auto& target : targets) tell({world.append(domain::posts_room(target.channel_id))});
  drain(*slow, 1000);
  EXPECT_EQ(reads->pending(ReadKind::kPage).size(), 2U);
  reads->settle();
  EXPECT_EQ(slow->heard.size(), 6U);
}

}  // namespace
}  // namespace belfry::realtime::testing
