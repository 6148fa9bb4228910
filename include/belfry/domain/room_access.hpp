#pragma once

#include <span>
#include <vector>

#include "belfry/domain/log.hpp"
#include "belfry/domain/unit_of_work.hpp"

/// Rooms as their readers see them: decision and content always from one snapshot.
namespace belfry::domain {

using core::Result;

/// A room as clients name it: a discussion's room is asked for by its channel.
struct RoomTarget {
  RoomKind kind = RoomKind::kPosts;
  ChannelId channel_id;
  friend auto operator<=>(const RoomTarget&, const RoomTarget&) = default;
};

/// The canonical room of a target; immutable once it exists, so it may be remembered. Knows nothing of access:
/// kNotFound when there is no such channel or discussion.
Result<RoomKey> resolve_room(UnitOfWork& work, const RoomTarget& target);

struct RoomQuestion {
  Actor actor;
  RoomKey room;
  bool page = false;  ///< a REST page, not a subscription: the anonymous may read posts of an open channel
};

/// May this actor be in this room, at this snapshot?
struct RoomDecision {
  std::optional<core::Error> refusal;    ///< absent: allowed
  std::optional<TimePoint> valid_until;  ///< the allowance ends by the clock
  bool granted = false;                  ///< a grant was asked about: whoever keeps grants may change it
  ChannelId channel_id;
  RoomHead head;                ///< of the room, same snapshot
  std::int64_t access_seq = 0;  ///< head of the access log, same snapshot

  bool allowed() const { return !refusal.has_value(); }
};

/// Set-based; answers parallel to the questions. Anonymous actors are kUnauthorized LOGIN_REQUIRED, but for pages.
std::vector<RoomDecision> decide_rooms(UnitOfWork& work, std::span<const RoomQuestion> questions);
/// The same without a question to the outside: what rests on a grant that somebody else keeps is `granted` and refused
/// as kUnavailable.
std::vector<RoomDecision> decide_rooms_inside(UnitOfWork& work, std::span<const RoomQuestion> questions);

struct SyncRoom {
  RoomTarget target;
  std::optional<EventId> since;
  std::int32_t limit = 100;
};

struct SyncedRoom {
  RoomKey room;
  LogPage page;
};

/// Authorised as a join is. A gap is a value, not an error.
Result<SyncedRoom> sync_room(UnitOfWork& work, const Actor& actor, const SyncRoom& command);

}  // namespace belfry::domain
