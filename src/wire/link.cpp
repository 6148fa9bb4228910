#include "wire/link.hpp"

#include <algorithm>
#include <cstddef>

#include "belfry/core/text.hpp"

namespace belfry::wire {
namespace {

constexpr std::size_t kMaxLinkCharacters = 2048;

bool has_prefix_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  return std::equal(lower.begin(), lower.end(), text.begin(), [](char expected, char c) {
    return expected == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  });
}

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_port(std::string_view text) {
  if (text.size() > 5 || !all_digits(text)) return false;
  int port = 0;
  for (const char c : text) port = port * 10 + (c - '0');
  return port <= 65535;
}

bool is_host_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80) return true;
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_ipv6_literal(std::string_view text) {
  constexpr std::string_view kAllowed = "0123456789abcdefABCDEF:.";
  return text.size() >= 2 && text.find(':') != std::string_view::npos &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_authority(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6_literal(text.substr(1, end - 1))) return false;
    const auto rest = text.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const auto colon = text.find(':');
  const auto host = text.substr(0, colon);
  if (host.empty() || host.front() == '.' || !std::ranges::all_of(host, is_host_character)) return false;
  return colon == std::string_view::npos || is_port(text.substr(colon + 1));
}

/// What may stand behind the authority: no control, no space, none of the characters that end a link in a text.
bool is_rest_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  constexpr std::string_view kForbidden = "\"<>\\^`{|}";
  return byte > 0x20 && byte != 0x7f && kForbidden.find(c) == std::string_view::npos;
}

/// U+0080..U+009F, the spaces and separators of Unicode beyond ASCII, and the marks that turn text around.
bool has_invisible_characters(std::string_view text) {
  constexpr std::string_view kInvisible[] = {"\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8",
                                             "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F",
                                             "\xE3\x80\x80", "\xEF\xBB\xBF", "\xC2\x85"};
  for (const auto character : kInvisible) {
    if (text.find(character) != std::string_view::npos) return true;
  }
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if (first == 0xC2 && second >= 0x80 && second <= 0x9F) return true;
    if (first == 0xE2 && second == 0x80 && i + 2 < text.size()) {
      const auto third = static_cast<unsigned char>(text[i + 2]);
      if (third <= 0x8F || (third >= 0xAA && third <= 0xAE)) return true;
    }
  }
  return false;
}

}  // namespace

bool is_web_link(std::string_view text) {
  if (!core::is_utf8(text) || core::count_characters(text) > kMaxLinkCharacters) return false;
  if (has_invisible_characters(text)) return false;
  std::string_view rest = text;
  if (has_prefix_ignoring_case(rest, "https://")) {
    rest.remove_prefix(8);
  } else if (has_prefix_ignoring_case(rest, "http://")) {
    rest.remove_prefix(7);
  } else {
    return false;
  }
  const auto authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  return is_authority(rest.substr(0, authority_end)) &&
         std::ranges::all_of(rest.substr(authority_end), is_rest_character);
}

}  // namespace belfry::wire
