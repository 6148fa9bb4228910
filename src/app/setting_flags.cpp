#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "app/commands.hpp"
#include "belfry/telemetry/log.hpp"

namespace belfry::app {

namespace {

std::string help_of(const config::Key& key, std::string_view default_value) {
  std::string help(key.description);
  if (!default_value.empty()) help += " Default: " + std::string(default_value) + ".";
  return help;
}

}  // namespace

std::shared_ptr<SettingFlags> SettingFlags::add(CLI::App& command, const std::optional<Names>& names) {
  auto flags = std::make_shared<SettingFlags>();
  flags->config_option_ =
      command.add_option("--config", flags->config_path_, "TOML file with settings (or BELFRY_CONFIG)")
          ->type_name("FILE");
  for (const auto& key : config::keys()) {
    if (key.secret || (names && std::ranges::find(*names, key.name) == names->end())) continue;
    auto flag = std::make_unique<Flag>();
    flag->key = key.name;
    flag->option = command.add_option(config::flag_name(key), flag->value, help_of(key, key.default_value))
                       ->type_name(std::string(key.type));
    flags->flags_.push_back(std::move(flag));
  }
  command.footer("Settings may come from variables and a file too, secrets only from there: belfry docs configuration");
  return flags;
}

void SettingFlags::prefer(std::string_view name, std::string_view value) {
  defaults_.emplace_back(name, value);
  const auto key = std::ranges::find(config::keys(), name, &config::Key::name);
  const auto flag = std::ranges::find(flags_, name, [](const auto& known) { return std::string_view(known->key); });
  (*flag)->option->description(help_of(*key, value));
}

config::Input SettingFlags::input() const {
  config::Input input;
  for (const auto& flag : flags_) {
    if (flag->option->count() > 0) input.flags.emplace_back(flag->key, flag->value);
  }
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      input.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (config_option_->count() > 0) input.config_path = config_path_;
  input.defaults = defaults_;
  input.read_file = config::read_small_file;
  return input;
}

std::optional<config::Loaded> SettingFlags::load() const {
  auto loaded = config::load(input());
  if (loaded) return std::move(*loaded);
  for (const auto& line : loaded.error()) complain(line);
  return std::nullopt;
}

void complain(std::string_view line) {
  std::fprintf(stderr, "belfry: %.*s\n", static_cast<int>(line.size()), line.data());
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool space = static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
    if (!space) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

void configure_logs(const config::Settings& settings) {
  using config::LogLevel;
  const auto level = [&] {
    switch (settings.log_level) {
      case LogLevel::kDebug:
        return telemetry::LogLevel::kDebug;
      case LogLevel::kInfo:
        return telemetry::LogLevel::kInfo;
      case LogLevel::kWarn:
        return telemetry::LogLevel::kWarn;
      case LogLevel::kError:
        return telemetry::LogLevel::kError;
      case LogLevel::kOff:
        return telemetry::LogLevel::kOff;
    }
    return telemetry::LogLevel::kInfo;
  }();
  const bool json = settings.log_format == config::LogFormat::kJson;
  telemetry::configure_logging(level, json ? telemetry::LogFormat::kJson : telemetry::LogFormat::kText);
}

void log_warnings(const config::Loaded& loaded) {
  for (const auto& warning : loaded.warnings) telemetry::warn("configuration", {{"problem", warning}});
}

}  // namespace belfry::app
