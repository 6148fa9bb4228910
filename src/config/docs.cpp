#include "belfry/config/settings.hpp"

namespace belfry::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is printed by `belfry docs configuration`; a test compares the two.

A setting is looked for in four places. The first that has it wins:

1. a flag: `--event-retention 12h`
2. a variable: `BELFRY_EVENT_RETENTION=12h`
3. a TOML file, named by `--config` or `BELFRY_CONFIG`: `event_retention = "12h"`
4. the default below

Names follow each other: the variable is `BELFRY_` and the flag in capitals, with underscores for dashes; the file has the
variable's name in lower case without the prefix. The file has no tables: every key stands at the top. A list is written with
commas in a flag or a variable (`a,b`), and as a TOML array in the file (`["a", "b"]`).

Secrets have no flag, because other processes can read a command line. They come from a variable, from the file, or from a file
of their own that the variable with `_FILE` names: `BELFRY_JWT_SECRET_FILE=/run/secrets/jwt` (in the TOML file: `jwt_secret_file`).
One line break at the end of such a file does not count. Setting both in one place is an error. No command prints a secret.

Durations are a whole number and a unit: `500ms`, `2s`, `15m`, `12h`, `7d`.

The start is refused, and every problem is named with its key, its place and what is allowed, when a value is bad (even where
another place would win over it), when two settings do not go together, when the file has an unknown key, or when a flag is unknown;
the exit code is 2. An empty variable counts as not set. An unknown `BELFRY_*` variable is only a warning, since container platforms
add some of their own.

`belfry check-config` shows what takes effect and where it comes from.

)";

std::string code(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string render_key(const Key& key) {
  std::string out = "## " + std::string(key.name) + "\n\n" + std::string(key.description) + "\n\n";
  out += "| | |\n| --- | --- |\n";
  if (!key.secret) out += "| flag | " + code(flag_name(key)) + " |\n";
  out += "| variable | " + code(variable_name(key));
  if (key.secret) out += " or " + code(variable_name(key) + "_FILE");
  out += " |\n| file | " + code(key.name);
  if (key.secret) out += " or " + code(std::string(key.name) + "_file");
  out += " |\n| type | " + std::string(key.type) + (key.secret ? ", secret" : "") + " |\n";
  out += "| allowed | " + std::string(key.allowed) + " |\n";
  out += "| default | " + (key.default_value.empty() ? "not set" : code(key.default_value)) + " |\n";
  return out;
}

}  // namespace

std::string render_docs() {
  std::string out(kIntroduction);
  bool first = true;
  for (const auto& key : keys()) {
    if (!first) out += "\n";
    first = false;
    out += render_key(key);
  }
  return out;
}

}  // namespace belfry::config
