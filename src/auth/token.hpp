#pragma once

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

/// Checks the claims of a token whose signature held.
core::Result<Identity> check_claims(std::string_view claims_json, const JwtRules& rules, core::TimePoint now,
                                    std::chrono::seconds leeway);

core::Error invalid_token();

}  // namespace belfry::auth
