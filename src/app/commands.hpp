#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "belfry/config/settings.hpp"

/// The subcommands of the binary, one file each. stdout carries only what a command prints; everything else goes to
/// stderr.
namespace belfry::app {

inline constexpr int kExitFailed = 1;  ///< the command could not do what it was asked
inline constexpr int kExitUsage = 2;   ///< flags or configuration are wrong: nothing was begun

/// What a parsed subcommand left to be run.
using Chosen = std::function<int()>;

void add_serve(CLI::App& root, Chosen& chosen);
void add_dev(CLI::App& root, Chosen& chosen);
void add_migrate(CLI::App& root, Chosen& chosen);
void add_token(CLI::App& root, Chosen& chosen);
void add_health(CLI::App& root, Chosen& chosen);
void add_check_config(CLI::App& root, Chosen& chosen);
void add_docs(CLI::App& root, Chosen& chosen);
void add_verify(CLI::App& root, Chosen& chosen);
void add_version(CLI::App& root, Chosen& chosen);

/// The flags of a subcommand that stand for settings. Shared by the parser and the command that runs afterwards.
class SettingFlags {
 public:
  using Names = std::vector<std::string_view>;

  /// Adds `--config` and a flag for each named key; without a list, for every key that is no secret.
  static std::shared_ptr<SettingFlags> add(CLI::App& command, const std::optional<Names>& names = std::nullopt);

  /// A default that this subcommand prefers; its help says so.
  void prefer(std::string_view name, std::string_view value);
  /// Everything the process was given; flags only where the user wrote them.
  config::Input input() const;
  /// The loaded settings, or nothing after the problems were written to stderr.
  std::optional<config::Loaded> load() const;

 private:
  struct Flag {
    std::string key;
    std::string value;
    CLI::Option* option;
  };
  std::vector<std::unique_ptr<Flag>> flags_;
  std::vector<std::pair<std::string, std::string>> defaults_;
  std::string config_path_;
  CLI::Option* config_option_ = nullptr;
};

/// `belfry: <line>` on stderr.
void complain(std::string_view line);
/// A wildcard address is where one listens, not where one asks: the loopback address instead.
config::Endpoint reachable(config::Endpoint endpoint);
/// Line breaks and other control characters become single spaces.
std::string one_line(std::string_view text);
void configure_logs(const config::Settings& settings);
/// Each warning as one line on stderr, in the log's own form.
void log_warnings(const config::Loaded& loaded);

}  // namespace belfry::app
