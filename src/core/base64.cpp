#include "belfry/core/base64.hpp"

#include <array>
#include <cstdint>

namespace belfry::core {
namespace {

constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kForAddresses = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Values = std::array<int, 256>;

constexpr Values values_of(std::string_view alphabet) {
  Values values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<int>(i);
  }
  return values;
}
constexpr Values kPlainValues = values_of(kPlain);
constexpr Values kAddressValues = values_of(kForAddresses);

/// Without padding.
std::string encode(std::string_view bytes, std::string_view alphabet) {
  const auto byte = [&](std::size_t at) { return std::uint32_t{static_cast<unsigned char>(bytes[at])}; };
  std::string out((bytes.size() * 4 + 2) / 3, '\0');
  char* next = out.data();
  std::size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    const auto bits = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    for (int shift = 18; shift >= 0; shift -= 6) *next++ = alphabet[bits >> shift & 0x3f];
  }
  const auto left = bytes.size() - at;
  if (left == 0) return out;
  const auto bits = byte(at) << 16 | (left == 2 ? byte(at + 1) << 8 : 0);
  for (int shift = 18; next != out.data() + out.size(); shift -= 6) *next++ = alphabet[bits >> shift & 0x3f];
  return out;
}

std::optional<std::string> decode(std::string_view text, const Values& values) {
  if (text.size() % 4 == 1) return std::nullopt;
  const auto value = [&](std::size_t at) { return values[static_cast<unsigned char>(text[at])]; };
  std::string out(text.size() * 3 / 4, '\0');
  std::size_t size = 0;
  const auto put = [&](int bits) { out[size++] = static_cast<char>(bits & 0xff); };
  int wrong = 0;  // negative once a character was none of the alphabet
  std::size_t at = 0;
  for (; at + 4 <= text.size(); at += 4) {
    const int a = value(at), b = value(at + 1), c = value(at + 2), d = value(at + 3);
    wrong |= a | b | c | d;
    put(a << 2 | b >> 4);
    put(b << 4 | c >> 2);
    put(c << 6 | d);
  }
  int unused = 0;  // bits that stand for nothing must be zero
  if (text.size() - at >= 2) {
    const int a = value(at), b = value(at + 1);
    wrong |= a | b;
    put(a << 2 | b >> 4);
    unused = b & 0xf;
    if (text.size() - at == 3) {
      const int c = value(at + 2);
      wrong |= c;
      put(b << 4 | c >> 2);
      unused = c & 0x3;
    }
  }
  if (wrong < 0 || unused != 0) return std::nullopt;
  return out;
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
  auto text = encode(bytes, kPlain);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string encode_base64url(std::string_view bytes) { return encode(bytes, kForAddresses); }

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return decode(text, kPlainValues);
}

std::optional<std::string> decode_base64url(std::string_view text) { return decode(text, kAddressValues); }

}  // namespace belfry::core
