#include "app/verify/describe.hpp"

#include <fmt/format.h>

namespace belfry::verify {
namespace {

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAcknowledged:
      return "acknowledged";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kUnknown:
      break;
  }
  return "unknown";
}

std::string or_null(const std::optional<std::string>& text) { return text.value_or("null"); }

std::string shown(const SeenEvent& event) {
  return fmt::format("{} {} entity {} content {}", event.id, event.type, event.entity, or_null(event.content));
}

std::string until(Ticks time) { return time == kForever ? "the end" : std::to_string(time); }

}  // namespace

std::string describe(const Write& write) {
  return fmt::format("write {}..{} {} by {} in {}: {} entity {} content {}", write.begun, write.done,
                     name(write.outcome), write.who, write.room, write.type,
                     write.entity ? std::to_string(*write.entity) : "?", or_null(write.content));
}

std::string describe(const Entry& entry, std::int64_t place) {
  std::string line = fmt::format("log   {} #{}: {} after {}", entry.logged.room, place, shown(entry.logged.event),
                                 or_null(entry.logged.previous));
  if (entry.write != nullptr) {
    line += fmt::format(", written {}..{} {}", entry.write->begun, entry.write->done, name(entry.write->outcome));
  }
  return line;
}

std::string describe(const Frame& frame) {
  return fmt::format("frame {} {} in {}: {} after {}", frame.at, frame.reader, frame.room, shown(frame.event),
                     or_null(frame.previous));
}

std::string describe(const Join& join) {
  return fmt::format("join  {}..{} {} in {}: head {}", join.begun, join.done, join.reader, join.room,
                     or_null(join.last));
}

std::string describe(const Left& left) {
  return fmt::format("left  {} {} in {}: {}", left.at, left.reader, left.room, left.reason.value_or("asked"));
}

std::string describe(const Sync& sync) {
  std::string line = fmt::format("sync  {}..{} {} in {} since {}: {} events, last {}, hasMore {}, gap {}", sync.begun,
                                 sync.done, sync.user, sync.room, or_null(sync.since), sync.events.size(),
                                 or_null(sync.last), sync.has_more, sync.gap);
  if (!sync.events.empty()) line += fmt::format(", from {} to {}", sync.events.front().id, sync.events.back().id);
  return line;
}

std::string describe(const Page& page) {
  std::string line =
      fmt::format("page  {}..{} {} in {} {} {} limit {}: hasMore {}, items", page.begun, page.done, page.user,
                  page.room, page.order, page.cursor ? std::to_string(*page.cursor) : "-", page.limit, page.has_more);
  constexpr std::size_t kShown = 12;
  for (std::size_t index = 0; index < page.items.size() && index < kShown; ++index) {
    line += fmt::format(" {}", page.items[index].entity);
  }
  if (page.items.size() > kShown) line += fmt::format(" … {}", page.items.back().entity);
  return line;
}

std::string describe(const Denial& denial, const std::string& user) {
  std::string line = fmt::format("lost  {}..{} {} ({}), asked back {}", denial.begun, denial.from, user, denial.cause,
                                 until(denial.until));
  if (denial.after) line += fmt::format(", behind #{}", *denial.after);
  return line;
}

}  // namespace belfry::verify
