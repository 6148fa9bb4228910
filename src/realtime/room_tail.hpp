#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "belfry/domain/log.hpp"
#include "moment.hpp"
#include "room_state.hpp"

namespace belfry::realtime {

/// Stretches of one room's log in memory, all of them as they read at one moment: which content is masked is part of
/// that. Grows with the room, unless a record changes what earlier ones show.
class RoomTail {
 public:
  explicit RoomTail(Moment at) : at_(std::move(at)) {}

  const Moment& at() const { return at_; }
  std::size_t bytes() const;

  enum class Grown : std::uint8_t {
    kYes,
    kKnown,      ///< was there already
    kHole,       ///< does not follow: nothing changed
    kRewritten,  ///< a deletion or a restore: what is here no longer reads like this
  };
  Grown grow(const domain::SharedEvent& event);
  /// What the moment's own snapshot read after the record `since`, or from the oldest retained one on.
  void add(const std::optional<core::EventId>& since, const std::vector<domain::SharedEvent>& events, bool to_the_end);
  /// Takes over the stretches of a tail that is of the same moment.
  void merge(RoomTail other);
  /// The records after this tail's end, in their order; empty when `other` does not continue it up to its own end.
  std::vector<domain::SharedEvent> continuation(const RoomTail& other) const;
  /// The snapshot that `continuation` came from.
  void set_moment(const Moment& at) { at_ = at; }

  /// As the log answers a client at `at()`, given the id below which it is cut. Nothing when that cannot be told from
  /// what is here: another part of the log, a gap, or no such event.
  std::optional<domain::LogPage> slice(const std::optional<core::EventId>& since, std::int32_t limit,
                                       const core::Uuid& floor) const;
  /// `since` lies within what is here, whether or not it names an event.
  bool covers(const std::optional<core::EventId>& since) const;

 private:
  struct Record {
    domain::SharedEvent event;
    std::size_t bytes = 0;
  };
  struct Stretch {
    Position start;  ///< in front of the first record
    std::deque<Record> records;
    bool to_the_end = false;
    std::size_t bytes = 0;

    std::int64_t last_seq() const { return start.seq + static_cast<std::int64_t>(records.size()); }
    void push(const domain::SharedEvent& event);
    void pop_front();
    std::optional<std::size_t> place_of(const std::optional<core::EventId>& since, const core::Uuid& floor) const;
  };
  void insert(Stretch stretch);
  std::optional<domain::LogPage> cut(const Stretch& stretch, std::size_t from, std::int32_t limit,
                                     const core::Uuid& floor) const;

  Moment at_;
  std::vector<Stretch> stretches_;
};

}  // namespace belfry::realtime
