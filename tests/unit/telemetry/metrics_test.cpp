#include "belfry/telemetry/metrics.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace belfry::telemetry {
namespace {

std::string render(const Metrics& metrics) {
  const Metrics* one = &metrics;
  return render_metrics({&one, 1});
}

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

TEST(Metrics, ALabelHasEachOfItsValuesFromTheStartAndNoOther) {
  Metrics metrics;
  metrics.http_responses[4].add(7);
  metrics.events_encoded[std::to_underlying(EventDialect::kSocketIo)].add(3);
  const std::string text = render(metrics);
  EXPECT_NE(text.find("# TYPE belfry_http_responses_total counter\n"
                      "belfry_http_responses_total{class=\"1xx\"} 0\n"
                      "belfry_http_responses_total{class=\"2xx\"} 0\n"
                      "belfry_http_responses_total{class=\"3xx\"} 0\n"
                      "belfry_http_responses_total{class=\"4xx\"} 7\n"
                      "belfry_http_responses_total{class=\"5xx\"} 0\n#"),
            std::string::npos);
  EXPECT_NE(text.find("# TYPE belfry_events_encoded_total counter\n"
                      "belfry_events_encoded_total{dialect=\"native\"} 0\n"
                      "belfry_events_encoded_total{dialect=\"socketio\"} 3\n#"),
            std::string::npos);
}

TEST(Metrics, WhatSeveralThreadsCountIsAddedUp) {
  Metrics first;
  Metrics second;
  first.deliveries.add(40);
  second.deliveries.add(2);
  first.cache_bytes.set(1000);
  second.cache_bytes.set(24);
  first.rooms.add(3);
  second.rooms.sub(1);
  first.http_responses[2].add(5);
  second.http_responses[2].add(6);
  first.job_seconds.observe(std::chrono::milliseconds(1));
  second.job_seconds.observe(std::chrono::seconds(2));
  const Metrics* parts[] = {&first, &second};
  const std::string text = render_metrics(parts);
  EXPECT_NE(text.find("\nbelfry_deliveries_total 42\n"), std::string::npos);
  EXPECT_NE(text.find("\nbelfry_cache_bytes 1024\n"), std::string::npos);
  EXPECT_NE(text.find("\nbelfry_rooms 2\n"), std::string::npos);
  EXPECT_NE(text.find("\nbelfry_http_responses_total{class=\"2xx\"} 11\n"), std::string::npos);
  EXPECT_NE(text.find("\nbelfry_job_seconds_bucket{le=\"0.001\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("\nbelfry_job_seconds_bucket{le=\"2.5\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("\nbelfry_job_seconds_sum 2.001\n"), std::string::npos);
  EXPECT_NE(text.find("\nbelfry_job_seconds_count 2\n"), std::string::npos);
  EXPECT_EQ(sum(parts, &Metrics::cache_bytes), 1024);
}

}  // namespace
}  // namespace belfry::telemetry
