#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace belfry::core {

/// Wall-clock time in UTC milliseconds: what the API shows and the database stores (`timestamptz(3)`).
using TimePoint = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// `2026-03-19T12:00:00.000Z`.
std::string format_iso8601(TimePoint at);
/// RFC 3339 with `Z` or a numeric offset, 0..9 fraction digits (cut to milliseconds), years 1970..9999. Empty when it
/// is not one.
std::optional<TimePoint> parse_iso8601(std::string_view text);

/// Wall clock, injected so that tests can move it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

/// The machine's clock. Thread-safe.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace belfry::core
