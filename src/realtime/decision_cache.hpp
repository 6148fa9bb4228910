#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "belfry/domain/room_access.hpp"
#include "moment.hpp"

namespace belfry::realtime {

/// Who may be in which room, as decided once. Only allowances are kept. One holds while the room's control records are
/// those it was decided with, while the access log, as far as it was applied here, says nothing newer of its user, and
/// until it ends by the clock. I/O thread only.
class DecisionCache {
 public:
  DecisionCache(std::size_t capacity, bool keeps_granted, std::size_t remembered_subjects = 10'000)
      : capacity_(capacity), keeps_granted_(keeps_granted), remembered_subjects_(remembered_subjects) {}

  /// Kept unless the access log has said something of the user since the decision's snapshot, or may have.
  void put(const domain::Actor& actor, const domain::RoomKey& room, const domain::RoomDecision& decision);
  /// Whether the actor is known to be allowed at that moment.
  bool holds(const domain::Actor& actor, const domain::RoomKey& room, const Moment& at);

  /// Which decision is kept of the actor; another one later has another mark.
  struct Mark {
    std::int64_t access_version = 0;
    std::int64_t access_seq = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  std::optional<Mark> mark(const domain::Actor& actor, const domain::RoomKey& room) const;

  void access_restarted(std::optional<std::int64_t> seq);
  void access_applied(core::UserId subject, std::int64_t seq);
  /// The actor was refused: what was known does not hold any more.
  void drop(const domain::Actor& actor, const domain::RoomKey& room);
  std::int64_t applied() const { return applied_; }
  bool forgets_granted() const { return !keeps_granted_; }
  void clear();
  /// Another one: what was asked before must not be put.
  std::uint64_t epoch() const { return epoch_; }
  std::size_t size() const { return entries_.size(); }

 private:
  using Place = std::pair<domain::ActorType, domain::RoomKey>;
  struct Entry {
    core::UserId user;
    Place place;
    Mark mark;
    std::optional<core::TimePoint> valid_until;
  };
  using Entries = std::list<Entry>;  ///< used last comes first

  bool outdated(core::UserId user, std::int64_t access_seq) const;
  void erase(Entries::iterator entry);

  std::size_t capacity_;
  bool keeps_granted_;
  std::size_t remembered_subjects_;
  Entries entries_;
  std::unordered_map<core::UserId, std::map<Place, Entries::iterator>> users_;
  std::int64_t applied_ = -1;
  /// Records after this one are remembered by subject; what came before is not.
  std::int64_t floor_ = std::numeric_limits<std::int64_t>::max();
  std::unordered_map<core::UserId, std::int64_t> recent_;
  std::deque<std::pair<core::UserId, std::int64_t>> order_;
  std::uint64_t epoch_ = 0;
};

}  // namespace belfry::realtime
