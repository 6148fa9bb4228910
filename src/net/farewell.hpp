#pragma once

#include <chrono>
#include <memory>
#include <random>
#include <vector>

#include "belfry/net/server.hpp"
#include "connection.hpp"
#include "edge.hpp"

namespace belfry::net {

/// `count` delays below `spread`, rising, one at a random place in each of as many equal parts.
std::vector<std::chrono::milliseconds> spread_delays(std::size_t count, std::chrono::milliseconds spread,
                                                     std::mt19937& random);

/// Sends the WebSockets of a stopping server away: each hears its own delay at once and is closed later, those with the
/// short delays first. Loop's thread only.
class Farewell : public std::enable_shared_from_this<Farewell> {
 public:
  explicit Farewell(std::shared_ptr<Edge> edge) : edge_(std::move(edge)) {}
  void begin(const std::vector<std::shared_ptr<Connection>>& sockets, const DrainPlan& plan);
  void stop() { timer_.cancel(); }

 private:
  struct Leaving {
    std::weak_ptr<Connection> connection;
    runtime::Wheel::Clock::time_point at;
  };

  void close_due();

  std::shared_ptr<Edge> edge_;
  std::vector<Leaving> leaving_;  ///< by time
  std::size_t closed_ = 0;        ///< so many of them
  runtime::Wheel::Timer timer_;
};

}  // namespace belfry::net
