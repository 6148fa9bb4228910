#include "belfry/core/mac.hpp"

#include <array>
#include <stdexcept>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace belfry::core {
namespace {

constexpr std::size_t kMacBytes = 32;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

[[noreturn]] void not_to_be_had() { throw std::runtime_error("HMAC-SHA-256 is not to be had"); }

}  // namespace

HmacSha256::HmacSha256(std::string_view key) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  auto* context = EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);  // the context holds it
  context_.reset(context);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_init(context, bytes_of(key), key.size(), parameters) != 1) not_to_be_had();
}

void HmacSha256::Free::operator()(void* context) const { EVP_MAC_CTX_free(static_cast<EVP_MAC_CTX*>(context)); }

std::string HmacSha256::of(std::string_view text) {
  auto* context = static_cast<EVP_MAC_CTX*>(context_.get());
  std::array<char, kMacBytes> mac{};
  std::size_t size = 0;
  // Without a key: the one that is there, from its beginning.
  if (EVP_MAC_init(context, nullptr, 0, nullptr) != 1 || EVP_MAC_update(context, bytes_of(text), text.size()) != 1 ||
      EVP_MAC_final(context, reinterpret_cast<unsigned char*>(mac.data()), &size, mac.size()) != 1 ||
      size != mac.size()) {
    not_to_be_had();
  }
  return {mac.data(), mac.size()};
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, kMacBytes> mac{};
  unsigned int size = 0;
  const auto* made =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(), mac.data(), &size);
  if (made == nullptr || size != mac.size()) not_to_be_had();
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace belfry::core
