#include "app/verify/history.hpp"

#include <algorithm>
#include <tuple>

namespace belfry::verify {
namespace {

// A request without an answer may still be executed, by a node that was stopped: for this long a right counts as
// uncertain.
constexpr Ticks kLate = 30'000'000'000;

}  // namespace

std::string_view verb(std::string_view type) {
  const auto dot = type.rfind('.');
  return dot == std::string_view::npos ? type : type.substr(dot + 1);
}

bool carries_content(std::string_view type) {
  const auto what = verb(type);
  return what == "created" || what == "updated";
}

void Known::sort() {
  std::sort(points_.begin(), points_.end());
  std::int64_t greatest = kNowhere;
  for (auto& [done, value] : points_) value = greatest = std::max(greatest, value);
}

std::int64_t Known::before(Ticks time) const {
  const auto next = std::lower_bound(points_.begin(), points_.end(), std::pair(time, kNowhere));
  return next == points_.begin() ? kNowhere : std::prev(next)->second;
}

std::optional<std::int64_t> RoomHistory::place(const std::optional<std::string>& id) const {
  if (!id) return kNowhere;
  const auto found = places.find(*id);
  if (found == places.end()) return std::nullopt;
  return found->second;
}

void History::learn(const Record& record) {
  if (const auto* logged = std::get_if<LogEvent>(&record)) {
    auto& room = rooms_[logged->room];
    room.places.emplace(logged->event.id, static_cast<std::int64_t>(room.events.size()));
    room.by_entity[logged->event.entity].push_back(static_cast<std::int64_t>(room.events.size()));
    room.events.push_back({*logged, nullptr});
    if (verb(logged->event.type) == "created") room.created.push_back(logged->event.entity);
  } else if (const auto* write = std::get_if<Write>(&record)) {
    writes_.push_back(*write);
  } else if (const auto* access = std::get_if<Access>(&record)) {
    accesses_.push_back(*access);
  } else if (const auto* prompt = std::get_if<Prompt>(&record)) {
    prompt_ = prompt->milliseconds * 1'000'000;
  }
}

void History::close() {
  for (auto& [name, room] : rooms_) {
    for (auto& entry : room.events) {
      const auto& event = entry.logged.event;
      if (event.content && carries_content(event.type)) by_content_[*event.content].push_back(&entry);
      by_entity_[{{name, event.entity}, event.type}].push_back(&entry);
    }
  }
  match_writes();
  match_contentless();
  for (auto& [name, room] : rooms_) {
    for (std::size_t place = 0; place < room.events.size(); ++place) {
      const auto& [logged, write] = room.events[place];
      if (write != nullptr) room.begun.push_back(write->begun);
      if (write == nullptr || write->outcome != Outcome::kAcknowledged) continue;
      room.known_events.add(write->done, static_cast<std::int64_t>(place));
      if (verb(logged.event.type) == "created") room.known_created.add(write->done, logged.event.entity);
    }
    std::sort(room.begun.begin(), room.begun.end());
    room.known_events.sort();
    room.known_created.sort();
  }
  collect_denials();
  collect_deletions();
}

void History::match_writes() {
  for (const auto& write : writes_) {
    if (!write.content || !carries_content(write.type)) continue;
    const auto found = by_content_.find(*write.content);
    if (found == by_content_.end()) continue;
    for (Entry* entry : found->second) entry->write = &write;
  }
}

/// The n-th acknowledged write of an entity made its n-th event, as long as no outcome is unknown.
void History::match_contentless() {
  for (const auto& write : writes_) {
    if (write.entity && write.outcome != Outcome::kRefused && !(write.content && carries_content(write.type))) {
      contentless_[{{write.room, *write.entity}, write.type}].push_back(&write);
    }
  }
  for (auto& [key, writes] : contentless_) {
    const auto found = by_entity_.find(key);
    const bool sure = std::all_of(writes.begin(), writes.end(),
                                  [](const Write* write) { return write->outcome == Outcome::kAcknowledged; });
    if (!sure || found == by_entity_.end() || found->second.size() != writes.size()) continue;
    std::sort(writes.begin(), writes.end(), [](const Write* a, const Write* b) { return a->begun < b->begun; });
    for (std::size_t index = 0; index < writes.size(); ++index) found->second[index]->write = writes[index];
  }
}

void History::collect_denials() {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<const Access*>> changes;
  for (const auto& access : accesses_) {
    if (access.outcome == Outcome::kRefused) continue;
    for (const auto& name : access.rooms) changes[{access.user, name, access.cause}].push_back(&access);
  }
  for (auto& [key, made] : changes) {
    const auto& [user, name, cause] = key;
    std::sort(made.begin(), made.end(), [](const Access* a, const Access* b) { return a->begun < b->begun; });
    for (std::size_t index = 0; index < made.size(); ++index) {
      const Access& change = *made[index];
      if (change.may || change.outcome != Outcome::kAcknowledged) continue;
      const bool uncertain =
          std::any_of(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(index), [&](const Access* earlier) {
            return earlier->may && earlier->late && earlier->outcome == Outcome::kUnknown &&
                   change.done - earlier->begun < kLate;
          });
      if (uncertain) continue;
      Denial denial{change.begun, change.done, kForever, change.reading, cause, std::nullopt};
      for (std::size_t next = index + 1; next < made.size() && denial.until == kForever; ++next) {
        if (made[next]->may) denial.until = made[next]->begun;
      }
      const auto after = change.after.find(name);
      const auto* known = room(name);
      if (after != change.after.end() && known != nullptr) denial.after = known->place(after->second);
      denials_[{user, name}].push_back(denial);
    }
  }
}

void History::collect_deletions() {
  std::map<EntityKey, std::vector<const Write*>> changes;
  for (const auto& write : writes_) {
    const auto what = verb(write.type);
    if (write.entity && write.outcome != Outcome::kRefused && (what == "deleted" || what == "restored")) {
      changes[{write.room, *write.entity}].push_back(&write);
    }
  }
  for (auto& [key, made] : changes) {
    std::sort(made.begin(), made.end(), [](const Write* a, const Write* b) { return a->begun < b->begun; });
    for (std::size_t index = 0; index < made.size(); ++index) {
      if (verb(made[index]->type) != "deleted") continue;
      const bool sure = made[index]->outcome == Outcome::kAcknowledged;
      Deletion deletion{made[index]->begun, sure ? made[index]->done : kForever, kForever};
      for (std::size_t next = index + 1; next < made.size() && deletion.until == kForever; ++next) {
        if (verb(made[next]->type) == "restored") deletion.until = made[next]->begun;
      }
      deletions_[key].push_back(deletion);
    }
  }
}

std::uint64_t History::denials_under_traffic() const {
  std::uint64_t count = 0;
  for (const auto& [key, denials] : denials_) {
    const auto* where = room(key.second);
    if (where == nullptr) continue;
    for (const auto& denial : denials) {
      const auto next = std::upper_bound(where->begun.begin(), where->begun.end(), denial.from);
      count += denial.reading && next != where->begun.end() && *next < denial.until ? 1U : 0U;
    }
  }
  return count;
}

const RoomHistory* History::room(const std::string& name) const {
  const auto found = rooms_.find(name);
  return found == rooms_.end() ? nullptr : &found->second;
}

const std::vector<Denial>& History::denials(const std::string& user, const std::string& room) const {
  static const std::vector<Denial> none;
  const auto found = denials_.find({user, room});
  return found == denials_.end() ? none : found->second;
}

const std::vector<Deletion>& History::deletions(const std::string& room, std::int64_t entity) const {
  static const std::vector<Deletion> none;
  const auto found = deletions_.find({room, entity});
  return found == deletions_.end() ? none : found->second;
}

std::vector<const Entry*> History::events_of(const Write& write) const {
  std::vector<const Entry*> found;
  if (write.content && carries_content(write.type)) {
    const auto entries = by_content_.find(*write.content);
    if (entries != by_content_.end()) found.assign(entries->second.begin(), entries->second.end());
  } else if (write.entity) {
    const auto entries = by_entity_.find({{write.room, *write.entity}, write.type});
    if (entries != by_entity_.end()) found.assign(entries->second.begin(), entries->second.end());
  }
  return found;
}

std::vector<const Write*> History::writes_like(const Write& write) const {
  const auto found = contentless_.find({{write.room, write.entity.value_or(kNowhere)}, write.type});
  return found == contentless_.end() ? std::vector<const Write*>() : found->second;
}

const Denial* History::behind(const std::string& user, const std::string& room, const Entry& entry, std::int64_t place,
                              Ticks done, bool reading) const {
  for (const auto& denial : denials(user, room)) {
    if ((reading && !denial.reading) || done >= denial.until) continue;
    const bool begun_after = entry.write != nullptr && entry.write->begun > denial.from;
    if (begun_after || (denial.after && place > *denial.after)) return &denial;
  }
  return nullptr;
}

std::int64_t History::place_of(const RoomHistory& room, std::int64_t entity,
                               const std::optional<std::string>& content) const {
  const auto found = room.by_entity.find(entity);
  if (found == room.by_entity.end()) return kNowhere;
  for (const auto place : found->second) {
    const auto& event = room.events[static_cast<std::size_t>(place)].logged.event;
    if (content && carries_content(event.type) && event.content == content) return place;
  }
  return found->second.front();
}

const Denial* History::denied(const std::string& user, const std::string& room, Ticks begun, Ticks done,
                              bool reading) const {
  for (const auto& denial : denials(user, room)) {
    if (reading && !denial.reading) continue;
    if (begun > denial.from && done < denial.until) return &denial;
  }
  return nullptr;
}

}  // namespace belfry::verify
