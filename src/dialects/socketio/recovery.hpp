#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/core/ids.hpp"
#include "belfry/core/mac.hpp"
#include "belfry/domain/events.hpp"
#include "belfry/domain/room_access.hpp"

/// What a client keeps so that it can come back: docs/adr/0011. Nothing of it is stored here.
namespace belfry::dialects::socketio {

/// How far a socket has had one room: after `event`, or before the room's first event.
struct RoomPosition {
  domain::RoomTarget room;
  std::optional<core::EventId> event;
  friend bool operator==(const RoomPosition&, const RoomPosition&) = default;
};

/// The rooms of one socket and what was put into its queue of each: ascending by room, each once.
class Positions {
 public:
  Positions() = default;
  std::span<const RoomPosition> rooms() const { return rooms_; }
  std::size_t size() const { return rooms_.size(); }
  const RoomPosition* find(const domain::RoomTarget& room) const;
  /// A room joined at this position. One that is there already stays where it is.
  void add(const RoomPosition& position);
  void remove(const domain::RoomTarget& room);
  /// The room's next event is in the queue. Nothing when the room is not here.
  void step(const domain::RoomTarget& room, core::EventId event);
  friend bool operator==(const Positions&, const Positions&) = default;

 private:
  std::vector<RoomPosition> rooms_;
};

inline constexpr std::size_t kMaxOffsetRooms = 32;
/// Stands where an offset would, and proves nothing: a client must not go on with an older one.
inline constexpr std::string_view kNoOffset = "-";

/// Of one socket, for as long as it is recovered. Secret towards others only in so far as it names a user.
struct PrivateId {
  core::UserId user;  ///< all zero: of nobody, never recovered
  std::array<std::uint8_t, 8> nonce{};
  /// Of an offset that was refused as this id was made, and that the client still holds; all zero: of none.
  std::array<std::uint8_t, 8> refused{};
  friend bool operator==(const PrivateId&, const PrivateId&) = default;

  /// This id does not go with that offset.
  bool refuses(std::string_view offset) const;
};

/// First bytes of the offset's SHA-256, as `PrivateId::refused`.
std::array<std::uint8_t, 8> offset_digest(std::string_view offset);

/// Writes offsets and private ids and reads back its own: versioned, authenticated by one key that all nodes have. Used
/// by one thread at a time.
class RecoveryCodec {
 public:
  explicit RecoveryCodec(std::string_view key) : mac_(key) {}

  /// kNoOffset when there are too many rooms.
  std::string encode_offset(std::span<const RoomPosition> rooms);
  std::string encode_offset(const Positions& positions) { return encode_offset(positions.rooms()); }
  /// Empty unless this very text was made under this key, in this version.
  std::optional<Positions> decode_offset(std::string_view text);

  std::string encode_pid(const PrivateId& id);
  std::optional<PrivateId> decode_pid(std::string_view text);

 private:
  std::string sealed(std::string_view purpose, std::string signed_part);
  std::optional<std::string> opened(std::string_view purpose, std::string_view text, std::size_t max_bytes);

  core::HmacSha256 mac_;
};

/// The events of one room that are to be replayed: all after `from` up to `head`, the room's last visible event.
/// Empty when `read`, a stretch of the room's log, oldest first, does not prove that these are all of them.
std::optional<std::span<const domain::SharedEvent>> prove_replay(const std::optional<core::EventId>& from,
                                                                 std::span<const domain::SharedEvent> read,
                                                                 const std::optional<core::EventId>& head);

}  // namespace belfry::dialects::socketio
