#pragma once

#include <string>
#include <string_view>

namespace belfry::core {

/// HMAC-SHA-256 (RFC 2104): 32 bytes. Throws when the library has none.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// Two lowercase digits a byte.
std::string to_hex(std::string_view bytes);
/// Takes as long whether the difference is at the beginning or at the end.
bool same_secret(std::string_view one, std::string_view other);

}  // namespace belfry::core
