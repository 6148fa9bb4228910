#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace belfry::core {

/// HMAC-SHA-256 (RFC 2104): 32 bytes. Throws when the library has none.
std::string hmac_sha256(std::string_view key, std::string_view text);
/// The same under one key, many times: what the key takes is done once. Used by one thread at a time.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  std::string of(std::string_view text);

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};
/// Two lowercase digits a byte.
std::string to_hex(std::string_view bytes);
/// Takes as long whether the difference is at the beginning or at the end.
bool same_secret(std::string_view one, std::string_view other);

}  // namespace belfry::core
