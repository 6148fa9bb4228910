#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/auth/authenticator.hpp"

namespace belfry::auth {

struct JwtRules {
  std::optional<std::string> issuer;    ///< `iss` must be this
  std::optional<std::string> audience;  ///< `aud` must be, or hold, this
};

inline constexpr std::size_t kMinSecretBytes = 32;

/// Fetches the text of a JWK Set (RFC 7517); calls back on the I/O thread.
using JwksSource = std::function<void(std::move_only_function<void(core::Result<std::string>)> done)>;

struct JwtOptions {
  std::optional<std::string> hs256_secret;  ///< at least kMinSecretBytes
  JwksSource jwks;                          ///< empty: none
  JwtRules rules;
  /// Older: fetched again before the next answer; if that fails, the old keys go on. As long as such a failure is no
  /// older than this, they answer at once and further fetches run beside them; only a key they lack waits.
  std::chrono::seconds jwks_max_age{600};
  std::chrono::seconds jwks_refresh_interval{10};  ///< at most one fetch in this time, however many unknown `kid`s come
};

/// HS256 by the shared secret, RS256, ES256 and EdDSA by the key set; `alg` chooses and must fit the key's own type, so
/// that `none` and a public key used as a secret are refused. Without `kid` the only key of the fitting type is tried.
std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options, const core::Clock& clock);

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
