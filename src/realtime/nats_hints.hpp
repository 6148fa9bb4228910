#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/domain/log.hpp"

namespace belfry::realtime {

/// Names and texts on the wire. `belfry.<deployment>.room.<kind>.<key>` carries the last position in decimal; behind a
/// line's end there may be an HMAC over subject, position and records, and behind another one the records that end at
/// that position, as `wire` writes them. Immutable: any thread.
class NatsHints {
 public:
  /// The most that one hint carries, whatever the server would take.
  static constexpr std::size_t kMostBytes = std::size_t{64} << 10;

  NatsHints(std::string_view deployment, std::string key)
      : prefix_("belfry." + std::string(deployment) + "."), key_(std::move(key)) {}

  std::string room(const domain::RoomKey& room) const;
  /// Heartbeats of one node: `out` goes to the probe, which answers on `back`.
  std::string beat_out(std::string_view node) const { return prefix_ + "beat." + std::string(node) + ".out"; }
  std::string beat_back(std::string_view node) const { return prefix_ + "beat." + std::string(node) + ".back"; }

  /// Messages of at most `max_bytes`, in order. Events that do not fit are left to be read.
  std::vector<std::string> say(const domain::LogHint& hint, std::size_t max_bytes) const;
  /// Whoever may write to the server may write anything: what is not exactly a position is nothing, and events that are
  /// not exactly as a node with our key wrote them are no events.
  std::optional<domain::LogHint> hear(std::string_view subject, std::string_view text) const;

 private:
  std::string sign(std::string_view subject, std::string_view position, std::string_view records) const;

  std::string prefix_;
  std::string key_;
};

/// Adds what one hint tells to another one of the same room; events beyond `most` are left to be read.
void merge(domain::LogHint& into, domain::LogHint more, std::size_t most);

}  // namespace belfry::realtime
