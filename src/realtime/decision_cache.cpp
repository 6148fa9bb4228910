#include "decision_cache.hpp"

#include <algorithm>

namespace belfry::realtime {

void DecisionCache::put(const domain::Actor& actor, const domain::RoomKey& room, const domain::RoomDecision& decision) {
  if (!decision.allowed() || capacity_ == 0) return;
  if (decision.granted && !keeps_granted_) return;
  if (outdated(actor.id, decision.access_seq)) return;
  const Place place{actor.type, room};
  auto& places = users_[actor.id];
  if (const auto known = places.find(place); known != places.end()) {
    entries_.erase(known->second);
    places.erase(known);
  }
  entries_.push_front({actor.id, place, {decision.head.access_version, decision.access_seq}, decision.valid_until});
  places.emplace(place, entries_.begin());
  if (entries_.size() > capacity_) erase(std::prev(entries_.end()));
}

/// A decision read before a record that was applied already would never be called into question by it.
bool DecisionCache::outdated(core::UserId user, std::int64_t access_seq) const {
  if (access_seq < floor_) return true;
  const auto last = recent_.find(user);
  return last != recent_.end() && last->second > access_seq;
}

bool DecisionCache::holds(const domain::Actor& actor, const domain::RoomKey& room, const Moment& at) {
  const auto user = users_.find(actor.id);
  if (user == users_.end()) return false;
  const auto found = user->second.find({actor.type, room});
  if (found == user->second.end()) return false;
  const Entry& entry = *found->second;
  const bool same_room = entry.mark.access_version == at.head.access_version;
  const bool nothing_heard = at.access_seq <= entry.mark.access_seq || at.access_seq <= applied_;
  const bool in_time = !entry.valid_until || at.now < *entry.valid_until;
  if (!same_room || !nothing_heard || !in_time) return false;
  entries_.splice(entries_.begin(), entries_, found->second);
  return true;
}

std::optional<DecisionCache::Mark> DecisionCache::mark(const domain::Actor& actor, const domain::RoomKey& room) const {
  const auto user = users_.find(actor.id);
  if (user == users_.end()) return std::nullopt;
  const auto found = user->second.find({actor.type, room});
  if (found == user->second.end()) return std::nullopt;
  return found->second->mark;
}

void DecisionCache::drop(const domain::Actor& actor, const domain::RoomKey& room) {
  const auto user = users_.find(actor.id);
  if (user == users_.end()) return;
  if (const auto found = user->second.find({actor.type, room}); found != user->second.end()) erase(found->second);
}

void DecisionCache::access_restarted(std::optional<std::int64_t> seq) {
  clear();
  recent_.clear();
  order_.clear();
  applied_ = seq.value_or(-1);
  floor_ = seq.value_or(std::numeric_limits<std::int64_t>::max());
}

void DecisionCache::access_applied(core::UserId subject, std::int64_t seq) {
  applied_ = seq;
  recent_[subject] = seq;
  order_.emplace_back(subject, seq);
  if (order_.size() > remembered_subjects_) {
    const auto [oldest, at] = order_.front();
    order_.pop_front();
    if (const auto last = recent_.find(oldest); last != recent_.end() && last->second == at) recent_.erase(last);
    floor_ = at;
  }
  const auto user = users_.find(subject);
  if (user == users_.end()) return;
  std::erase_if(user->second, [&](const auto& known) {
    if (known.second->mark.access_seq >= seq) return false;
    entries_.erase(known.second);
    return true;
  });
  if (user->second.empty()) users_.erase(user);
}

void DecisionCache::clear() {
  ++epoch_;
  entries_.clear();
  users_.clear();
}

void DecisionCache::erase(Entries::iterator entry) {
  const auto user = users_.find(entry->user);
  user->second.erase(entry->place);
  if (user->second.empty()) users_.erase(user);
  entries_.erase(entry);
}

}  // namespace belfry::realtime
