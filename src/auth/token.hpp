#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "auth/keys.hpp"
#include "belfry/auth/jwt.hpp"

namespace belfry::auth {

/// A token taken apart, nothing believed yet.
struct ParsedToken {
  Algorithm algorithm = Algorithm::kHs256;
  std::string kid;
  std::string claims_json;
  std::string_view signed_part;  ///< points into the token
  std::string signature;
};

/// RFC 7515 compact form, at most 8 KiB. kUnauthorized TOKEN_INVALID for anything else, for a foreign `alg` and for a
/// `crit` header.
core::Result<ParsedToken> parse_token(std::string_view token);

/// What a token says once its signature held, its times apart.
struct Claims {
  Identity identity;
  std::optional<core::TimePoint> not_before;
};
/// Everything about the claims that does not change with time.
core::Result<Claims> read_claims(std::string_view claims_json, const JwtRules& rules);
/// Who they are of, if the token is valid at `now`.
core::Result<Identity> check_times(const Claims& claims, core::TimePoint now, std::chrono::seconds leeway);

core::Error invalid_token();

}  // namespace belfry::auth
