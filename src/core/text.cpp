#include "belfry/core/text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/core.h>

namespace belfry::core {
namespace {

struct Decoded {
  char32_t point = 0;
  std::size_t size = 0;  ///< 0: not UTF-8
};

/// One code point of RFC 3629 UTF-8.
Decoded decode_one(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  std::size_t size = 0;
  char32_t point = 0;
  char32_t least = 0;
  if ((lead & 0xe0) == 0xc0) {
    size = 2, point = lead & 0x1f, least = 0x80;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3, point = lead & 0x0f, least = 0x800;
  } else if ((lead & 0xf8) == 0xf0) {
    size = 4, point = lead & 0x07, least = 0x10000;
  } else {
    return {};
  }
  if (text.size() < size) return {};
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3f);
  }
  if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return {};
  return {point, size};
}

/// Unicode's White_Space property.
bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c <= 0x9f); }

std::string_view trim(std::string_view utf8) {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool seen = false;
  for (std::size_t i = 0; i < utf8.size();) {
    const Decoded one = decode_one(utf8.substr(i));
    if (!is_white_space(one.point)) {
      if (!seen) begin = i;
      seen = true;
      end = i + one.size;
    }
    i += one.size;
  }
  return seen ? utf8.substr(begin, end - begin) : std::string_view{};
}

std::optional<std::int64_t> parse_decimal(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  if (!std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Decoded one = decode_one(text);
    if (one.size == 0) return false;
    text.remove_prefix(one.size);
  }
  return true;
}

std::size_t count_characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Result<std::string> normalise_text(std::string_view raw, const TextRules& rules, std::string_view field) {
  const std::string name(field);
  if (!is_utf8(raw)) return fail(Error::invalid(name, "is not valid UTF-8"));
  const std::string_view trimmed = trim(raw);
  std::string out;
  out.reserve(trimmed.size());
  for (std::size_t i = 0; i < trimmed.size();) {
    if (trimmed.substr(i).starts_with("\r\n")) ++i;
    const Decoded one = decode_one(trimmed.substr(i));
    const bool line_break = one.point == '\n';
    if (is_control(one.point) && one.point != '\t' && !line_break) {
      return fail(Error::invalid(name, "has control characters"));
    }
    if (rules.single_line && (line_break || one.point == '\t')) {
      return fail(Error::invalid(name, "must be a single line"));
    }
    out.append(trimmed.substr(i, one.size));
    i += one.size;
  }
  const std::size_t characters = count_characters(out);
  if (characters < rules.min_characters || characters > rules.max_characters) {
    return fail(Error::invalid(
        name, fmt::format("must have {} to {} characters after trimming", rules.min_characters, rules.max_characters)));
  }
  return out;
}

std::optional<std::int64_t> parse_positive_decimal(std::string_view text) {
  const auto value = parse_decimal(text);
  return value && *value > 0 ? value : std::nullopt;
}

std::optional<std::int64_t> parse_non_negative_decimal(std::string_view text) { return parse_decimal(text); }

bool is_key_text(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '-';
  });
}

bool is_visible_ascii(std::string_view text, std::size_t min, std::size_t max) {
  return text.size() >= min && text.size() <= max &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e; });
}

}  // namespace belfry::core
