#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/core/time.hpp"

namespace belfry::core {

/// 16 bytes in network order; compares like its canonical text.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  /// Canonical lower-case text, 36 characters.
  std::string text() const;
  /// Accepts 8-4-4-4-12 hexadecimal digits in either case, nothing else.
  static std::optional<Uuid> parse(std::string_view text);
  /// A new version 7 id: `at` in milliseconds (RFC 9562), the rest random.
  static Uuid v7(TimePoint at);
  /// The version 7 id for an event that follows `last`: from `at` when that is greater, else the next id after
  /// `last`, so that ids rise strictly whatever the clock says.
  static Uuid v7_after(const std::optional<Uuid>& last, TimePoint at);
  /// The smallest version 7 id of that millisecond: a lower bound for ranges by time.
  static Uuid v7_floor(TimePoint at);
  /// The millisecond a version 7 id carries.
  TimePoint v7_time() const;

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

}  // namespace belfry::core

template <>
struct std::hash<belfry::core::Uuid> {
  std::size_t operator()(const belfry::core::Uuid& id) const noexcept {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::memcpy(&high, id.bytes.data(), 8);
    std::memcpy(&low, id.bytes.data() + 8, 8);
    return static_cast<std::size_t>(high * 0x9E3779B97F4A7C15ULL ^ low);
  }
};
