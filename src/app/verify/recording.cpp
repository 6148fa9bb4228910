#include "app/verify/recording.hpp"

#include <nlohmann/json.hpp>

namespace belfry::verify {
namespace {

using Json = nlohmann::json;

[[noreturn]] void reject(const char* name, const char* issue) {
  throw Malformed("field '" + std::string(name) + "' " + issue);
}

const Json& field(const Json& from, const char* name) {
  const auto found = from.find(name);
  if (found == from.end()) reject(name, "is missing");
  return *found;
}

std::string text(const Json& from, const char* name) {
  const Json& value = field(from, name);
  if (!value.is_string()) reject(name, "must be a string");
  return value.get<std::string>();
}

std::int64_t number(const Json& from, const char* name) {
  const Json& value = field(from, name);
  if (!value.is_number_integer()) reject(name, "must be an integer");
  return value.get<std::int64_t>();
}

bool flag(const Json& from, const char* name) {
  const Json& value = field(from, name);
  if (!value.is_boolean()) reject(name, "must be true or false");
  return value.get<bool>();
}

bool absent(const Json& from, const char* name) {
  const auto found = from.find(name);
  return found == from.end() || found->is_null();
}

std::optional<std::string> optional_text(const Json& from, const char* name) {
  if (absent(from, name)) return std::nullopt;
  return text(from, name);
}

std::optional<std::int64_t> optional_number(const Json& from, const char* name) {
  if (absent(from, name)) return std::nullopt;
  return number(from, name);
}

Outcome outcome(const Json& from) {
  const std::string value = text(from, "outcome");
  if (value == "acknowledged") return Outcome::kAcknowledged;
  if (value == "refused") return Outcome::kRefused;
  if (value == "unknown") return Outcome::kUnknown;
  reject("outcome", "must be acknowledged, refused or unknown");
}

const Json& list(const Json& from, const char* name) {
  const Json& value = field(from, name);
  if (!value.is_array()) reject(name, "must be a list");
  return value;
}

std::vector<std::string> texts(const Json& from, const char* name) {
  std::vector<std::string> made;
  for (const Json& item : list(from, name)) {
    if (!item.is_string()) reject(name, "must hold strings");
    made.push_back(item.get<std::string>());
  }
  return made;
}

SeenEvent seen(const Json& from) {
  return {text(from, "eventId"), text(from, "type"), number(from, "entity"), optional_text(from, "content")};
}

LogEvent log_event(const Json& line) {
  return {text(line, "room"), seen(line), optional_text(line, "prevEventId"), optional_text(line, "actor"),
          optional_number(line, "at").value_or(0)};
}

Write write(const Json& line) {
  return {text(line, "who"),
          text(line, "room"),
          text(line, "type"),
          optional_number(line, "entity"),
          optional_text(line, "content"),
          number(line, "begun"),
          number(line, "done"),
          outcome(line)};
}

Access access(const Json& line) {
  Access made;
  made.user = text(line, "user");
  made.rooms = texts(line, "rooms");
  made.cause = text(line, "cause");
  made.may = flag(line, "may");
  made.begun = number(line, "begun");
  made.done = number(line, "done");
  made.outcome = outcome(line);
  if (!absent(line, "late")) made.late = flag(line, "late");
  if (!absent(line, "reading")) made.reading = flag(line, "reading");
  if (!absent(line, "after")) {
    const Json& after = field(line, "after");
    if (!after.is_object()) reject("after", "must be an object");
    for (const auto& [room, id] : after.items()) {
      if (!id.is_null() && !id.is_string()) reject("after", "must hold event ids");
      made.after[room] = id.is_null() ? std::nullopt : std::optional(id.get<std::string>());
    }
  }
  return made;
}

Sync sync(const Json& line) {
  Sync made;
  made.user = text(line, "user");
  made.room = text(line, "room");
  made.since = optional_text(line, "since");
  for (const Json& item : list(line, "events")) {
    if (!item.is_object()) reject("events", "must hold objects");
    made.events.push_back(seen(item));
  }
  made.last = optional_text(line, "lastEventId");
  made.has_more = flag(line, "hasMore");
  made.gap = flag(line, "gap");
  made.begun = number(line, "begun");
  made.done = number(line, "done");
  return made;
}

Page page(const Json& line) {
  Page made;
  made.user = text(line, "user");
  made.room = text(line, "room");
  made.order = text(line, "order");
  if (made.order != "after" && made.order != "before" && made.order != "newest" && made.order != "one") {
    reject("order", "must be after, before, newest or one");
  }
  made.cursor = optional_number(line, "cursor");
  if ((made.order == "after" || made.order == "before") && !made.cursor) reject("cursor", "is missing");
  for (const Json& item : list(line, "items")) {
    if (!item.is_object()) reject("items", "must hold objects");
    made.items.push_back({number(item, "entity"), optional_text(item, "content")});
  }
  made.limit = static_cast<std::size_t>(number(line, "limit"));
  made.has_more = flag(line, "hasMore");
  made.begun = number(line, "begun");
  made.done = number(line, "done");
  return made;
}

std::map<std::string, std::int64_t> numbers(const Json& from, const char* name) {
  const Json& value = field(from, name);
  if (!value.is_object()) reject(name, "must be an object");
  std::map<std::string, std::int64_t> made;
  for (const auto& [key, item] : value.items()) made[key] = number(value, key.c_str());
  return made;
}

Frame frame(const Json& line) {
  return {text(line, "reader"), text(line, "user"), text(line, "room"), seen(line), optional_text(line, "prevEventId"),
          number(line, "at")};
}

Record by_kind(const std::string& kind, const Json& line) {
  if (kind == "frame") return frame(line);
  if (kind == "log") return log_event(line);
  if (kind == "write") return write(line);
  if (kind == "access") return access(line);
  if (kind == "sync") return sync(line);
  if (kind == "page") return page(line);
  if (kind == "driven") return Driven{texts(line, "what")};
  if (kind == "join") {
    return Join{text(line, "reader"),
                text(line, "user"),
                text(line, "room"),
                optional_text(line, "lastEventId"),
                number(line, "begun"),
                number(line, "done"),
                !absent(line, "sleepy") && flag(line, "sleepy")};
  }
  if (kind == "left") {
    return Left{text(line, "reader"), text(line, "room"), optional_text(line, "reason"), number(line, "at")};
  }
  if (kind == "closed") return Closed{text(line, "reader"), optional_number(line, "at")};
  if (kind == "settled") {
    return Settled{text(line, "reader"), text(line, "user"), text(line, "room"), number(line, "at")};
  }
  if (kind == "cursor") {
    return Cursor{text(line, "user"), text(line, "channel"), number(line, "value"), number(line, "begun"),
                  number(line, "done")};
  }
  if (kind == "ticket") return Ticket{text(line, "ticket"), outcome(line)};
  if (kind == "slow") return SlowMode{text(line, "room"), number(line, "seconds")};
  if (kind == "final") {
    return Final{text(line, "room"), number(line, "entity"), flag(line, "deleted"), optional_text(line, "content")};
  }
  if (kind == "fault") return Fault{text(line, "what")};
  if (kind == "tally") return Tally{text(line, "what"), static_cast<std::uint64_t>(number(line, "count"))};
  if (kind == "prompt") return Prompt{number(line, "milliseconds")};
  if (kind == "wait") {
    return Wait{text(line, "what"), number(line, "begun"), number(line, "done"), number(line, "bound")};
  }
  if (kind == "baseline") return Baseline{text(line, "node"), numbers(line, "before"), numbers(line, "after")};
  reject("kind", "is none that is known");
}

}  // namespace

Record parse_record(std::string_view line) {
  const Json parsed = Json::parse(line, nullptr, false);
  if (!parsed.is_object()) throw Malformed("not a JSON object");
  return by_kind(text(parsed, "kind"), parsed);
}

}  // namespace belfry::verify
