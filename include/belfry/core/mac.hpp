#pragma once

#include <string>
#include <string_view>

namespace belfry::core {

/// HMAC-SHA-256 (RFC 2104) as 64 lowercase hexadecimal digits.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// Takes as long whether the difference is at the beginning or at the end.
bool same_secret(std::string_view one, std::string_view other);

}  // namespace belfry::core
