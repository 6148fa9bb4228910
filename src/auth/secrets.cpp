#include <algorithm>
#include <array>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "auth/base64url.hpp"
#include "auth/token.hpp"
#include "belfry/auth/authenticator.hpp"

namespace belfry::auth {

Result<std::string> bearer_token(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (header.size() <= kScheme.size() || !std::ranges::equal(header.substr(0, kScheme.size()), kScheme, {}, lower)) {
    return core::fail(invalid_token());
  }
  std::string_view token = header.substr(kScheme.size());
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
  if (token.empty()) return core::fail(invalid_token());
  return std::string(token);
}

bool looks_like_jwt(std::string_view text) {
  if (!text.starts_with("eyJ")) return false;
  const auto base64url = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return std::ranges::count(text, '.') == 2 &&
         std::ranges::all_of(text, [&](char c) { return c == '.' || base64url(c); });
}

std::string make_ticket_secret() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("no random bytes to be had");
  return encode_base64url({reinterpret_cast<char*>(bytes.data()), bytes.size()});
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 failed");
  }
  return {reinterpret_cast<char*>(out.data()), size};
}

}  // namespace belfry::auth
