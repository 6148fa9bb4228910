#include "admission.hpp"

#include <algorithm>
#include <utility>

#include "belfry/telemetry/log.hpp"

namespace belfry::net {
namespace {

constexpr auto kAtOnce = std::chrono::seconds(2);
constexpr auto kLongestWait = std::chrono::seconds(30);
constexpr auto kTellEvery = std::chrono::seconds(10);

}  // namespace

Admission::Admission(int per_second, std::size_t most_in_flight, telemetry::Metrics& metrics)
    : interval_(std::chrono::nanoseconds(std::chrono::seconds(1)) / std::max(1, per_second)),
      most_in_flight_(most_in_flight),
      metrics_(metrics) {}

std::expected<Admission::Place, std::chrono::seconds> Admission::ask(Clock::time_point now) {
  const auto paid_until = std::max(paid_until_, now) + interval_;
  if (paid_until > now + kAtOnce || *in_flight_ >= most_in_flight_) return std::unexpected(turn_away(now));
  paid_until_ = paid_until;
  ++*in_flight_;
  return Place(nullptr, [count = in_flight_](std::nullptr_t) { --*count; });
}

std::chrono::seconds Admission::turn_away(Clock::time_point now) {
  metrics_.ws_handshakes_refused.add();
  ++untold_;
  tell(now);
  return next_moment(now);
}

std::chrono::seconds Admission::next_moment(Clock::time_point now) {
  std::uniform_real_distribution<double> jitter(0.0, 1.0);
  const std::chrono::duration<double> longest = kLongestWait;
  promised_ = std::max(promised_, now) + interval_;
  std::chrono::duration<double> wait = promised_ - now;
  if (wait >= longest) {
    // Some who were told a time will not come: the queue is not allowed to grow without end.
    promised_ = now + kLongestWait;
    wait = longest * (0.5 + 0.5 * jitter(random_));
  }
  const auto whole = static_cast<std::int64_t>(wait.count() + jitter(random_));
  return std::clamp(std::chrono::seconds(whole + 1), std::chrono::seconds(1), kLongestWait);
}

void Admission::tell(Clock::time_point now) {
  if (now < tell_at_) return;
  tell_at_ = now + kTellEvery;
  telemetry::warn("handshakes_refused", {{"count", std::exchange(untold_, 0)}, {"in_flight", *in_flight_}});
}

}  // namespace belfry::net
