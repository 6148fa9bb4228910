#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "belfry/core/ids.hpp"
#include "belfry/core/time.hpp"

namespace belfry::auth {

/// What the entitlement service said, by user and key; entitlements and features share its one space of keys. An answer
/// whose call left before its user's rights changed is not remembered. One call at a time, one thread.
class KnownGrants {
 public:
  using Key = std::pair<core::UserId, std::string>;
  struct Known {
    bool active = false;
    std::optional<core::TimePoint> valid_until;
    core::TimePoint asked_at;
  };

  explicit KnownGrants(std::size_t most) : most_(most) {}

  /// Null: not known. Valid until the next call.
  const Known* find(const Key& key) const {
    const auto found = known_.find(key);
    return found == known_.end() ? nullptr : &found->second;
  }

  void call_leaves() { under_way_ = true; }
  /// Of the call that is on its way.
  void remember(const Key& key, const Known& value) {
    if (changed_.contains(key.first)) return;
    if (known_.size() >= most_) known_.clear();  // rare, and only costs questions
    known_.insert_or_assign(key, value);
  }
  void call_ended() {
    under_way_ = false;
    changed_.clear();
  }

  void forget(core::UserId user) {
    if (under_way_) changed_.insert(user);
    for (auto at = known_.lower_bound({user, ""}); at != known_.end() && at->first.first == user;)
      at = known_.erase(at);
  }
  /// Users whose rights changed while a call is on its way.
  std::size_t changed() const { return changed_.size(); }

 private:
  const std::size_t most_;
  std::map<Key, Known> known_;
  std::unordered_set<core::UserId> changed_;
  bool under_way_ = false;
};

}  // namespace belfry::auth
