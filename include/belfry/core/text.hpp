#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/core/result.hpp"

namespace belfry::core {

/// Rules for one text field; a parameter of the command, since each dialect has its own limits.
struct TextRules {
  std::size_t min_characters = 1;
  std::size_t max_characters = 4000;  ///< code points, counted after trimming
  bool single_line = false;           ///< refuse newline and tab too
};

/// Valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool is_utf8(std::string_view text);
/// Code points of valid UTF-8.
std::size_t count_characters(std::string_view utf8);
/// Trims Unicode white space at both ends, turns CRLF into LF, refuses other control characters than
/// newline and tab (C0, DEL, C1) and lengths outside the rules. kInvalid names `field`.
Result<std::string> normalise_text(std::string_view raw, const TextRules& rules, std::string_view field);

/// A plain decimal without sign, spaces, leading zeros or exponent, 1..2^63-1. Empty otherwise.
std::optional<std::int64_t> parse_positive_decimal(std::string_view text);
/// The same, with "0" allowed.
std::optional<std::int64_t> parse_non_negative_decimal(std::string_view text);
/// 1..128 of `[A-Za-z0-9._:-]`: entitlement keys, feature keys, device and request ids.
bool is_key_text(std::string_view text);
/// `min`..`max` visible ASCII characters (0x21..0x7e).
bool is_visible_ascii(std::string_view text, std::size_t min, std::size_t max);

}  // namespace belfry::core
