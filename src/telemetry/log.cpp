#include "belfry/telemetry/log.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "belfry/core/time.hpp"

namespace belfry::telemetry {
namespace {

/// Lines waiting for the logging thread; beyond it the oldest are dropped rather than a request held up.
constexpr std::size_t kQueueLines = 8192;

struct State {
  std::atomic<LogLevel> level{LogLevel::kInfo};
  std::shared_mutex changing;  ///< shared by those who log: nobody is inside when the logger is replaced
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::kText;
};

std::shared_ptr<spdlog::logger> make_plain_logger() {
  auto logger = std::make_shared<spdlog::logger>("belfry", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);  // what is below the level does not come so far
  return logger;
}

State& state() {
  static State instance{.logger = make_plain_logger()};
  return instance;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    default:
      return "error";
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

bool plain_word(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '\\' || c == '=' || static_cast<unsigned char>(c) >= 0x7f) return false;
  }
  return true;
}

struct AppendValue {
  std::string& out;
  bool json;
  void operator()(std::string_view text) const {
    if (!json && plain_word(text)) {
      out.append(text);
    } else {
      append_quoted(out, text);
    }
  }
  void operator()(std::int64_t number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
  void operator()(double number) const { fmt::format_to(std::back_inserter(out), "{:.3f}", number); }
  void operator()(bool flag) const { out.append(flag ? "true" : "false"); }
};

std::string json_line(LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","event":)",
                                 core::format_iso8601(core::SystemClock{}.now()), level_name(level));
  append_quoted(line, event);
  for (const Field& field : fields) {
    line.push_back(',');
    append_quoted(line, field.name);
    line.push_back(':');
    std::visit(AppendValue{line, true}, field.value);
  }
  line.push_back('}');
  return line;
}

std::string text_line(LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
  std::string line =
      fmt::format("{} {:5} {}", core::format_iso8601(core::SystemClock{}.now()), level_name(level), event);
  for (const Field& field : fields) {
    line.push_back(' ');
    line.append(field.name);
    line.push_back('=');
    std::visit(AppendValue{line, false}, field.value);
  }
  return line;
}

}  // namespace

void configure_logging(LogLevel level, LogFormat format) {
  State& s = state();
  const std::lock_guard lock(s.changing);
  s.level = level;
  s.format = format;
  s.pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  s.logger = std::make_shared<spdlog::async_logger>("belfry", std::make_shared<spdlog::sinks::stderr_sink_mt>(), s.pool,
                                                    spdlog::async_overflow_policy::overrun_oldest);
  s.logger->set_pattern("%v");
  s.logger->set_level(spdlog::level::trace);
  s.logger->flush_on(spdlog::level::info);
}

void shutdown_logging() {
  State& s = state();
  const std::lock_guard lock(s.changing);
  s.logger = make_plain_logger();
  s.pool.reset();  // the last owner: joins the thread after the queue is written
}

void log(LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
  State& s = state();
  if (level < s.level.load(std::memory_order_relaxed)) return;
  const std::shared_lock lock(s.changing);
  s.logger->log(spdlog_level(level),
                s.format == LogFormat::kJson ? json_line(level, event, fields) : text_line(level, event, fields));
}

}  // namespace belfry::telemetry
