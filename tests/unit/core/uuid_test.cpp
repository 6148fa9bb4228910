#include "belfry/core/uuid.hpp"

#include <set>

#include <gtest/gtest.h>

namespace belfry::core {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kAt{milliseconds(1'773'921'600'000)};

TEST(Uuid, TextRoundTripsInLowerCase) {
  const auto id = Uuid::parse("0190C0DE-1647-75b9-a5ba-07758a4f7675");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->text(), "0190c0de-1647-75b9-a5ba-07758a4f7675");
}

TEST(Uuid, RefusesEverythingButTheCanonicalForm) {
  for (const char* text : {"", "019ce156164775b9a5ba07758a4f7675", "{0190c0de-1647-75b9-a5ba-07758a4f7675}",
                           "0190c0de-1647-75b9-a5ba-07758a4f767", "0190c0de-1647-75b9-a5ba-07758a4f7675 ",
                           "0190c0de-1647-75b9-a5ba-07758a4f767g", "019ce1561-647-75b9-a5ba-07758a4f7675"}) {
    EXPECT_FALSE(Uuid::parse(text)) << text;
  }
}

TEST(Uuid, Version7CarriesItsMillisecondVersionAndVariant) {
  const Uuid id = Uuid::v7(kAt);
  EXPECT_EQ(id.v7_time(), kAt);
  EXPECT_EQ(id.bytes[6] >> 4, 7);
  EXPECT_EQ(id.bytes[8] >> 6, 2);
  EXPECT_GE(id, Uuid::v7_floor(kAt));
  EXPECT_LT(id, Uuid::v7_floor(kAt + milliseconds(1)));
}

TEST(Uuid, RandomPartsDiffer) {
  std::set<Uuid> seen;
  for (int i = 0; i < 5000; ++i) seen.insert(Uuid::v7(kAt));
  EXPECT_EQ(seen.size(), 5000U);
}

TEST(Uuid, FollowersRiseThoughTheClockGoesBack) {
  Uuid last = Uuid::v7(kAt);
  for (int i = 0; i < 10000; ++i) {
    const Uuid next = Uuid::v7_after(last, kAt - milliseconds(i));
    ASSERT_GT(next, last);
    ASSERT_EQ(next.bytes[6] >> 4, 7);
    ASSERT_EQ(next.bytes[8] >> 6, 2);
    last = next;
  }
}

TEST(Uuid, SuccessorCarriesAcrossVersionAndVariant) {
  const Uuid full = *Uuid::parse("0190c0de-1647-7fff-bfff-ffffffffffff");
  EXPECT_EQ(Uuid::v7_after(full, TimePoint{}).text(), "0190c0de-1648-7000-8000-000000000000");
  const Uuid low = *Uuid::parse("0190c0de-1647-7000-8000-0000000000ff");
  EXPECT_EQ(Uuid::v7_after(low, TimePoint{}).text(), "0190c0de-1647-7000-8000-000000000100");
}

TEST(Uuid, AFreshIdIsTakenWhenItIsGreater) {
  const Uuid last = Uuid::v7(kAt);
  EXPECT_EQ(Uuid::v7_after(last, kAt + milliseconds(5)).v7_time(), kAt + milliseconds(5));
}

}  // namespace
}  // namespace belfry::core
