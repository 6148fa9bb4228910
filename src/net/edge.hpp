#pragma once

#include <memory>
#include <random>
#include <vector>

#include "admission.hpp"
#include "belfry/net/server.hpp"
#include "http_date.hpp"
#include "turn_flusher.hpp"

namespace belfry::net {

/// What every connection of a server shares.
struct Edge {
  runtime::Loop& loop;
  runtime::Wheel& wheel;
  const Limits limits;
  http::Service& service;
  const std::vector<dialects::Dialect*> dialects;
  telemetry::Metrics& metrics;
  std::shared_ptr<TurnFlusher> flusher;
  Admission admission{limits.handshakes_per_second, limits.max_handshakes_in_flight, metrics};
  HttpDate date;
  std::mt19937 random{std::random_device{}()};
  /// Where WebSockets' bytes are read to and looked at; used within one handler only.
  std::vector<char> read_buffer;
  /// Which one this server is of how many that share their dialects' sessions; 0: it is alone.
  std::size_t shard = 0;
  std::size_t shards = 0;
  bool draining = false;
  std::chrono::milliseconds reconnect_within{0};  ///< of the drain

  dialects::Dialect* dialect_at(std::string_view path) const {
    for (auto* dialect : dialects) {
      if (dialect->path() == path) return dialect;
    }
    return nullptr;
  }
};

}  // namespace belfry::net
