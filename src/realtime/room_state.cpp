#include "room_state.hpp"

#include <algorithm>

namespace belfry::realtime {

SubscriptionPtr Member::find(const domain::RoomKey& key) const {
  const auto at =
      std::ranges::find_if(subscriptions, [&](const SubscriptionPtr& sub) { return sub->room->key == key; });
  return at == subscriptions.end() ? nullptr : *at;
}

std::optional<domain::RoomKey> TargetCache::find(const domain::RoomTarget& target) {
  const auto at = index_.find(target);
  if (at == index_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, at->second);
  return at->second->second;
}

void TargetCache::clear() {
  index_.clear();
  entries_.clear();
}

void TargetCache::put(const domain::RoomTarget& target, const domain::RoomKey& room) {
  if (find(target)) return;
  if (entries_.size() >= capacity_) {
    index_.erase(entries_.back().first);
    entries_.pop_back();
  }
  entries_.emplace_front(target, room);
  index_.emplace(target, entries_.begin());
}

}  // namespace belfry::realtime
