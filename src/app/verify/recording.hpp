#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What clients and an operator saw of a running server, as JSON Lines. tests/chaos/README.md describes each kind of
/// line.
namespace belfry::verify {

/// Nanoseconds of one monotonic clock; only the order counts.
using Ticks = std::int64_t;

struct Malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Outcome : std::uint8_t { kAcknowledged, kRefused, kUnknown };

/// An event as the log has it, or as a reader was shown it. `content` is absent when it is masked or has none.
struct SeenEvent {
  std::string id;
  std::string type;
  std::int64_t entity = 0;
  std::optional<std::string> content;
};

struct Driven {
  std::vector<std::string> what;
};
struct LogEvent {
  std::string room;
  SeenEvent event;
  std::optional<std::string> previous;
  std::optional<std::string> actor;  ///< the user who wrote it, absent for an admin
  std::int64_t at = 0;               ///< the server's time in milliseconds
};
struct Write {
  std::string who;
  std::string room;
  std::string type;
  std::optional<std::int64_t> entity;
  std::optional<std::string> content;
  Ticks begun = 0;
  Ticks done = 0;
  Outcome outcome = Outcome::kUnknown;
};
/// A right taken (`may` is false) or given back; `cause` keeps independent rights apart.
struct Access {
  std::string user;
  std::vector<std::string> rooms;
  std::string cause;
  bool may = false;
  bool late = true;     ///< without an answer, and may still be executed
  bool reading = true;  ///< false: it concerns writing only, as a mute does
  Ticks begun = 0;
  Ticks done = 0;
  Outcome outcome = Outcome::kUnknown;
  std::map<std::string, std::optional<std::string>> after;  ///< room → the last event before the change, when known
};
struct Join {
  std::string reader;
  std::string user;
  std::string room;
  std::optional<std::string> last;
  Ticks begun = 0;
  Ticks done = 0;
  bool sleepy = false;  ///< it reads when it likes: its frames may come late
};
struct Frame {
  std::string reader;
  std::string user;
  std::string room;
  SeenEvent event;
  std::optional<std::string> previous;
  Ticks at = 0;
};
/// The end of a subscription: `reason` when the server ended it.
struct Left {
  std::string reader;
  std::string room;
  std::optional<std::string> reason;
  Ticks at = 0;
};
struct Closed {
  std::string reader;
  std::optional<Ticks> at;  ///< when it had last read all that had arrived
};
/// Writers have stopped and the reader had time: what it has is all it will get.
struct Settled {
  std::string reader;
  std::string user;
  std::string room;
  Ticks at = 0;
};
struct Sync {
  std::string user;
  std::string room;
  std::optional<std::string> since;
  std::vector<SeenEvent> events;
  std::optional<std::string> last;
  bool has_more = false;
  bool gap = false;
  Ticks begun = 0;
  Ticks done = 0;
};
struct PageItem {
  std::int64_t entity = 0;
  std::optional<std::string> content;
};
/// A REST page, or a detail (`order` "one"). `cursor` is absent for the newest page.
struct Page {
  std::string user;
  std::string room;
  std::string order;  ///< after, before, newest, one
  std::optional<std::int64_t> cursor;
  std::vector<PageItem> items;
  std::size_t limit = 0;
  bool has_more = false;
  Ticks begun = 0;
  Ticks done = 0;
};
struct Cursor {
  std::string user;
  std::string channel;
  std::int64_t value = 0;
  Ticks begun = 0;
  Ticks done = 0;
};
struct Ticket {
  std::string ticket;
  Outcome outcome = Outcome::kUnknown;
};
struct SlowMode {
  std::string room;
  std::int64_t seconds = 0;
};
struct Final {
  std::string room;
  std::int64_t entity = 0;
  bool deleted = false;
  std::optional<std::string> content;
};
struct Fault {
  std::string what;
};
/// How often something was done that no other record tells.
struct Tally {
  std::string what;
  std::uint64_t count = 0;
};
/// From a write's answer to its frame at a reader that is not sleepy, at most.
struct Prompt {
  std::int64_t milliseconds = 0;
};
/// An answer that took long, and how long it might have taken.
struct Wait {
  std::string what;
  Ticks begun = 0;
  Ticks done = 0;
  Ticks bound = 0;
};
/// What a node counted before anybody came and after all had left.
struct Baseline {
  std::string node;
  std::map<std::string, std::int64_t> before;
  std::map<std::string, std::int64_t> after;
};

using Record = std::variant<Driven, LogEvent, Write, Access, Join, Frame, Left, Closed, Settled, Sync, Page, Cursor,
                            Ticket, SlowMode, Final, Fault, Tally, Prompt, Wait, Baseline>;

/// One line. Throws `Malformed`, which names the field.
Record parse_record(std::string_view line);

}  // namespace belfry::verify
