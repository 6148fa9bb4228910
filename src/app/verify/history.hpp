#pragma once

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "app/verify/recording.hpp"

namespace belfry::verify {

inline constexpr Ticks kForever = std::numeric_limits<Ticks>::max();
inline constexpr std::int64_t kNowhere = -1;  ///< before the first event

/// A logged event and the write that made it, when the recording tells.
struct Entry {
  LogEvent logged;
  const Write* write = nullptr;
};

/// How far a room was known to have grown by a time: only acknowledged writes count.
class Known {
 public:
  void add(Ticks done, std::int64_t value) { points_.emplace_back(done, value); }
  void sort();
  /// The greatest value acknowledged before `time`; `kNowhere` when none was.
  std::int64_t before(Ticks time) const;

 private:
  std::vector<std::pair<Ticks, std::int64_t>> points_;
};

struct RoomHistory {
  std::vector<Entry> events;
  std::unordered_map<std::string, std::int64_t> places;
  std::vector<std::int64_t> created;                                      ///< entities in log order
  std::unordered_map<std::int64_t, std::vector<std::int64_t>> by_entity;  ///< places
  std::vector<Ticks> begun;                                               ///< of the events' writes, in order
  Known known_events;                                                     ///< places
  Known known_created;                                                    ///< entities

  std::int64_t head() const { return static_cast<std::int64_t>(events.size()) - 1; }
  /// The place of an id, `kNowhere` for none given, nothing for an id that is not in the log.
  std::optional<std::int64_t> place(const std::optional<std::string>& id) const;
};

/// A time without a right. It begins when its loss was acknowledged and ends when it was asked back.
struct Denial {
  Ticks begun = 0;
  Ticks from = 0;
  Ticks until = kForever;
  bool reading = true;
  std::string cause;
  std::optional<std::int64_t> after;  ///< events of a greater place stand behind the loss
};

/// A time during which an entity was deleted, surely from `from` on.
struct Deletion {
  Ticks begun = 0;
  Ticks from = 0;
  Ticks until = kForever;
};

/// What was written and what became of it: everything that the readers' records are held against.
class History {
 public:
  void learn(const Record& record);
  /// After the last `learn`: matches writes with events.
  void close();

  /// Where an entity was created, or where this content of it was written: the later of both.
  std::int64_t place_of(const RoomHistory& room, std::int64_t entity, const std::optional<std::string>& content) const;
  /// How long an acknowledged event may be on its way to a reader; nothing when the recording does not say.
  std::optional<Ticks> prompt() const { return prompt_; }
  /// The loss of a right behind which this event stands, although what is judged had ended (`done`) before the right
  /// was asked back. `reading`: only rights to read count.
  const Denial* behind(const std::string& user, const std::string& room, const Entry& entry, std::int64_t place,
                       Ticks done, bool reading = true) const;

  /// Losses of a right to read during which the room went on: each could have leaked.
  std::uint64_t denials_under_traffic() const;
  const RoomHistory* room(const std::string& name) const;
  const std::map<std::string, RoomHistory>& rooms() const { return rooms_; }
  const std::vector<Write>& writes() const { return writes_; }
  const std::vector<Denial>& denials(const std::string& user, const std::string& room) const;
  const std::vector<Deletion>& deletions(const std::string& room, std::int64_t entity) const;
  /// The events that a write may have made: by its content, or by its entity and type.
  std::vector<const Entry*> events_of(const Write& write) const;
  /// All writes without content of the same entity and type.
  std::vector<const Write*> writes_like(const Write& write) const;

  /// The denial during which something that began at `begun` and ended at `done` lies as a whole.
  const Denial* denied(const std::string& user, const std::string& room, Ticks begun, Ticks done, bool reading) const;

 private:
  using Key = std::pair<std::string, std::string>;
  using EntityKey = std::pair<std::string, std::int64_t>;

  void match_writes();
  void match_contentless();
  void collect_denials();
  void collect_deletions();

  std::map<std::string, RoomHistory> rooms_;
  std::vector<Write> writes_;
  std::vector<Access> accesses_;
  std::optional<Ticks> prompt_;
  std::map<Key, std::vector<Denial>> denials_;
  std::map<EntityKey, std::vector<Deletion>> deletions_;
  std::unordered_map<std::string, std::vector<Entry*>> by_content_;
  std::map<std::pair<EntityKey, std::string>, std::vector<Entry*>> by_entity_;
  std::map<std::pair<EntityKey, std::string>, std::vector<const Write*>> contentless_;
};

/// `created`, `updated` …: what stands behind the last dot of a type.
std::string_view verb(std::string_view type);
/// Created and updated events carry what was written; each such content is written once.
bool carries_content(std::string_view type);

}  // namespace belfry::verify
