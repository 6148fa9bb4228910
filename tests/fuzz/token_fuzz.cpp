#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "auth/token.hpp"
#include "belfry/core/base64.hpp"

namespace {

using namespace belfry::auth;

constexpr belfry::core::TimePoint kNow{std::chrono::seconds{1'800'000'000}};

belfry::core::Result<Identity> check_claims(std::string_view text, const JwtRules& rules, std::chrono::seconds leeway) {
  const auto claims = read_claims(text, rules);
  if (!claims) return belfry::core::fail(claims.error());
  return check_times(*claims, kNow, leeway);
}

void check(std::string_view claims) {
  static const JwtRules kStrict{"issuer", "audience"};
  const auto open = check_claims(claims, {}, std::chrono::seconds{5});
  const auto strict = check_claims(claims, kStrict, std::chrono::seconds{0});
  // The stricter rules never take what the others refuse, and nobody gets in past the end.
  if (strict && !open) std::abort();
  if (open && open->expires_at + std::chrono::seconds{5} <= kNow) std::abort();
}

}  // namespace

/// A token as it comes: taken apart, its claims checked. Nothing but a Result comes back. The same bytes also serve as
/// the JSON of a header and of claims, since few of them are base64url.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = parse_token(text)) {
    if (!text.starts_with(parsed->signed_part)) std::abort();
    check(parsed->claims_json);
  }
  const auto encoded = belfry::core::encode_base64url(text);
  if (belfry::core::decode_base64url(encoded) != text) std::abort();
  (void)parse_token(encoded + ".e30.AA");
  check(text);
  return 0;
}
