#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belfry::core {

/// Base 64 (RFC 4648, section 4), padded.
std::string encode_base64(std::string_view bytes);
/// The same with the alphabet for addresses and without padding (section 5).
std::string encode_base64url(std::string_view bytes);

/// Empty unless the text is the one that `encode_base64` makes of these bytes: no foreign character, no other padding,
/// no stray bits in the last character.
std::optional<std::string> decode_base64(std::string_view text);
/// The same for `encode_base64url`.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace belfry::core
