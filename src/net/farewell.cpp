#include "farewell.hpp"

#include <algorithm>

namespace belfry::net {

using std::chrono::milliseconds;

std::chrono::milliseconds reconnect_spread(std::size_t connections, int handshake_rate, int other_nodes) {
  const auto rate =
      static_cast<std::size_t>(std::max(1, handshake_rate)) * static_cast<std::size_t>(std::max(1, other_nodes));
  return std::max(kLeastReconnectSpread, milliseconds(connections * 1000 / rate));
}

std::vector<milliseconds> spread_delays(std::size_t count, milliseconds spread, std::mt19937& random) {
  std::uniform_real_distribution<double> place(0.0, 1.0);
  const auto part = static_cast<double>(spread.count()) / static_cast<double>(std::max<std::size_t>(1, count));
  std::vector<milliseconds> delays;
  delays.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    delays.emplace_back(static_cast<std::int64_t>(part * (static_cast<double>(i) + place(random))));
  }
  return delays;
}

void Farewell::begin(const std::vector<std::shared_ptr<Connection>>& sockets, const DrainPlan& plan) {
  auto order = sockets;
  std::ranges::shuffle(order, edge_->random);
  const auto delays = spread_delays(order.size(), plan.reconnect_within, edge_->random);
  const auto now = edge_->wheel.now();
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto closing = plan.reconnect_within.count() > 0
                             ? delays[i] * plan.close_within.count() / plan.reconnect_within.count()
                             : milliseconds(0);
    leaving_.push_back({order[i], now + closing});
    order[i]->announce(delays[i]);
  }
  close_due();
}

void Farewell::close_due() {
  const auto now = edge_->wheel.now();
  for (; closed_ < leaving_.size() && leaving_[closed_].at <= now; ++closed_) {
    if (const auto connection = leaving_[closed_].connection.lock()) connection->close_for_restart();
  }
  if (closed_ == leaving_.size()) return;
  const auto wait = std::chrono::ceil<milliseconds>(leaving_[closed_].at - now);
  timer_ = edge_->wheel.after(wait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->close_due();
  });
}

}  // namespace belfry::net
