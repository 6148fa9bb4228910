#pragma once

#include <memory>
#include <vector>

#include "belfry/net/server.hpp"
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
  bool draining = false;

  dialects::Dialect* dialect_at(std::string_view path) const {
    for (auto* dialect : dialects) {
      if (dialect->path() == path) return dialect;
    }
    return nullptr;
  }
};

}  // namespace belfry::net
