#include "utf8_check.hpp"

#include <cstddef>
#include <cstring>

namespace belfry::net {
namespace {

/// Bytes at the front that are ASCII, most of them seen eight at a time.
std::size_t ascii_bytes(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t at = 0;
  for (std::uint64_t word = 0; text.size() - at >= sizeof(word); at += sizeof(word)) {
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & kHighBits) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

bool Utf8Check::add(std::string_view piece) {
  while (!piece.empty()) {
    if (missing_ == 0) {
      piece.remove_prefix(ascii_bytes(piece));
      if (piece.empty()) return true;
      if (!begin(static_cast<unsigned char>(piece.front()))) return false;
    } else {
      const auto byte = static_cast<unsigned char>(piece.front());
      if (byte < least_ || byte > most_) return false;
      least_ = 0x80;
      most_ = 0xbf;
      --missing_;
    }
    piece.remove_prefix(1);
  }
  return true;
}

// The second byte's range is narrower where it would make an overlong form, a surrogate or more than U+10FFFF.
bool Utf8Check::begin(unsigned char lead) {
  if (lead < 0xc2 || lead > 0xf4) return false;
  missing_ = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  if (lead == 0xe0) least_ = 0xa0;
  if (lead == 0xed) most_ = 0x9f;
  if (lead == 0xf0) least_ = 0x90;
  if (lead == 0xf4) most_ = 0x8f;
  return true;
}

}  // namespace belfry::net
