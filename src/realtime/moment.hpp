#pragma once

#include <algorithm>
#include <cstdint>

#include "belfry/core/time.hpp"
#include "belfry/domain/rooms.hpp"

namespace belfry::realtime {

/// A room and the access log at one snapshot, by the database's clock.
struct Moment {
  domain::RoomHead head;
  std::int64_t access_seq = 0;
  core::TimePoint now{};
  domain::Timeline timeline = 0;  ///< of a barrier

  /// Another history: one place, two records.
  bool contradicts(const Moment& other) const {
    return head.last_seq == other.head.last_seq && head.last_id != other.head.last_id;
  }
  bool contains(const Moment& other) const { return head.last_seq >= other.head.last_seq; }
};

/// The point at which a reader must hold a right to be given, at `asked`, what is as of `content`.
inline Moment later(const Moment& content, const Moment& asked) {
  return {content.head, std::max(content.access_seq, asked.access_seq), std::max(content.now, asked.now),
          asked.timeline};
}

}  // namespace belfry::realtime
