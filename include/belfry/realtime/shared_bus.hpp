#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "belfry/domain/log.hpp"

namespace belfry::realtime {

/// One bus for the hubs of several I/O threads: one connection, one heartbeat, each hint decoded once. A room is
/// followed while any hub follows it; what is said of a room goes to the hubs that follow it, what is said of the
/// access log or of no room to all. Belongs to the loop that the bus calls back on.
class SharedBus {
 public:
  /// Runs a task on one loop soon, in order. Callable from any thread.
  using Poster = std::function<void(std::move_only_function<void()>)>;

  /// `home` leads to the bus's loop, `hubs` to the loop of each hub. `bus` outlives this; start and stop are its
  /// owner's.
  SharedBus(domain::Bus& bus, Poster home, std::vector<Poster> hubs);
  ~SharedBus();
  SharedBus(const SharedBus&) = delete;
  SharedBus& operator=(const SharedBus&) = delete;

  /// The bus as one hub sees it, on that hub's loop: `ready` and hints run there. Lives as long as this.
  domain::Bus& port(std::size_t hub);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace belfry::realtime
