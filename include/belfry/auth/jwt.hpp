#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "belfry/auth/authenticator.hpp"

namespace belfry::auth {

struct JwtRules {
  std::optional<std::string> issuer;
  std::optional<std::string> audience;
};

/// HS256 only, by a shared secret of at least 32 bytes. The algorithm is bound to the key: `none` and every other `alg` are refused.
std::unique_ptr<Authenticator> make_hs256_authenticator(std::string secret, JwtRules rules, const core::Clock& clock);

/// What `belfry token` signs: HS256 with the claims of the contract.
struct TokenClaims {
  core::UserId subject;
  bool admin = false;
  std::optional<std::string> username;
  std::optional<std::string> picture;
  std::optional<std::string> issuer;
  std::optional<std::string> audience;
  core::TimePoint expires_at;
};
std::string sign_hs256(const TokenClaims& claims, std::string_view secret);

}  // namespace belfry::auth
