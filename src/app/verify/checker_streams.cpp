#include <fmt/format.h>

#include "app/verify/checker.hpp"
#include "app/verify/describe.hpp"

/// Live readers: what one connection saw of one room, from join to leave.
namespace belfry::verify {
namespace {

constexpr std::size_t kRecent = 3;

void remember(std::deque<std::string>& recent, std::string line) {
  recent.push_back(std::move(line));
  if (recent.size() > kRecent) recent.pop_front();
}

}  // namespace

std::vector<std::string> Checker::with_recent(const Stream& stream, const RoomHistory& room, std::int64_t place) const {
  auto lines = around(room, place);
  lines.insert(lines.end(), stream.recent.begin(), stream.recent.end());
  return lines;
}

void Checker::check_join(const Join& join) {
  count("joins");
  auto& stream = streams_[{join.reader, join.room}];
  remember(stream.recent, describe(join));
  static const RoomHistory kEmpty;
  const auto* found = history_.room(join.room);
  const auto& room = found == nullptr ? kEmpty : *found;
  const auto head = room.place(join.last);
  if (!head) {
    violate(2, "the head of a join is not in the log", join.reader, {describe(join)});
    stream.joined = false;
    return;
  }
  // Who is in already is told so, and how far it has come; what changes that is on its way.
  if (const auto known = room.known_events.before(join.begun); !stream.joined && *head < known) {
    violate(2, "a join's head is older than what was acknowledged before it", join.reader,
            with_recent(stream, room, known));
  }
  const auto* denial = history_.denied(join.user, join.room, join.begun, join.done, true);
  if (denial != nullptr && !stream.joined) {
    violate(5, "a join succeeded after the right was lost", join.user, {describe(*denial, join.user), describe(join)});
  }
  if (!stream.joined) {
    stream.last = *head;
    stream.since = join.done;
    stream.user = join.user;
    stream.sleepy = join.sleepy;
  }
  stream.joined = true;
}

void Checker::check_frame(const Frame& frame) {
  count("frames");
  auto& stream = streams_[{frame.reader, frame.room}];
  remember(stream.recent, describe(frame));
  const auto* room = history_.room(frame.room);
  const auto place = room == nullptr ? std::nullopt : room->place(frame.event.id);
  if (!place) {
    violate(1, "a frame whose event is not in the log", frame.reader, {stream.recent.begin(), stream.recent.end()});
    return;
  }
  if (!stream.joined) {
    violate(2, "a frame of a room that the reader is not in", frame.reader, with_recent(stream, *room, *place));
  } else if (*place <= stream.last) {
    violate(2, "a frame again, or before its place", frame.reader, with_recent(stream, *room, *place));
  } else if (*place > stream.last + 1) {
    violate(2, fmt::format("{} events are missing before a frame", *place - stream.last - 1), frame.reader,
            with_recent(stream, *room, stream.last + 1));
  }
  if (stream.joined) check_prompt(frame.reader, frame.room, stream, *place, frame.at);
  stream.last = std::max(stream.last, *place);
  if (frame.previous != room->events[static_cast<std::size_t>(*place)].logged.previous) {
    violate(8, "a frame names another event before it than the log", frame.reader, with_recent(stream, *room, *place));
  }
  check_shown(frame.event, *room, *place, frame.reader, {describe(frame)});
  check_frame_access(frame, *room, *place);
}

void Checker::check_frame_access(const Frame& frame, const RoomHistory& room, std::int64_t place) {
  const auto& entry = room.events[static_cast<std::size_t>(place)];
  if (const auto* denial = history_.behind(frame.user, frame.room, entry, place, frame.at)) {
    const bool begun_after = entry.write != nullptr && entry.write->begun > denial->from;
    violate(5,
            begun_after ? "an event written after a revocation was acknowledged reached the reader"
                        : "an event that stands behind a revocation reached the reader",
            frame.user, {describe(*denial, frame.user), describe(entry, place), describe(frame)});
  }
}

/// The event of this place, which the reader has by `at` or does not have yet, is not overdue then.
void Checker::check_prompt(const std::string& reader, const std::string& name, const Stream& stream, std::int64_t place,
                           Ticks at) {
  const auto* room = history_.room(name);
  if (!history_.prompt() || stream.sleepy || room == nullptr || place > room->head()) return;
  const auto& entry = room->events[static_cast<std::size_t>(place)];
  if (entry.write == nullptr || entry.write->outcome != Outcome::kAcknowledged) return;
  count("prompt frames");
  const auto took = at - std::max(entry.write->done, stream.since);
  if (took <= *history_.prompt()) return;
  for (const auto& denial : history_.denials(stream.user, name)) {
    if (denial.begun < at && denial.until > entry.write->done) return;  // it is to be told that it is out
  }
  violate(2, fmt::format("an event is not with a reader {} ms after it was acknowledged", took / 1'000'000), reader,
          with_recent(stream, *room, place));
}

void Checker::check_left(const Left& left) {
  auto& stream = streams_[{left.reader, left.room}];
  count(left.reason ? "evictions" : "leaves");
  remember(stream.recent, describe(left));
  if (left.reason && !stream.joined) {
    violate(2, "the end of a subscription is said without one", left.reader,
            {stream.recent.begin(), stream.recent.end()});
  }
  if (stream.joined) check_prompt(left.reader, left.room, stream, stream.last + 1, left.at);
  stream.joined = false;
}

void Checker::check_closed(const Closed& closed) {
  count("connections ended");
  auto at = streams_.lower_bound({closed.reader, ""});
  while (at != streams_.end() && at->first.first == closed.reader) {
    const auto& [key, stream] = *at;
    if (closed.at && stream.joined) check_prompt(key.first, key.second, stream, stream.last + 1, *closed.at);
    at = streams_.erase(at);
  }
}

void Checker::check_settled(const Settled& settled) {
  const auto& stream = streams_[{settled.reader, settled.room}];
  const auto* room = history_.room(settled.room);
  if (room == nullptr || !stream.joined) return;
  count("settled readers");
  if (stream.last != room->head()) {
    violate(2, fmt::format("a reader that stayed misses the last {} events", room->head() - stream.last),
            settled.reader, with_recent(stream, *room, stream.last + 1));
  }
  for (const auto& denial : history_.denials(settled.user, settled.room)) {
    if (denial.reading && denial.until > settled.at) {
      violate(5, "a subscription outlived the right to it", settled.user,
              {describe(denial, settled.user), fmt::format("settled {} {}", settled.at, settled.reader)});
    }
  }
}

}  // namespace belfry::verify
