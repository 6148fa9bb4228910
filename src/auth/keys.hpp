#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/evp.h>

#include "belfry/core/result.hpp"

/// The one place that touches OpenSSL's key objects.
namespace belfry::auth {

enum class Algorithm : std::uint8_t { kHs256, kRs256, kEs256, kEdDsa };

/// Empty for every `alg` that is not accepted, `none` first of all.
std::optional<Algorithm> algorithm_of(std::string_view alg);

/// A public key and the one algorithm it may verify.
class PublicKey {
 public:
  PublicKey(std::string kid, Algorithm algorithm, EVP_PKEY* owned);
  const std::string& kid() const { return kid_; }
  Algorithm algorithm() const { return algorithm_; }
  /// `signature` in JWS form (RFC 7518): for ES256 the 64 bytes R || S.
  bool verify(std::string_view message, std::string_view signature) const;

 private:
  std::string kid_;
  Algorithm algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

/// Reads a JWK Set. Keys of other types, of other uses, or too weak (RSA below 2048 bits) are left out. kUnavailable
/// when the text is no key set at all.
core::Result<std::vector<PublicKey>> parse_jwks(std::string_view text);

}  // namespace belfry::auth
