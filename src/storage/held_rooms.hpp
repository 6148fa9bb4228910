#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <span>

#include "belfry/domain/rooms.hpp"

namespace belfry::storage {

/// Rooms whose row somebody was found to hold for too long. One thread at a time may wait for such a room, and only now
/// and then; the others only look whether it is free, so that a room that stays locked does not cost the node its
/// threads. Any thread.
class HeldRooms {
 public:
  /// False: look, do not wait.
  bool may_wait(std::span<const domain::RoomKey> rooms);
  void not_had(std::span<const domain::RoomKey> rooms);
  void had(std::span<const domain::RoomKey> rooms);

 private:
  using Time = std::chrono::steady_clock::time_point;

  std::mutex mutex_;
  std::map<domain::RoomKey, Time> wait_again_;
};

}  // namespace belfry::storage
