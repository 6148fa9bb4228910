#include "unit/realtime/reader_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

class BarrierTest : public ::testing::Test {
 protected:
  BarrierTest() {
    world.logs[kRoom];
    world.logs[kTalk];
  }
  void pass(const RoomKey& room = kRoom) {
    barrier.pass(room, [this](core::Result<Moment> moment) {
      heard.push_back(moment ? moment->head.last_seq : -static_cast<std::int64_t>(moment.error().code));
    });
  }
  ManualClock clock;
  World world{clock};
  ScriptedReaderReads reads{world, clock};
  telemetry::Metrics metrics;
  Barrier barrier{reads, metrics, 3};
  std::vector<std::int64_t> heard;
};

TEST_F(BarrierTest, RequestIsNotAnsweredByAStatementThatBeganBeforeIt) {
  pass();
  const auto first = reads.next(Asked::kHeads);
  reads.look(first);
  world.append(kRoom);
  pass();
  ASSERT_EQ(reads.calls.size(), 1U) << "one statement at a time";
  reads.answer(first);
  EXPECT_EQ(heard, std::vector<std::int64_t>{0});
  reads.settle();
  EXPECT_EQ(heard, (std::vector<std::int64_t>{0, 1}));
}

TEST_F(BarrierTest, ThoseWhoWaitShareTheNextOneForAllTheirRooms) {
  pass();
  world.append(kTalk);
  pass(kRoom);
  pass(kTalk);
  pass(kTalk);
  reads.answer(Asked::kHeads);
  EXPECT_EQ(reads.next(Asked::kHeads)->questions, 2U);
  reads.settle();
  EXPECT_EQ(heard, (std::vector<std::int64_t>{0, 0, 1, 1}));
  EXPECT_EQ(metrics.barriers.value(), 2U);
}

TEST_F(BarrierTest, TooManyAreRefusedAndAFailureIsEverybodys) {
  for (int i = 0; i < 5; ++i) pass();
  const auto unavailable = -static_cast<std::int64_t>(core::ErrorCode::kUnavailable);
  EXPECT_EQ(heard, std::vector<std::int64_t>{unavailable}) << "one in flight, three wait";
  reads.answer(Asked::kHeads, core::Error::unavailable("away"));
  reads.answer(Asked::kHeads, core::Error::unavailable("away"));
  EXPECT_EQ(heard, std::vector<std::int64_t>(5, unavailable));
}

TEST_F(BarrierTest, RoomThatDoesNotExistIsSaid) {
  pass(domain::posts_room({404}));
  reads.settle();
  EXPECT_EQ(heard, std::vector<std::int64_t>{-static_cast<std::int64_t>(core::ErrorCode::kNotFound)});
}

}  // namespace
}  // namespace belfry::realtime::testing
