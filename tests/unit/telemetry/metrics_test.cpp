#include "belfry/telemetry/metrics.hpp"

#include <gtest/gtest.h>

namespace belfry::telemetry {
namespace {

TEST(Metrics, TextHasHelpTypeAndValue) {
  Metrics metrics;
  metrics.rooms.add(3);
  const std::string text = render(metrics);
  EXPECT_NE(text.find("# TYPE belfry_rooms gauge\nbelfry_rooms 3\n"), std::string::npos);
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics;
  metrics.job_seconds.observe(std::chrono::milliseconds(1));
  metrics.job_seconds.observe(std::chrono::milliseconds(30));
  metrics.job_seconds.observe(std::chrono::seconds(60));
  const std::string text = render(metrics);
  EXPECT_NE(text.find("belfry_job_seconds_bucket{le=\"0.001\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("belfry_job_seconds_bucket{le=\"0.05\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("belfry_job_seconds_bucket{le=\"10\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("belfry_job_seconds_bucket{le=\"+Inf\"} 3\n"), std::string::npos);
  EXPECT_NE(text.find("belfry_job_seconds_count 3\n"), std::string::npos);
}

}  // namespace
}  // namespace belfry::telemetry
