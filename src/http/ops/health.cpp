#include "http/endpoints.hpp"

namespace belfry::http::ops {
namespace {

void healthz(const ExchangePtr& exchange) {
  Response response;
  response.body = R"({"status":"ok"})";
  exchange->send(std::move(response));
}

void readyz(const ExchangePtr& exchange) {
  const Readiness readiness = exchange->parts().readiness();
  if (!readiness.ready) return exchange->fail(core::Error::unavailable(readiness.reason));
  Response response;
  response.body = R"({"status":"ready"})";
  exchange->send(std::move(response));
}

void metrics(const ExchangePtr& exchange) {
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  const auto& parts = exchange->parts();
  const telemetry::Metrics* own = &parts.metrics;
  response.body = telemetry::render_metrics(parts.all_metrics.empty() ? telemetry::MetricsParts(&own, 1)
                                                                      : telemetry::MetricsParts(parts.all_metrics));
  exchange->send(std::move(response));
}

constexpr Endpoint kEndpoints[] = {
    {"GET", "/healthz", Access::kNone, healthz},
    {"GET", "/readyz", Access::kNone, readyz},
    {"GET", "/metrics", Access::kNone, metrics},
};

}  // namespace

std::span<const Endpoint> endpoints() { return kEndpoints; }

}  // namespace belfry::http::ops
