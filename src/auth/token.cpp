#include "auth/token.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "auth/base64url.hpp"
#include "belfry/core/text.hpp"

namespace belfry::auth {
namespace {

using core::Error;
using core::fail;
using core::Reason;
using core::TimePoint;
using nlohmann::json;

constexpr std::size_t kMaxTokenBytes = 8192;
constexpr std::size_t kMaxNameCharacters = 200;
constexpr std::size_t kMaxPictureCharacters = 2048;
constexpr int kMaxDepth = 16;

/// Parses with bounded depth: what is deeper is no token of ours.
json parse_object(std::string_view text) {
  const auto shallow = [](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) throw std::length_error("too deep");
    return true;
  };
  try {
    json value = json::parse(text, shallow, false);
    return value.is_object() ? value : json();
  } catch (const std::exception&) {
    return {};
  }
}

/// NumericDate (RFC 7519): seconds, maybe with a fraction; absent when it is no number that a calendar can hold.
std::optional<TimePoint> numeric_date(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 253402300799.0) return std::nullopt;
  return TimePoint(std::chrono::milliseconds(static_cast<std::int64_t>(std::floor(seconds * 1000.0))));
}

bool audience_matches(const json& claims, const std::string& wanted) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (found->is_string()) return found->get_ref<const std::string&>() == wanted;
  if (!found->is_array()) return false;
  for (const json& one : *found) {
    if (one.is_string() && one.get_ref<const std::string&>() == wanted) return true;
  }
  return false;
}

/// A profile claim that cannot be shown is left out rather than refused: it is no reason to lock a user out.
std::optional<std::string> profile_text(const json& claims, const char* name, std::size_t max_characters) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_string()) return std::nullopt;
  auto text = core::normalise_text(found->get_ref<const std::string&>(), {1, max_characters, true}, name);
  if (!text) return std::nullopt;
  return std::move(*text);
}

core::Result<domain::ActorType> role_of(const json& claims) {
  const auto found = claims.find("role");
  if (found == claims.end()) return domain::ActorType::kUser;
  if (found->is_string() && found->get_ref<const std::string&>() == "USER") return domain::ActorType::kUser;
  if (found->is_string() && found->get_ref<const std::string&>() == "ADMIN") return domain::ActorType::kAdmin;
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
  const auto header_json = decode_base64url(token.substr(0, first));
  auto claims_json = decode_base64url(token.substr(first + 1, second - first - 1));
  auto signature = decode_base64url(token.substr(second + 1));
  if (!header_json || !claims_json || !signature) return fail(invalid_token());
  const json header = parse_object(*header_json);
  if (!header.is_object() || header.contains("crit")) return fail(invalid_token());
  const auto alg = header.find("alg");
  if (alg == header.end() || !alg->is_string()) return fail(invalid_token());
  const auto algorithm = algorithm_of(alg->get_ref<const std::string&>());
  if (!algorithm) return fail(invalid_token());
  std::string kid;
  if (const auto found = header.find("kid"); found != header.end()) {
    if (!found->is_string()) return fail(invalid_token());
    kid = found->get<std::string>();
  }
  return ParsedToken{*algorithm, std::move(kid), std::move(*claims_json), token.substr(0, second),
                     std::move(*signature)};
}

core::Result<Identity> check_claims(std::string_view claims_json, const JwtRules& rules, TimePoint now,
                                    std::chrono::seconds leeway) {
  const json claims = parse_object(claims_json);
  if (!claims.is_object()) return fail(invalid_token());
  const auto subject = claims.find("sub");
  if (subject == claims.end() || !subject->is_string()) return fail(invalid_token());
  const auto id = core::Uuid::parse(subject->get_ref<const std::string&>());
  const auto expires_at = numeric_date(claims, "exp");
  if (!id || !expires_at) return fail(invalid_token());
  const auto role = role_of(claims);
  if (!role) return fail(role.error());
  if (claims.contains("nbf")) {
    const auto not_before = numeric_date(claims, "nbf");
    if (!not_before || now + leeway < *not_before) return fail(invalid_token());
  }
  if (rules.issuer) {
    const auto issuer = claims.find("iss");
    if (issuer == claims.end() || !issuer->is_string() || issuer->get_ref<const std::string&>() != *rules.issuer) {
      return fail(invalid_token());
    }
  }
  if (rules.audience && !audience_matches(claims, *rules.audience)) return fail(invalid_token());
  if (now >= *expires_at + leeway) return fail(Error::unauthorized(Reason::kTokenExpired, "The token has expired."));

  Identity identity;
  identity.actor.type = *role;
  identity.actor.id = core::UserId{*id};
  identity.actor.username = profile_text(claims, "username", kMaxNameCharacters);
  identity.actor.picture = profile_text(claims, "picture", kMaxPictureCharacters);
  identity.expires_at = *expires_at;
  return identity;
}

}  // namespace belfry::auth
