#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

class OrderingTest : public HubTest {
 protected:
  OrderingTest() {
    start();
    join_and_settle(*alice);
    alice->heard.clear();
  }
  std::unique_ptr<Reader> alice = reader(1);
};

TEST_F(OrderingTest, NextEventIsDeliveredFromTheNoticeWithoutARead) {
  tell({world.append(kRoom), world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
  EXPECT_TRUE(reads->calls.empty());
}

TEST_F(OrderingTest, DoubledNoticeIsDeliveredOnce) {
  const auto event = world.append(kRoom);
  tell({event});
  tell({event});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
}

TEST_F(OrderingTest, ReorderedNoticesArriveInLogOrderAndOnce) {
  const auto first = world.append(kRoom);
  const auto second = world.append(kRoom);
  tell({second});
  EXPECT_TRUE(alice->heard.empty());
  tell({first});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
}

TEST_F(OrderingTest, LostNoticeIsClosedByOneReadOfTheLog) {
  world.append(kRoom);
  world.append(kRoom);
  const auto third = world.append(kRoom);
  const auto before = metrics.log_reads.value();
  tell({third});
  tell({third});
  EXPECT_EQ(reads->pending(ReadKind::kPage).size(), 1U);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2", "7#3"}));
  EXPECT_EQ(metrics.log_reads.value(), before + 1);
}

TEST_F(OrderingTest, NumberThatFitsWithAnotherPredecessorIsNotDeliveredDirectly) {
  tell({world.append(kRoom)});
  auto stranger = std::make_shared<domain::Event>(*world.append(kRoom));
  stranger->prev_id = core::EventId{core::Uuid::v7(clock.now())};
  tell({stranger});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
}

TEST_F(OrderingTest, ReadThatFailsIsTriedAgain) {
  world.append(kRoom);
  tell({world.append(kRoom)});
  reads->answer(reads->only(ReadKind::kPage), core::Error::unavailable("away"));
  EXPECT_TRUE(reads->pending(ReadKind::kPage).empty());
  pass(milliseconds{400});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
}

TEST_F(OrderingTest, SweepFindsWhatNobodyTold) {
  world.append(kRoom);
  pass(milliseconds{600});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
}

TEST_F(OrderingTest, SweepThatFailsAsksFromTheSamePlaceAgain) {
  world.append(kRoom);
  pass(milliseconds{600});
  reads->answer(reads->only(ReadKind::kScan), core::Error::unavailable("away"));
  EXPECT_TRUE(alice->heard.empty());
  pass(milliseconds{600});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
}

TEST_F(OrderingTest, SweepBeginsWhereTheLastOneEnded) {
  hub->on_hint();
  const auto first = reads->only(ReadKind::kScan)->from_xid;
  world.append(kRoom);
  reads->settle();
  hub->on_hint();
  EXPECT_EQ(reads->only(ReadKind::kScan)->from_xid, first + 1);
  reads->settle();
}

TEST_F(OrderingTest, SilenceLongerThanTheJournalLivesIsMadeGoodByTheHeads) {
  world.append(kRoom);
  world.journal.back().first = kTalk;  // the row that told of it was deleted by age
  for (int second = 0; second < 6 * 60; ++second) {
    pass(milliseconds{1000});
    for (const auto& call : reads->pending(ReadKind::kScan)) reads->answer(call, core::Error::unavailable("away"));
  }
  EXPECT_EQ(alice->heard, Heard{});
  pass(milliseconds{1000});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
}

TEST_F(OrderingTest, ReaderThatLeavesFromInsideADeliveryCostsNobodyTheEvent) {
  std::vector<std::unique_ptr<Reader>> others;
  for (int i = 2; i < 8; ++i) join_and_settle(*others.emplace_back(reader(i)));
  for (const auto& one : others) one->heard.clear();
  Reader* const leaving = others.front().get();
  leaving->on_deliver = [&] { hub->remove(*leaving); };
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
  for (const auto& one : others) EXPECT_EQ(one->heard, (Heard{"7#1"}));
  tell({world.append(kRoom)});
  EXPECT_EQ(leaving->heard.size(), 1U);
  for (std::size_t i = 1; i < others.size(); ++i) EXPECT_EQ(others[i]->heard, (Heard{"7#1", "7#2"}));
  for (const auto& one : others) hub->remove(*one);
}

TEST_F(OrderingTest, TrueHintDuringTheReadThatDisprovesAFalseOneIsKept) {
  domain::LogHint lie;
  lie.room = kRoom;
  lie.last_seq = 1'000'000;
  hub->on_hint(lie);
  const auto page = reads->only(ReadKind::kPage);
  ScriptedReads::look(page);
  world.append(kRoom);
  hub->on_hint();
  reads->answer(reads->only(ReadKind::kScan));
  reads->answer(page);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
}

TEST_F(OrderingTest, HintsDuringASweepShareTheNextOne) {
  hub->on_hint();
  hub->on_hint();
  hub->on_hint();
  reads->answer(reads->only(ReadKind::kScan));
  reads->answer(reads->only(ReadKind::kScan));
  EXPECT_TRUE(reads->pending(ReadKind::kScan).empty());
}

TEST_F(OrderingTest, ControlRecordsAdvanceTheRoomUnseen) {
  tell({world.append(kRoom)});
  tell({world.control(kRoom, domain::ControlKind::kMute, user_id(5))});
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#3"}));
  EXPECT_TRUE(reads->calls.empty());
}

TEST_F(OrderingTest, RoomWhoseTailWasLostIsLeft) {
  world.append(kRoom);
  tell({world.append(kRoom), world.append(kRoom)});
  reads->settle();
  world.logs[kRoom].resize(2);  // a promoted standby
  hub->on_database_restored();
  reads->settle();
  EXPECT_EQ(alice->heard.back(), "left 7 SERVICE_UNAVAILABLE");
  EXPECT_EQ(hub->counts().rooms, 0U);
}

TEST_F(OrderingTest, RoomThatGrewOnAnotherBranchIsLeft) {
  tell({world.append(kRoom)});
  world.logs[kRoom].clear();
  clock.pass(milliseconds{5});
  world.append(kRoom);
  world.append(kRoom);
  hub->on_hint();
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "left 7 SERVICE_UNAVAILABLE"}));
}

TEST_F(OrderingTest, RoomThatDidNotForkStaysWhenTheDatabaseComesBack) {
  tell({world.append(kRoom)});
  world.append(kRoom);
  hub->on_database_restored();
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
}

TEST_F(OrderingTest, EventIsEncodedOnceForAllReadersOfADialect) {
  auto bob = reader(2);
  join_and_settle(*bob);
  tell({world.append(kRoom)});
  EXPECT_EQ(encoder.encoded, 1);
  EXPECT_EQ(bob->heard, (Heard{"joined", "7#1"}));
  EXPECT_EQ(metrics.deliveries.value(), 2U);
}

TEST_F(OrderingTest, WhatIsEncodedIsCountedForItsDialect) {
  const NumberEncoder other(telemetry::EventDialect::kSocketIo);
  Reader of_other(other, user_id(2));
  tell({world.append(kRoom)});
  join_and_settle(of_other);
  tell({world.append(kRoom), world.append(kRoom)});
  const auto counted = [&](telemetry::EventDialect dialect) {
    return metrics.events_encoded[std::to_underlying(dialect)].value();
  };
  EXPECT_EQ(counted(telemetry::EventDialect::kNative), 3U);
  EXPECT_EQ(counted(telemetry::EventDialect::kSocketIo), 2U);
  hub->remove(of_other);
}

TEST_F(OrderingTest, StaffEventReachesOnlyAdmins) {
  auto admin = reader(2);
  admin->become_admin();
  join_and_settle(*admin);
  auto staff = std::make_shared<domain::Event>(*world.append(kRoom));
  staff->audience = domain::Audience::kStaff;
  tell({staff});
  EXPECT_TRUE(alice->heard.empty());
  EXPECT_EQ(admin->heard, (Heard{"joined", "7#1"}));
}

}  // namespace
}  // namespace belfry::realtime::testing
