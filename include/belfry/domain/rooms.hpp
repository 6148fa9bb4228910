#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>

#include "belfry/core/ids.hpp"

namespace belfry::domain {

using core::EventId;

/// The canonical rooms: each has one log. Dialects give them names of their own.
enum class RoomKind : std::uint8_t {
  kAccess = 0,      ///< the access log: one system room, key 0, followed by every node, joined by nobody
  kPosts = 1,       ///< key is the channel id
  kDiscussion = 2,  ///< key is the thread id
};

struct RoomKey {
  RoomKind kind = RoomKind::kAccess;
  std::int64_t key = 0;
  friend auto operator<=>(const RoomKey&, const RoomKey&) = default;
};

inline constexpr RoomKey kAccessLog{RoomKind::kAccess, 0};
inline RoomKey posts_room(core::ChannelId id) { return {RoomKind::kPosts, id.value}; }
inline RoomKey discussion_room(core::ThreadId id) { return {RoomKind::kDiscussion, id.value}; }

/// The end of a room's log at one snapshot.
struct RoomHead {
  RoomKey room;
  std::int64_t room_id = 0;  ///< row of room_log; locks are taken in its order
  std::int64_t last_seq = 0;
  std::optional<EventId> last_id;
  std::optional<EventId> last_visible_id;  ///< the last event that clients can see; survives pruning
  std::int64_t access_version = 0;         ///< counts the room's control records
};

}  // namespace belfry::domain

template <>
struct std::hash<belfry::domain::RoomKey> {
  std::size_t operator()(const belfry::domain::RoomKey& room) const noexcept {
    return std::hash<std::int64_t>{}(room.key * 4 + static_cast<std::int64_t>(room.kind));
  }
};
