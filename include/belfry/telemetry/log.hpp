#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

/// Structured logging to stderr, asynchronous: one line per event, a short snake_case name and fields. Never a body, a
/// token, a ticket, a password or message text. An error needs a person; a warning is worse than normal; info tells the
/// life of the process and the end of each request; debug is for single messages.
namespace belfry::telemetry {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : std::uint8_t { kText, kJson };

struct Field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  template <class Int>
    requires std::is_integral_v<Int>
  Field(std::string_view n, Int v) : name(n), value(static_cast<std::int64_t>(v)) {}
};

/// Call once at start; before it, lines go to stderr as text at info. All of these are thread-safe.
void configure_logging(LogLevel level, LogFormat format);
/// Writes what is queued and stops the logging thread. Lines that come later are written at once, by whoever logs.
void shutdown_logging();

void log(LogLevel level, std::string_view event, std::initializer_list<Field> fields = {});
inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::kDebug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::kInfo, event, fields);
}
inline void warn(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::kWarn, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  log(LogLevel::kError, event, fields);
}

}  // namespace belfry::telemetry
