#include "storage/held_rooms.hpp"

#include <algorithm>

namespace belfry::storage {
namespace {

using Clock = std::chrono::steady_clock;

/// Looking alone could go past a room that is busy and never free at that very moment.
constexpr std::chrono::milliseconds kWaitEvery{500};
/// Of a room that nobody asked for since.
constexpr std::chrono::seconds kForget{60};

}  // namespace

bool HeldRooms::may_wait(std::span<const domain::RoomKey> rooms) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  if (wait_again_.empty()) return true;
  const auto too_early = [&](const domain::RoomKey& room) {
    const auto found = wait_again_.find(room);
    return found != wait_again_.end() && found->second > now;
  };
  if (std::ranges::any_of(rooms, too_early)) return false;
  for (const auto& room : rooms) {
    if (const auto found = wait_again_.find(room); found != wait_again_.end()) found->second = now + kWaitEvery;
  }
  return true;
}

void HeldRooms::not_had(std::span<const domain::RoomKey> rooms) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  std::erase_if(wait_again_, [&](const auto& entry) { return entry.second + kForget < now; });
  for (const auto& room : rooms) wait_again_.try_emplace(room, now + kWaitEvery);
}

void HeldRooms::had(std::span<const domain::RoomKey> rooms) {
  const std::lock_guard lock(mutex_);
  if (wait_again_.empty()) return;
  for (const auto& room : rooms) wait_again_.erase(room);
}

}  // namespace belfry::storage
