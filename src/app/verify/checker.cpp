#include "app/verify/checker.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "app/verify/describe.hpp"

namespace belfry::verify {
namespace {

constexpr std::size_t kKeptViolations = 20;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

}  // namespace

void Checker::learn(const Record& record) { history_.learn(record); }

void Checker::violate(int promise, std::string what, std::string who, std::vector<std::string> history) {
  ++violation_count_;
  if (violations_.size() < kKeptViolations) {
    violations_.push_back({promise, std::move(what), std::move(who), std::move(history)});
  }
}

std::vector<std::string> Checker::around(const RoomHistory& room, std::int64_t place, int before, int after) const {
  std::vector<std::string> lines;
  const auto first = std::max<std::int64_t>(0, place - before);
  const auto last = std::min(room.head(), place + after);
  for (auto at = first; at <= last; ++at) lines.push_back(describe(room.events[static_cast<std::size_t>(at)], at));
  return lines;
}

void Checker::begin() {
  begun_ = true;
  history_.close();
  for (const auto& [name, room] : history_.rooms()) check_log(name, room);
  for (const auto& write : history_.writes()) check_write(write);
  if (const auto lost = history_.denials_under_traffic(); lost > 0) count("revocations under traffic", lost);
}

void Checker::check(const Record& record) {
  if (!begun_) begin();
  std::visit(Overloaded{
                 [&](const Driven& driven) { driven_ = driven.what; },
                 [](const LogEvent&) {},  // held as a whole against the writes by begin()
                 [](const Write&) {},
                 [&](const Access& access) {
                   if (access.outcome == Outcome::kAcknowledged) count(access.may ? "grants" : "revocations");
                 },
                 [&](const Join& join) { check_join(join); },
                 [&](const Frame& frame) { check_frame(frame); },
                 [&](const Left& left) { check_left(left); },
                 [&](const Closed& closed) { check_closed(closed); },
                 [&](const Settled& settled) { check_settled(settled); },
                 [&](const Sync& sync) { check_sync(sync); },
                 [&](const Page& page) { check_page(page); },
                 [&](const Cursor& cursor) { cursors_[{cursor.user, cursor.channel}].push_back(cursor); },
                 [&](const Ticket& ticket) { tickets_[ticket.ticket].push_back(ticket.outcome); },
                 [&](const SlowMode& slow) { check_slow(slow); },
                 [&](const Final& last) { check_final(last); },
                 [&](const Fault& fault) { count("fault " + fault.what); },
                 [&](const Tally& tally) { count(tally.what, tally.count); },
                 [](const Prompt&) {},
                 [&](const Wait& wait) { check_wait(wait); },
                 [&](const Baseline& baseline) { check_baseline(baseline); },
             },
             record);
}

void Checker::finish() {
  if (!begun_) begin();
  check_cursors();
  check_tickets();
  check_driven();
}

void Checker::check_log(const std::string& name, const RoomHistory& room) {
  for (std::size_t place = 0; place < room.events.size(); ++place) {
    const auto& [logged, write] = room.events[place];
    const auto at = static_cast<std::int64_t>(place);
    count("log events");
    const auto before = place == 0 ? std::nullopt : std::optional(room.events[place - 1].logged.event.id);
    if (logged.previous != before) violate(2, "the log's chain is broken", name, around(room, at));
    if (before && logged.event.id <= *before) violate(3, "ids do not rise in the log", name, around(room, at));
    if (write == nullptr && logged.event.content && carries_content(logged.event.type)) {
      violate(1, "an event that nobody wrote", name, around(room, at, 0, 0));
    }
  }
  if (!std::is_sorted(room.created.begin(), room.created.end(), std::less_equal<>())) {
    const auto wrong = std::adjacent_find(room.created.begin(), room.created.end(), std::greater_equal<>());
    violate(3, fmt::format("entity {} stands before {} in the log", *wrong, *std::next(wrong)), name, {});
  }
  check_order(room);
}

/// What was acknowledged before another write began stands before it.
void Checker::check_order(const RoomHistory& room) {
  std::int64_t latest = kNowhere;
  for (std::int64_t place = 0; place <= room.head(); ++place) {
    const auto& entry = room.events[static_cast<std::size_t>(place)];
    if (entry.write == nullptr || entry.write->outcome != Outcome::kAcknowledged) continue;
    count("writes in order");
    if (latest != kNowhere) {
      const auto& earlier = room.events[static_cast<std::size_t>(latest)];
      if (entry.write->done < earlier.write->begun) {
        violate(3, "a write stands behind one that began after it was acknowledged", entry.write->who,
                {describe(earlier, latest), describe(entry, place)});
      }
      if (entry.write->begun <= earlier.write->begun) continue;
    }
    latest = place;
  }
}

void Checker::check_write(const Write& write) {
  const auto found = history_.events_of(write);
  std::vector<std::string> lines{describe(write)};
  for (const auto* entry : found) {
    const auto* room = history_.room(entry->logged.room);
    lines.push_back(describe(*entry, *room->place(entry->logged.event.id)));
  }
  if (write.outcome == Outcome::kAcknowledged) count("writes");
  if (write.outcome == Outcome::kRefused) count("refused writes");
  if (write.outcome == Outcome::kUnknown) count("writes of unknown outcome");
  if (write.content && carries_content(write.type)) {
    if (found.size() > 1) violate(1, "one write has several events", write.who, lines);
    if (write.outcome == Outcome::kAcknowledged && found.empty()) {
      violate(1, "an acknowledged write has no event", write.who, lines);
    }
    if (write.outcome == Outcome::kRefused && !found.empty()) {
      violate(1, "a refused write has an event", write.who, lines);
    }
    for (const auto* entry : found) {
      const auto& event = entry->logged.event;
      if (entry->logged.room != write.room || event.type != write.type ||
          (write.entity && event.entity != *write.entity)) {
        violate(1, "the event is not that of its write", write.who, lines);
      }
    }
  } else if (write.entity && write.outcome == Outcome::kAcknowledged) {
    std::size_t acknowledged = 0;
    std::size_t unknown = 0;
    for (const auto* other : history_.writes_like(write)) {
      acknowledged += other->outcome == Outcome::kAcknowledged ? 1U : 0U;
      unknown += other->outcome == Outcome::kUnknown ? 1U : 0U;
    }
    if (found.size() < acknowledged || found.size() > acknowledged + unknown) {
      violate(1,
              fmt::format("{} acknowledged writes ({} of unknown outcome) have {} events", acknowledged, unknown,
                          found.size()),
              write.who, lines);
    }
  }
  const bool creates = carries_content(write.type);
  if (creates && write.outcome == Outcome::kAcknowledged) {
    if (const auto* denial = history_.denied(write.who, write.room, write.begun, write.done, false)) {
      lines.push_back(describe(*denial, write.who));
      violate(7, "a write was accepted from who had lost the right to it", write.who, lines);
    }
    for (const auto* entry : found) {
      const auto place = *history_.room(entry->logged.room)->place(entry->logged.event.id);
      if (const auto* denial = history_.behind(write.who, write.room, *entry, place, write.done, false)) {
        lines.push_back(describe(*denial, write.who));
        violate(7, "a write stands behind the loss of the right to it", write.who, lines);
      }
    }
  }
}

void Checker::check_slow(const SlowMode& slow) {
  const auto* room = history_.room(slow.room);
  if (room == nullptr) return;
  std::map<std::string, std::int64_t> last;
  for (std::int64_t place = 0; place <= room->head(); ++place) {
    const auto& logged = room->events[static_cast<std::size_t>(place)].logged;
    if (!logged.actor || verb(logged.event.type) != "created") continue;
    count("messages under slow mode");
    const auto found = last.find(*logged.actor);
    if (found != last.end()) {
      const auto& earlier = room->events[static_cast<std::size_t>(found->second)];
      if (logged.at - earlier.logged.at < slow.seconds * 1000) {
        violate(
            7,
            fmt::format("{} ms between two messages, slow mode is {} s", logged.at - earlier.logged.at, slow.seconds),
            *logged.actor, {describe(earlier, found->second), around(*room, place, 0, 0).front()});
      }
    }
    last[*logged.actor] = place;
  }
}

void Checker::check_cursors() {
  for (auto& [who, seen] : cursors_) {
    Known known;
    for (const auto& cursor : seen) known.add(cursor.done, cursor.value);
    known.sort();
    for (const auto& cursor : seen) {
      count("read cursors");
      if (const auto earlier = known.before(cursor.begun); cursor.value < earlier) {
        violate(7, fmt::format("the read cursor went back from {} to {}", earlier, cursor.value), who.first,
                {fmt::format("cursor {}..{} channel {}: {}", cursor.begun, cursor.done, who.second, cursor.value)});
      }
    }
  }
}

void Checker::check_tickets() {
  for (const auto& [ticket, outcomes] : tickets_) {
    count("tickets");
    const auto accepted = std::count(outcomes.begin(), outcomes.end(), Outcome::kAcknowledged);
    const auto unknown = std::count(outcomes.begin(), outcomes.end(), Outcome::kUnknown);
    if (accepted > 1) violate(7, fmt::format("a ticket worked {} times", accepted), "ticket " + ticket, {});
    if (accepted == 0 && unknown == 0) violate(7, "a fresh ticket worked for nobody", "ticket " + ticket, {});
  }
}

void Checker::check_wait(const Wait& wait) {
  count("slow answers");
  if (wait.done - wait.begun <= wait.bound) return;
  violate(10,
          fmt::format("no answer for {} ms, at most {} ms may pass", (wait.done - wait.begun) / 1'000'000,
                      wait.bound / 1'000'000),
          wait.what, {fmt::format("asked {}..{} {}", wait.begun, wait.done, wait.what)});
}

void Checker::check_baseline(const Baseline& baseline) {
  count("baselines");
  for (const auto& [what, before] : baseline.before) {
    const auto found = baseline.after.find(what);
    const auto after = found == baseline.after.end() ? 0 : found->second;
    if (after != before) {
      violate(9, fmt::format("{} was {} before anybody came and is {} after all have left", what, before, after),
              baseline.node, {});
    }
  }
}

void Checker::check_driven() {
  for (const auto& what : driven_) {
    if (counts_[what] == 0) violate(0, "driven, but none was seen: " + what, "the recording", {});
  }
}

}  // namespace belfry::verify
