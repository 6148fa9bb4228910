#include "unit/realtime/reader_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

class DecisionCacheTest : public ::testing::Test {
 protected:
  DecisionCacheTest() { cache.access_restarted(10); }
  static domain::Actor user(int number) {
    domain::Actor actor;
    actor.type = domain::ActorType::kUser;
    actor.id = user_id(number);
    return actor;
  }
  static domain::RoomDecision decision(std::int64_t access_seq, std::int64_t version = 1) {
    domain::RoomDecision decision;
    decision.access_seq = access_seq;
    decision.head.access_version = version;
    return decision;
  }
  static Moment at(std::int64_t access_seq, std::int64_t version = 1, core::TimePoint now = {}) {
    Moment moment;
    moment.head.access_version = version;
    moment.access_seq = access_seq;
    moment.now = now;
    return moment;
  }
  bool holds(int number, const Moment& moment) { return cache.holds(user(number), kRoom, moment); }

  DecisionCache cache{3, true, 4};
};

TEST_F(DecisionCacheTest, HoldsWhereItWasMadeAndAsFarAsTheAccessLogWasApplied) {
  cache.put(user(1), kRoom, decision(12));
  EXPECT_TRUE(holds(1, at(11)));
  EXPECT_TRUE(holds(1, at(12)));
  EXPECT_FALSE(holds(1, at(13))) << "not applied that far";
  cache.access_applied(user_id(2), 13);
  EXPECT_TRUE(holds(1, at(13)));
  EXPECT_FALSE(holds(2, at(12)));
}

TEST_F(DecisionCacheTest, RecordOfTheUserEndsItUnlessItWasDecidedAfterIt) {
  cache.put(user(1), kRoom, decision(10));
  cache.put(user(2), kRoom, decision(11));
  cache.access_applied(user_id(1), 11);
  EXPECT_FALSE(holds(1, at(10)));
  EXPECT_TRUE(holds(2, at(11)));
  cache.access_applied(user_id(2), 11);
  EXPECT_TRUE(holds(2, at(11)));
}

TEST_F(DecisionCacheTest, DecisionReadBeforeARecordThatIsAppliedAlreadyIsNotKept) {
  cache.access_applied(user_id(1), 11);
  cache.put(user(1), kRoom, decision(10));
  EXPECT_FALSE(holds(1, at(10)));
  cache.put(user(1), kRoom, decision(11));
  EXPECT_TRUE(holds(1, at(11)));
  cache.put(user(2), kRoom, decision(10));
  EXPECT_TRUE(holds(2, at(11))) << "nothing was said of that one";
}

TEST_F(DecisionCacheTest, WhatIsOlderThanWhatIsRememberedOfSubjectsIsNotKept) {
  cache.put(user(9), kRoom, decision(9));
  EXPECT_FALSE(holds(9, at(9))) << "before the log was followed";
  for (std::int64_t seq = 11; seq <= 16; ++seq) cache.access_applied(user_id(static_cast<int>(seq)), seq);
  cache.put(user(9), kRoom, decision(11));
  EXPECT_FALSE(holds(9, at(11))) << "the record of 12 is forgotten";
  cache.put(user(9), kRoom, decision(12));
  EXPECT_TRUE(holds(9, at(16)));
}

TEST_F(DecisionCacheTest, OtherControlRecordsOrALaterHourEndIt) {
  auto ends = decision(10);
  ends.valid_until = core::TimePoint{milliseconds{1000}};
  cache.put(user(1), kRoom, ends);
  EXPECT_TRUE(holds(1, at(10, 1, core::TimePoint{milliseconds{999}})));
  EXPECT_FALSE(holds(1, at(10, 1, core::TimePoint{milliseconds{1000}})));
  EXPECT_FALSE(holds(1, at(10, 2, core::TimePoint{milliseconds{999}})));
}

TEST_F(DecisionCacheTest, RefusalsAreNeverKeptAndRolesAreApart) {
  auto refused = decision(10);
  refused.refusal = core::Error::not_found("no");
  cache.put(user(1), kRoom, refused);
  EXPECT_FALSE(holds(1, at(10)));
  auto admin = user(1);
  admin.type = domain::ActorType::kAdmin;
  cache.put(admin, kRoom, decision(10));
  EXPECT_TRUE(cache.holds(admin, kRoom, at(10)));
  EXPECT_FALSE(holds(1, at(10)));
}

TEST_F(DecisionCacheTest, LeastRecentlyUsedMakesPlaceAndAForkLeavesNothing) {
  for (int i = 1; i <= 3; ++i) cache.put(user(i), kRoom, decision(10));
  EXPECT_TRUE(holds(1, at(10)));
  cache.put(user(4), kRoom, decision(10));
  EXPECT_FALSE(holds(2, at(10)));
  EXPECT_TRUE(holds(1, at(10)));
  EXPECT_EQ(cache.size(), 3U);
  cache.access_restarted(std::nullopt);
  EXPECT_EQ(cache.size(), 0U);
  cache.put(user(1), kRoom, decision(10));
  EXPECT_EQ(cache.size(), 0U) << "while nothing is followed";
  cache.access_restarted(8);
  cache.put(user(1), kRoom, decision(8));
  EXPECT_TRUE(holds(1, at(8)));
}

TEST_F(DecisionCacheTest, RightsThatRestOnGrantsOfAnotherServiceAreNotKept) {
  DecisionCache external{3, false};
  external.access_restarted(10);
  auto granted = decision(10);
  granted.granted = true;
  external.put(user(1), kRoom, granted);
  external.put(user(2), kRoom, decision(10));
  EXPECT_EQ(external.size(), 1U);
}

}  // namespace
}  // namespace belfry::realtime::testing
