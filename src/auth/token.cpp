#include "auth/token.hpp"

#include <algorithm>
#include <cmath>

#include "auth/json_members.hpp"
#include "belfry/core/base64.hpp"
#include "belfry/core/text.hpp"

namespace belfry::auth {
namespace {

using core::Error;
using core::fail;
using core::Reason;
using core::TimePoint;

constexpr std::size_t kMaxTokenBytes = 8192;
constexpr std::size_t kMaxNameCharacters = 200;
constexpr std::size_t kMaxPictureCharacters = 2048;

/// NumericDate (RFC 7519): seconds, maybe with a fraction; absent when it is no number that a calendar can hold.
std::optional<TimePoint> numeric_date(const JsonMembers& claims, std::string_view name) {
  const auto* found = claims.find(name);
  if (found == nullptr || found->kind != JsonMembers::Value::Kind::kNumber) return std::nullopt;
  const double seconds = found->number;
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 253402300799.0) return std::nullopt;
  return TimePoint(std::chrono::milliseconds(static_cast<std::int64_t>(std::floor(seconds * 1000.0))));
}

bool audience_matches(const JsonMembers& claims, const std::string& wanted) {
  const auto* found = claims.find("aud");
  if (found == nullptr) return false;
  if (found->is_text()) return found->text == wanted;
  return std::ranges::find(found->texts, wanted) != found->texts.end();
}

/// A profile claim that cannot be shown is left out rather than refused: it is no reason to lock a user out.
std::optional<std::string> profile_text(const JsonMembers& claims, std::string_view name, std::size_t max_characters) {
  const auto* found = claims.find(name);
  if (found == nullptr || !found->is_text()) return std::nullopt;
  auto text = core::normalise_text(found->text, {1, max_characters, true}, name);
  if (!text) return std::nullopt;
  return std::move(*text);
}

core::Result<domain::ActorType> role_of(const JsonMembers& claims) {
  const auto* found = claims.find("role");
  if (found == nullptr) return domain::ActorType::kUser;
  if (found->is_text() && found->text == "USER") return domain::ActorType::kUser;
  if (found->is_text() && found->text == "ADMIN") return domain::ActorType::kAdmin;
  return fail(invalid_token());
}

}  // namespace

core::Error invalid_token() { return Error::unauthorized(Reason::kTokenInvalid, "The token is not valid."); }

core::Result<ParsedToken> parse_token(std::string_view token) {
  if (token.size() > kMaxTokenBytes) return fail(invalid_token());
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return fail(invalid_token());
  const auto header_json = core::decode_base64url(token.substr(0, first));
  auto claims_json = core::decode_base64url(token.substr(first + 1, second - first - 1));
  auto signature = core::decode_base64url(token.substr(second + 1));
  if (!header_json || !claims_json || !signature) return fail(invalid_token());
  const auto header = JsonMembers::read(*header_json);
  if (!header || header->find("crit") != nullptr) return fail(invalid_token());
  const auto* alg = header->find("alg");
  if (alg == nullptr || !alg->is_text()) return fail(invalid_token());
  const auto algorithm = algorithm_of(alg->text);
  if (!algorithm) return fail(invalid_token());
  std::string kid;
  if (const auto* found = header->find("kid")) {
    if (!found->is_text()) return fail(invalid_token());
    kid = found->text;
  }
  return ParsedToken{*algorithm, std::move(kid), std::move(*claims_json), token.substr(0, second),
                     std::move(*signature)};
}

core::Result<Claims> read_claims(std::string_view claims_json, const JwtRules& rules) {
  const auto members = JsonMembers::read(claims_json);
  if (!members) return fail(invalid_token());
  const auto& claims = *members;
  const auto* subject = claims.find("sub");
  if (subject == nullptr || !subject->is_text()) return fail(invalid_token());
  const auto id = core::Uuid::parse(subject->text);
  const auto expires_at = numeric_date(claims, "exp");
  if (!id || !expires_at) return fail(invalid_token());
  const auto role = role_of(claims);
  if (!role) return fail(role.error());
  std::optional<TimePoint> not_before;
  if (claims.find("nbf") != nullptr) {
    not_before = numeric_date(claims, "nbf");
    if (!not_before) return fail(invalid_token());
  }
  if (rules.issuer) {
    const auto* issuer = claims.find("iss");
    if (issuer == nullptr || !issuer->is_text() || issuer->text != *rules.issuer) return fail(invalid_token());
  }
  if (rules.audience && !audience_matches(claims, *rules.audience)) return fail(invalid_token());

  Claims read;
  read.not_before = not_before;
  auto& identity = read.identity;
  identity.actor.type = *role;
  identity.actor.id = core::UserId{*id};
  identity.actor.username = profile_text(claims, "username", kMaxNameCharacters);
  identity.actor.picture = profile_text(claims, "picture", kMaxPictureCharacters);
  identity.expires_at = *expires_at;
  return read;
}

core::Result<Identity> check_times(const Claims& claims, TimePoint now, std::chrono::seconds leeway) {
  if (claims.not_before && now + leeway < *claims.not_before) return fail(invalid_token());
  if (now >= claims.identity.expires_at + leeway) {
    return fail(Error::unauthorized(Reason::kTokenExpired, "The token has expired."));
  }
  return claims.identity;
}

}  // namespace belfry::auth
