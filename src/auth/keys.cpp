#include "auth/keys.hpp"
#include "belfry/core/base64.hpp"

#include <array>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <nlohmann/json.hpp>

namespace belfry::auth {
namespace {

using nlohmann::json;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BigNumber = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

constexpr int kMinRsaBits = 2048;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

EVP_PKEY* key_from(const char* type, OSSL_PARAM_BLD* build) {
  const Params params(OSSL_PARAM_BLD_to_param(build));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) <= 0) {
    return nullptr;
  }
  return key;
}

std::optional<std::string> bytes_member(const json& jwk, const char* name) {
  const auto found = jwk.find(name);
  if (found == jwk.end() || !found->is_string()) return std::nullopt;
  return core::decode_base64url(found->get_ref<const std::string&>());
}

std::string text_member(const json& jwk, const char* name) {
  const auto found = jwk.find(name);
  return found != jwk.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

EVP_PKEY* rsa_key(const json& jwk) {
  const auto n = bytes_member(jwk, "n");
  const auto e = bytes_member(jwk, "e");
  if (!n || !e || n->size() > 1024 || e->size() > 8) return nullptr;
  const BigNumber modulus(BN_bin2bn(bytes_of(*n), static_cast<int>(n->size()), nullptr));
  const BigNumber exponent(BN_bin2bn(bytes_of(*e), static_cast<int>(e->size()), nullptr));
  if (!modulus || !exponent || BN_num_bits(modulus.get()) < kMinRsaBits || !BN_is_odd(exponent.get())) return nullptr;
  const ParamBuild build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return key_from("RSA", build.get());
}

EVP_PKEY* p256_key(const json& jwk) {
  const auto x = bytes_member(jwk, "x");
  const auto y = bytes_member(jwk, "y");
  if (text_member(jwk, "crv") != "P-256" || !x || !y || x->size() != 32 || y->size() != 32) return nullptr;
  const std::string point = '\x04' + *x + *y;
  const ParamBuild build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return key_from("EC", build.get());
}

EVP_PKEY* ed25519_key(const json& jwk) {
  const auto x = bytes_member(jwk, "x");
  if (text_member(jwk, "crv") != "Ed25519" || !x || x->size() != 32) return nullptr;
  return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size());
}

std::optional<PublicKey> parse_key(const json& jwk) {
  if (!jwk.is_object()) return std::nullopt;
  const std::string use = text_member(jwk, "use");
  if (!use.empty() && use != "sig") return std::nullopt;
  const std::string type = text_member(jwk, "kty");
  Algorithm algorithm{};
  EVP_PKEY* key = nullptr;
  if (type == "RSA") {
    algorithm = Algorithm::kRs256, key = rsa_key(jwk);
  } else if (type == "EC") {
    algorithm = Algorithm::kEs256, key = p256_key(jwk);
  } else if (type == "OKP") {
    algorithm = Algorithm::kEdDsa, key = ed25519_key(jwk);
  }
  if (key == nullptr) return std::nullopt;
  PublicKey parsed(text_member(jwk, "kid"), algorithm, key);
  const std::string alg = text_member(jwk, "alg");
  if (!alg.empty() && algorithm_of(alg) != algorithm) return std::nullopt;
  return parsed;
}

/// R || S to the DER form that OpenSSL verifies.
std::optional<std::string> ecdsa_der(std::string_view raw) {
  if (raw.size() != 64) return std::nullopt;
  const std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes_of(raw), 32, nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(raw.substr(32)), 32, nullptr);
  if (!signature || r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return std::nullopt;
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return std::nullopt;
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

std::optional<Algorithm> algorithm_of(std::string_view alg) {
  if (alg == "HS256") return Algorithm::kHs256;
  if (alg == "RS256") return Algorithm::kRs256;
  if (alg == "ES256") return Algorithm::kEs256;
  if (alg == "EdDSA") return Algorithm::kEdDsa;
  return std::nullopt;
}

PublicKey::PublicKey(std::string kid, Algorithm algorithm, EVP_PKEY* owned)
    : kid_(std::move(kid)), algorithm_(algorithm), key_(owned, EVP_PKEY_free) {}

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  std::string der;
  if (algorithm_ == Algorithm::kEs256) {
    auto converted = ecdsa_der(signature);
    if (!converted) return false;
    der = std::move(*converted);
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  const EVP_MD* digest = algorithm_ == Algorithm::kEdDsa ? nullptr : EVP_sha256();
  return context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

core::Result<std::vector<PublicKey>> parse_jwks(std::string_view text) {
  const json set = json::parse(text, nullptr, false);
  const auto unusable = [] {
    return core::fail(core::Error::unavailable("The key set of the token issuer cannot be read."));
  };
  if (!set.is_object()) return unusable();
  const auto keys = set.find("keys");
  if (keys == set.end() || !keys->is_array()) return unusable();
  std::vector<PublicKey> parsed;
  for (const json& jwk : *keys) {
    if (auto key = parse_key(jwk)) parsed.push_back(std::move(*key));
  }
  return parsed;
}

}  // namespace belfry::auth
