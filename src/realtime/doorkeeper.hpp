#pragma once

#include <cstddef>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "belfry/core/time.hpp"
#include "belfry/domain/actor.hpp"

namespace belfry::realtime {

/// Tells what is asked for again within a minute or so from what is asked for once, which is not worth a place in
/// memory: reading it uncached is one job instead of three. A wrong yes costs a little work.
class Doorkeeper {
 public:
  explicit Doorkeeper(const core::Clock& clock) : clock_(clock) {}

  bool again(std::size_t hash) {
    const auto now = clock_.now();
    if (now - turned_at_ > kGeneration || present_.size() >= kMost) {
      past_ = now - turned_at_ > 2 * kGeneration ? decltype(past_){} : std::move(present_);
      present_.clear();
      turned_at_ = now;
    }
    const bool known = past_.contains(hash);
    return !present_.insert(hash).second || known;
  }

 private:
  static constexpr std::chrono::seconds kGeneration{60};
  static constexpr std::size_t kMost = 20'000;
  const core::Clock& clock_;
  core::TimePoint turned_at_{};
  std::unordered_set<std::size_t> present_;
  std::unordered_set<std::size_t> past_;
};

/// Users whose claims this node has handed to a job, which writes them down. Somebody new, or with other claims, goes
/// the long way once.
class Introductions {
 public:
  /// Whether the actor was seen before as it is now; from now on it was.
  bool known(const domain::Actor& actor) {
    if (actor.anonymous()) return true;
    const std::hash<std::optional<std::string>> hash;
    const std::size_t claims = hash(actor.username) * 31 + hash(actor.picture);
    const auto found = seen_.find(actor.id);
    if (found != seen_.end() && found->second == claims) return true;
    if (seen_.size() >= kMost) seen_.clear();
    seen_.insert_or_assign(actor.id, claims);
    return false;
  }
  /// A job of somebody else's has written the actor down, unless it was known with other claims.
  void met(const domain::Actor& actor) {
    if (!seen_.contains(actor.id)) known(actor);
  }

 private:
  static constexpr std::size_t kMost = 100'000;
  std::unordered_map<core::UserId, std::size_t> seen_;
};

}  // namespace belfry::realtime
