#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belfry::auth {

/// base64url without padding (RFC 4648, section 5).
std::string encode_base64url(std::string_view bytes);
/// Empty unless the text is canonical: no padding, no foreign character, no stray bits in the last one.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace belfry::auth
