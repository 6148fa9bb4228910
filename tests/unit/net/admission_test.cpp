#include "net/admission.hpp"

#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "net/farewell.hpp"

namespace belfry::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AdmissionTest : public ::testing::Test {
 protected:
  /// How many of `count` that end at once are admitted.
  static int admitted(Admission& admission, int count, Admission::Clock::time_point now) {
    int places = 0;
    for (int i = 0; i < count; ++i) places += admission.ask(now).has_value() ? 1 : 0;
    return places;
  }

  telemetry::Metrics metrics;
  Admission::Clock::time_point start{std::chrono::hours(1)};
};

TEST_F(AdmissionTest, AdmitsTwoSecondsWorthAtOnceAndThenTheRate) {
  Admission admission(100, 1000, metrics);
  EXPECT_EQ(admitted(admission, 500, start), 200);
  EXPECT_EQ(metrics.ws_handshakes_refused.value(), 300U);
  EXPECT_EQ(admitted(admission, 500, start), 0);
  EXPECT_EQ(admitted(admission, 500, start + milliseconds(9)), 0);
  EXPECT_EQ(admitted(admission, 500, start + milliseconds(10)), 1);
  EXPECT_EQ(admitted(admission, 500, start + milliseconds(510)), 50);
  EXPECT_EQ(admitted(admission, 500, start + std::chrono::hours(2)), 200) << "a pause saves up no more than that";
}

TEST_F(AdmissionTest, BoundsThoseUnderWay) {
  Admission admission(1000, 3, metrics);
  std::vector<Admission::Place> places;
  for (int i = 0; i < 3; ++i) places.push_back(admission.ask(start).value());
  EXPECT_FALSE(admission.ask(start));
  places.pop_back();
  EXPECT_TRUE(admission.ask(start));
  EXPECT_TRUE(admission.ask(start)) << "a place that was dropped is free again";
}

TEST_F(AdmissionTest, APlaceMayOutliveIt) {
  Admission::Place place;
  {
    Admission admission(1, 1, metrics);
    place = admission.ask(start).value();
  }
  place = nullptr;
}

TEST_F(AdmissionTest, TheRefusedComeBackAsAQueueAtTheRate) {
  constexpr int kRate = 100;
  Admission admission(kRate, 10, metrics);
  admitted(admission, 2 * kRate, start);
  std::map<long, int> told;
  for (int i = 0; i < 10 * kRate; ++i) ++told[admission.ask(start).error().count()];
  ASSERT_GE(told.begin()->first, 1);
  ASSERT_LE(told.rbegin()->first, 12);
  ASSERT_GE(told.size(), 10U) << "ten seconds' worth of clients";
  for (const auto& [wait, clients] : told) EXPECT_LE(clients, kRate * 3 / 2) << wait;
}

TEST_F(AdmissionTest, NobodyIsSentAwayForLongHoweverManyCome) {
  Admission admission(1, 10, metrics);
  admitted(admission, 2, start);
  std::map<long, int> told;
  for (int i = 0; i < 3000; ++i) ++told[admission.ask(start).error().count()];
  EXPECT_LE(told.rbegin()->first, 30);
  // The end of the queue is a wide one.
  for (long wait = 17; wait < 30; ++wait) EXPECT_GT(told[wait], 50) << wait;
}

TEST(ReconnectSpread, IsWhatTheOthersNeedAndFiveSecondsAtLeast) {
  EXPECT_EQ(reconnect_spread(0, 2000, 2), seconds(5));
  EXPECT_EQ(reconnect_spread(18000, 2000, 2), seconds(5));
  EXPECT_EQ(reconnect_spread(18000, 2000, 1), seconds(9));
  EXPECT_EQ(reconnect_spread(18000, 100, 2), seconds(90));
  EXPECT_EQ(reconnect_spread(18000, 100, 0), seconds(180)) << "they come back to this node";
}

TEST(SpreadDelays, PutsOneClientIntoEachEqualPart) {
  std::mt19937 random(7);
  for (const int clients : {1, 2, 10, 1000}) {
    const auto delays = spread_delays(static_cast<std::size_t>(clients), seconds(6), random);
    ASSERT_EQ(delays.size(), static_cast<std::size_t>(clients));
    for (int i = 0; i < clients; ++i) {
      const auto delay = delays[static_cast<std::size_t>(i)];
      EXPECT_GE(delay, milliseconds(6000 * i / clients)) << i;
      EXPECT_LE(delay, milliseconds(6000 * (i + 1) / clients)) << i;
    }
  }
  EXPECT_TRUE(spread_delays(0, seconds(6), random).empty());
  EXPECT_EQ(spread_delays(2, milliseconds(0), random), std::vector<milliseconds>(2));
}

}  // namespace
}  // namespace belfry::net
