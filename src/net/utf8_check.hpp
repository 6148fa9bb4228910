#pragma once

#include <cstdint>
#include <string_view>

namespace belfry::net {

/// Checks UTF-8 (RFC 3629) that comes in pieces, cut anywhere.
class Utf8Check {
 public:
  /// False at the first byte that no text can go on with; the check is over then.
  bool add(std::string_view piece);
  /// What was added ends with a whole character.
  bool whole() const { return missing_ == 0; }

 private:
  bool begin(unsigned char lead);

  std::uint8_t missing_ = 0;  ///< bytes that the last character lacks
  /// What the next of them may be.
  unsigned char least_ = 0x80;
  unsigned char most_ = 0xbf;
};

}  // namespace belfry::net
