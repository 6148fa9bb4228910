#pragma once

#include <cstdint>
#include <optional>

#include "belfry/domain/room_access.hpp"

namespace belfry::realtime {

/// What the caches beside the hub hear, in the hub's order, while it happens. Calls nothing back inside a call.
class HubObserver {
 public:
  virtual ~HubObserver() = default;
  /// The access log is followed from after `seq` on. Absent: it has forked, and what was heard of it is void.
  virtual void access_restarted(std::optional<std::int64_t> seq) = 0;
  /// The place in the access log was found in this history of the database. Absent: not since it became another one.
  virtual void history(std::optional<domain::Timeline> timeline) = 0;
  virtual void access_applied(core::UserId subject, std::int64_t seq) = 0;
  /// The next record of a room with members here, control records included.
  virtual void delivered(const domain::SharedEvent& event) = 0;
  virtual void allowed(const domain::Actor& actor, const domain::RoomKey& room,
                       const domain::RoomDecision& decision) = 0;
};

}  // namespace belfry::realtime
