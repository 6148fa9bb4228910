#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/verify/checker.hpp"

namespace belfry::app {
namespace {

constexpr const char* kFooter =
    "A recording is JSON Lines: what clients asked and saw of a server, and its log. Each line has a `kind`:\n"
    "  log, write, access, final            the log, writes and changes of rights with begin and end, the last state\n"
    "  join, frame, left, closed, settled   what one connection saw of a room\n"
    "  sync, page                           replays and REST pages, whole\n"
    "  cursor, ticket, slow                 read cursors, attempts with tickets, rooms under slow mode\n"
    "  wait, prompt, baseline               answers that took long, how late frames may be, what nodes count at rest\n"
    "  driven, fault, tally                 what must have happened at least once, what was done, how often\n"
    "tests/chaos/README.md describes the fields. Exit code 0: every promise holds; 1: one is broken, with the history\n"
    "that shows it; 2: the file cannot be read.";

/// Every line of the file, or a complaint that names the line.
template <class Use>
bool each_line(const std::string& path, Use use) {
  std::ifstream file(path);
  if (!file) {
    complain(path + ": cannot be opened");
    return false;
  }
  std::string line;
  for (std::uint64_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    try {
      use(verify::parse_record(line));
    } catch (const verify::Malformed& malformed) {
      complain(fmt::format("{}:{}: {}", path, number, malformed.what()));
      return false;
    }
  }
  return !file.bad();
}

void print(const verify::Violation& violation) {
  const auto promise = violation.promise == 0 ? std::string("recording") : fmt::format("promise {}", violation.promise);
  std::puts(fmt::format("VIOLATION ({}) {}: {}", promise, violation.who, violation.what).c_str());
  for (const auto& line : violation.history) std::puts(("    " + line).c_str());
}

int verify_recording(const std::string& path) {
  verify::Checker checker;
  // Twice: a reader's line is judged by writes that may stand behind it, and readers' lines are too many to be kept.
  if (!each_line(path, [&](const verify::Record& record) { checker.learn(record); })) return kExitUsage;
  if (!each_line(path, [&](const verify::Record& record) { checker.check(record); })) return kExitUsage;
  checker.finish();
  for (const auto& violation : checker.violations()) print(violation);
  for (const auto& [what, count] : checker.counts()) std::puts(fmt::format("{:>10}  {}", count, what).c_str());
  std::fflush(stdout);  // what is said on stderr comes last
  if (checker.violation_count() == 0) return 0;
  complain(fmt::format("{} violations, {} shown", checker.violation_count(), checker.violations().size()));
  return kExitFailed;
}

}  // namespace

void add_verify(CLI::App& root, Chosen& chosen) {
  auto* command = root.add_subcommand("verify", "Hold a recording of clients and log against the server's promises");
  auto path = std::make_shared<std::string>();
  command->add_option("recording", *path, "The file, JSON Lines")->required()->type_name("FILE");
  command->footer(kFooter);
  command->callback([&chosen, path] { chosen = [path] { return verify_recording(*path); }; });
}

}  // namespace belfry::app
