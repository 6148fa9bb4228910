#include <algorithm>

#include <fmt/format.h>

#include "app/verify/checker.hpp"
#include "app/verify/describe.hpp"

/// Replays and pages, whole answers each.
namespace belfry::verify {

void Checker::check_shown(const SeenEvent& shown, const RoomHistory& room, std::int64_t place, const std::string& who,
                          const std::vector<std::string>& history) {
  const auto& logged = room.events[static_cast<std::size_t>(place)].logged.event;
  const bool content_differs = shown.content && shown.content != logged.content;
  if (shown.type == logged.type && shown.entity == logged.entity && !content_differs) return;
  auto lines = around(room, place, 0, 0);
  lines.insert(lines.end(), history.begin(), history.end());
  lines.push_back(fmt::format("shown {} {} entity {} content {}", shown.id, shown.type, shown.entity,
                              shown.content.value_or("null")));
  violate(3, "an event is shown otherwise than it stands in the log", who, std::move(lines));
}

void Checker::check_mask(const std::string& who, const std::string& room, std::int64_t entity, bool has_content,
                         Ticks begun, Ticks done, const std::string& line) {
  count("masks");
  bool may_be_deleted = false;
  for (const auto& deletion : history_.deletions(room, entity)) {
    may_be_deleted = may_be_deleted || deletion.begun < done;
    if (begun <= deletion.from || done >= deletion.until) continue;
    count("reads of what is deleted");
    if (has_content) {
      violate(6, fmt::format("entity {} is shown with its content after its deletion was acknowledged", entity), who,
              {fmt::format("deleted {}..{}", deletion.begun, deletion.from), line});
      return;
    }
  }
  if (!has_content && !may_be_deleted) {
    violate(4, fmt::format("entity {} is shown without its content and nobody deleted it", entity), who, {line});
  }
}

void Checker::check_sync(const Sync& sync) {
  count("syncs");
  static const RoomHistory kEmpty;
  const auto* found = history_.room(sync.room);
  const auto& room = found == nullptr ? kEmpty : *found;
  const auto line = describe(sync);
  if (const auto* denial = history_.denied(sync.user, sync.room, sync.begun, sync.done, true)) {
    violate(5, "a replay succeeded after the right was lost", sync.user, {describe(*denial, sync.user), line});
  }
  const auto since = room.place(sync.since);
  if (sync.gap != !since.has_value()) {
    violate(8, sync.gap ? "a gap is said and there is none" : "a gap is not said", sync.user, {line});
  }
  if (sync.gap || !since) return check_gap(sync, room);
  auto place = *since;
  for (const auto& event : sync.events) {
    count("replayed events");
    const auto at = room.place(event.id);
    if (!at) return violate(1, "a replayed event is not in the log", sync.user, {line});
    if (*at != ++place) {
      auto lines = around(room, std::min(place, *at));
      lines.push_back(line);
      return violate(2, fmt::format("a replay has #{} where #{} belongs", *at, place), sync.user, std::move(lines));
    }
    check_shown(event, room, *at, sync.user, {line});
    const auto& entry = room.events[static_cast<std::size_t>(*at)];
    if (const auto* denial = history_.behind(sync.user, sync.room, entry, *at, sync.done)) {
      return violate(5, "a replay has an event that stands behind the loss of the right", sync.user,
                     {describe(*denial, sync.user), describe(entry, *at), line});
    }
    const auto& logged = entry.logged.event;
    if (logged.content) {
      check_mask(sync.user, sync.room, event.entity, event.content.has_value(), sync.begun, sync.done, line);
    }
  }
  const auto last = sync.events.empty() ? sync.since : std::optional(sync.events.back().id);
  if (sync.last != last) violate(8, "a replay's last id is not that of its last event", sync.user, {line});
  if (sync.has_more && (sync.events.empty() || place == room.head())) {
    violate(3, "a replay promises more where nothing follows", sync.user, {line});
  }
  if (const auto known = room.known_events.before(sync.begun); !sync.has_more && place < known) {
    auto lines = around(room, known, 0, 0);
    lines.push_back(line);
    violate(2, "a replay ends before what was acknowledged when it began", sync.user, std::move(lines));
  }
}

void Checker::check_gap(const Sync& sync, const RoomHistory& room) {
  count("gaps");
  const auto line = describe(sync);
  if (!sync.events.empty() || sync.has_more) violate(8, "a replay with a gap looks complete", sync.user, {line});
  const auto head = room.place(sync.last);
  if (!head || *head < room.known_events.before(sync.begun)) {
    violate(8, "a gap does not name the present head", sync.user, {line});
  }
}

void Checker::check_page(const Page& page) {
  count("pages");
  static const RoomHistory kEmpty;
  const auto* found = history_.room(page.room);
  const auto& room = found == nullptr ? kEmpty : *found;
  const auto line = describe(page);
  if (const auto* denial = history_.denied(page.user, page.room, page.begun, page.done, true)) {
    violate(5, "a page was given after the right was lost", page.user, {describe(*denial, page.user), line});
  }
  const bool up = page.order == "after";
  const auto& made = room.created;
  std::size_t next = 0;  // ascending: the index expected next; descending: one past it
  if (page.order == "newest" || page.order == "one") {
    const auto first = page.items.empty() ? kNowhere : page.items.front().entity;
    next = static_cast<std::size_t>(std::upper_bound(made.begin(), made.end(), first) - made.begin());
  } else {
    const auto at = up ? std::upper_bound(made.begin(), made.end(), *page.cursor)
                       : std::lower_bound(made.begin(), made.end(), *page.cursor);
    next = static_cast<std::size_t>(at - made.begin());
  }
  const auto first = next;
  for (const auto& item : page.items) {
    count("page items");
    const bool inside = up ? next < made.size() : next > 0;
    const auto index = up ? next++ : (inside ? --next : 0);
    if (!inside || made[index] != item.entity) {
      return violate(3,
                     fmt::format("a page has entity {} where the log has {}", item.entity,
                                 inside ? std::to_string(made[index]) : "none"),
                     page.user, {line});
    }
    check_mask(page.user, page.room, item.entity, item.content.has_value(), page.begun, page.done, line);
    const auto place = history_.place_of(room, item.entity, item.content);
    if (place == kNowhere) continue;
    const auto& entry = room.events[static_cast<std::size_t>(place)];
    if (const auto* denial = history_.behind(page.user, page.room, entry, place, page.done)) {
      return violate(5, "a page has what was written behind the loss of the right", page.user,
                     {describe(*denial, page.user), describe(entry, place), line});
    }
  }
  if (page.order != "one") check_page_end(page, room, first);
}

void Checker::check_page_end(const Page& page, const RoomHistory& room, std::size_t first) {
  const auto line = describe(page);
  const auto known = room.known_created.before(page.begun);
  const bool up = page.order == "after";
  const auto rest = up ? room.created.size() - first : first;
  if (page.has_more && (page.items.empty() || rest <= page.items.size())) {
    violate(3, "a page promises more where nothing follows", page.user, {line});
  }
  if (page.items.size() > page.limit) violate(3, "a page is longer than its limit", page.user, {line});
  if (page.order == "newest" && !page.items.empty() && page.items.front().entity < known) {
    violate(3, fmt::format("the newest page lacks entity {}, acknowledged before it was asked", known), page.user,
            {line});
  }
  if (page.order == "newest" && page.items.empty() && known != kNowhere) {
    violate(3, fmt::format("the newest page is empty and entity {} was acknowledged before", known), page.user, {line});
  }
  if (page.has_more) return;
  if (up) {
    const auto last = page.items.empty() ? *page.cursor : page.items.back().entity;
    if (last < known) {
      violate(3, fmt::format("a page ends before entity {}, acknowledged when it was asked", known), page.user, {line});
    }
  } else if (rest != page.items.size()) {
    violate(3, "a page says that nothing older follows", page.user, {line});
  }
}

void Checker::check_final(const Final& last) {
  count("final states");
  const auto* room = history_.room(last.room);
  bool exists = false;
  bool deleted = false;
  std::optional<std::string> content;
  std::vector<std::string> lines{fmt::format("final {} entity {}: deleted {}, content {}", last.room, last.entity,
                                             last.deleted, last.content.value_or("null"))};
  static const std::vector<std::int64_t> kNone;
  const auto found = room == nullptr ? decltype(room->by_entity.end()){} : room->by_entity.find(last.entity);
  for (const auto place : room == nullptr || found == room->by_entity.end() ? kNone : found->second) {
    const auto& entry = room->events[static_cast<std::size_t>(place)];
    const auto& event = entry.logged.event;
    lines.push_back(describe(entry, place));
    const auto what = verb(event.type);
    exists = exists || what == "created";
    if (what == "deleted") deleted = true;
    if (what == "restored") deleted = false;
    if (carries_content(event.type)) content = event.content;
  }
  if (!exists || deleted != last.deleted || (!deleted && content != last.content) || (deleted && last.content)) {
    violate(4, "the state of an entity is not what its events say", "REST", std::move(lines));
  }
}

}  // namespace belfry::verify
