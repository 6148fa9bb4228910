#include <utility>

#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

/// A bus that has not answered by then is not waited for: what it loses, the sweep finds.
constexpr std::chrono::milliseconds kFollowPatience{300};
/// Rooms that are left and joined again soon stay followed.
constexpr std::chrono::milliseconds kLinger{5000};

}  // namespace

/// Asks for the decision, whose snapshot has the room's head, once the bus tells of what is written after it.
void HubCore::ask_when_followed(const SubscriptionPtr& sub) {
  if (options_.bus == nullptr) return ask(sub);
  const auto key = sub->room->key;
  auto [at, fresh] = interests_.try_emplace(key);
  if (at->second.followed) {
    at->second.timer.cancel();
    return ask(sub);
  }
  at->second.waiting.push_back(sub);
  if (!fresh) return;  // the first one's patience is everybody's
  at->second.timer = wheel_.after(kFollowPatience, guarded([this, key] { followed_by_bus(key); }));
  options_.bus->follow(key, guarded([this, key] { followed_by_bus(key); }));
}

void HubCore::followed_by_bus(const domain::RoomKey& key) {
  const auto at = interests_.find(key);
  if (at == interests_.end() || at->second.followed) return;
  at->second.followed = true;
  at->second.timer.cancel();
  const auto waiting = std::exchange(at->second.waiting, {});
  if (followed(key) == nullptr) lose_interest(key);
  for (const auto& weak : waiting) {
    if (const auto sub = weak.lock(); sub && sub->state == State::kJoining) ask(sub);
  }
}

void HubCore::lose_interest(const domain::RoomKey& key) {
  const auto at = interests_.find(key);
  if (at == interests_.end() || !at->second.followed) return;  // an unanswered one ends when it is answered
  at->second.timer = wheel_.after(kLinger, guarded([this, key] {
                                    interests_.erase(key);
                                    options_.bus->unfollow(key);
                                  }));
}

}  // namespace belfry::realtime
