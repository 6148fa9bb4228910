#include "belfry/core/time.hpp"

#include <gtest/gtest.h>

namespace belfry::core {
namespace {

TEST(Iso8601, WritesMillisecondsAndZ) {
  EXPECT_EQ(format_iso8601(TimePoint(std::chrono::milliseconds(1'773'921'600'007))), "2026-03-19T12:00:00.007Z");
  EXPECT_EQ(format_iso8601(TimePoint{}), "1970-01-01T00:00:00.000Z");
}

TEST(Iso8601, ReadsOffsetsAndFractions) {
  const auto at = [](std::string_view text) {
    const auto parsed = parse_iso8601(text);
    return parsed ? format_iso8601(*parsed) : "none";
  };
  EXPECT_EQ(at("2026-03-19T12:00:00Z"), "2026-03-19T12:00:00.000Z");
  EXPECT_EQ(at("2026-03-19T14:00:00.5+02:00"), "2026-03-19T12:00:00.500Z");
  EXPECT_EQ(at("2026-03-19T11:30:00.1239-00:30"), "2026-03-19T12:00:00.123Z");
  EXPECT_EQ(at("2024-02-29T00:00:00.000000001Z"), "2024-02-29T00:00:00.000Z");
}

TEST(Iso8601, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026-03-19", "2026-03-19 12:00:00Z", "2026-03-19T12:00:00", "2026-02-30T12:00:00Z", "2026-13-01T12:00:00Z",
        "2026-03-19T24:00:00Z", "2026-03-19T12:60:00Z", "2026-03-19T12:00:60Z", "2026-03-19T12:00:00.Z",
        "2026-03-19T12:00:00.1234567890Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00", "2026-03-19T12:00:00Zx",
        "+2026-03-19T12:00:00Z", "20260319T120000Z"}) {
    EXPECT_FALSE(parse_iso8601(text)) << text;
  }
}

}  // namespace
}  // namespace belfry::core
