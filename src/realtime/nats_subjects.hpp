#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "belfry/domain/log.hpp"

namespace belfry::realtime {

/// Names and texts on the wire: `belfry.<deployment>.room.<kind>.<key>` carries the last position in decimal.
class NatsSubjects {
 public:
  explicit NatsSubjects(std::string_view deployment) : prefix_("belfry." + std::string(deployment) + ".") {}

  std::string room(const domain::RoomKey& room) const;
  /// Heartbeats of one node: `out` goes to the probe, which answers on `back`.
  std::string beat_out(std::string_view node) const { return prefix_ + "beat." + std::string(node) + ".out"; }
  std::string beat_back(std::string_view node) const { return prefix_ + "beat." + std::string(node) + ".back"; }

 private:
  std::string prefix_;
};

/// Whoever may write to the server may write anything: what is not exactly a hint is nothing.
std::optional<domain::LogHint> parse_nats_hint(std::string_view subject, std::string_view payload);

}  // namespace belfry::realtime
