#include <algorithm>
#include <array>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "auth/token.hpp"
#include "belfry/auth/authenticator.hpp"
#include "belfry/core/base64.hpp"

namespace belfry::auth {
namespace {

constexpr std::size_t kTicketRandomBytes = 24;
constexpr std::size_t kTicketTimeBytes = 5;
constexpr std::size_t kTicketCheckBytes = 4;
constexpr std::size_t kTicketBytes = kTicketRandomBytes + kTicketTimeBytes + kTicketCheckBytes;
/// How far the clocks of two nodes may be apart. Within it the database decides.
constexpr auto kTicketClockTolerance = std::chrono::minutes(1);

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
    throw std::runtime_error("no random bytes to be had");
  return bytes;
}

std::string check_sum(std::string_view bytes) {
  return sha256("belfry ticket" + std::string(bytes)).substr(0, kTicketCheckBytes);
}

}  // namespace

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

std::string make_secret() { return core::encode_base64url(random_bytes(32)); }

std::string make_ticket(core::TimePoint expires_at) {
  std::string bytes = random_bytes(kTicketRandomBytes);
  const auto seconds = static_cast<std::uint64_t>(expires_at.time_since_epoch() / std::chrono::seconds(1));
  for (int shift = 32; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(seconds >> shift & 0xFF));
  return core::encode_base64url(bytes + check_sum(bytes));
}

bool may_be_ticket(std::string_view text, core::TimePoint now) {
  const auto bytes = core::decode_base64url(text);
  if (!bytes || bytes->size() != kTicketBytes) return false;
  const auto content = std::string_view(*bytes).substr(0, kTicketBytes - kTicketCheckBytes);
  if (!bytes->ends_with(check_sum(content))) return false;
  std::uint64_t seconds = 0;
  for (const char byte : content.substr(kTicketRandomBytes)) seconds = seconds << 8 | static_cast<unsigned char>(byte);
  return now.time_since_epoch() < std::chrono::seconds(seconds) + kTicketClockTolerance;
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
