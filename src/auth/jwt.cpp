#include "belfry/auth/jwt.hpp"
#include "belfry/core/base64.hpp"
#include "belfry/core/mac.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "auth/keys.hpp"
#include "auth/token.hpp"
#include "auth/verified_tokens.hpp"
#include "belfry/telemetry/log.hpp"

namespace belfry::auth {
namespace {

using core::Error;
using core::fail;
using Done = std::move_only_function<void(Result<Identity>)>;

constexpr std::chrono::seconds kHttpLeeway{5};
constexpr std::size_t kMaxWaiting = 4096;

class JwtAuthenticator final : public Authenticator {
 public:
  JwtAuthenticator(JwtOptions options, const core::Clock& clock) : options_(std::move(options)), clock_(clock) {
    if (options_.hs256_secret && options_.hs256_secret->size() < kMinSecretBytes) {
      throw std::invalid_argument("an HS256 secret needs at least 32 bytes");
    }
    if (options_.hs256_secret) secret_.emplace(*options_.hs256_secret);
  }

  void verify(std::string_view token, Leeway leeway, Done done) override {
    if (const auto* known = believed(token)) {
      return done(check_times(known->claims, clock_.now(), leeway_of(leeway)));
    }
    auto parsed = parse_token(token);
    if (!parsed) return done(fail(std::move(parsed.error())));
    if (parsed->algorithm == Algorithm::kHs256) return done(verify_secret(token, *parsed, leeway));
    if (!options_.jwks) return done(fail(invalid_token()));
    if (keys_serve() && find_key(*parsed) != nullptr) return done(verify_public(token, *parsed, leeway));
    if (!may_fetch()) return done(answer_without_fetch(token, *parsed, leeway));
    if (waiting_.size() >= kMaxWaiting) return done(fail(Error::unavailable("The token cannot be checked now.")));
    waiting_.push_back({std::string(token), leeway, std::move(done)});
    if (!fetching_) fetch();
  }

 private:
  struct Waiting {
    std::string token;
    Leeway leeway;
    Done done;
  };

  std::chrono::seconds leeway_of(Leeway leeway) const {
    return leeway == Leeway::kHttp ? kHttpLeeway : std::chrono::seconds(0);
  }

  const VerifiedTokens::Known* believed(std::string_view token) {
    const auto* known = verified_.find(token);
    if (known == nullptr || known->by_secret) return known;
    return keys_serve() ? verified_.find(token) : nullptr;
  }

  Result<Identity> verify_secret(std::string_view token, const ParsedToken& parsed, Leeway leeway) {
    if (!secret_ || !core::same_secret(secret_->of(parsed.signed_part), parsed.signature)) return fail(invalid_token());
    return believe(token, parsed, leeway);
  }

  Result<Identity> verify_public(std::string_view token, const ParsedToken& parsed, Leeway leeway) {
    const PublicKey* key = find_key(parsed);
    if (key == nullptr || !key->verify(parsed.signed_part, parsed.signature)) return fail(invalid_token());
    return believe(token, parsed, leeway);
  }

  /// Requests come again with the same token; a socket tells its token once.
  Result<Identity> believe(std::string_view token, const ParsedToken& parsed, Leeway leeway) {
    auto claims = read_claims(parsed.claims_json, options_.rules);
    if (!claims) return fail(std::move(claims.error()));
    auto identity = check_times(*claims, clock_.now(), leeway_of(leeway));
    if (identity && leeway == Leeway::kHttp) {
      verified_.put(token, {std::move(*claims), parsed.algorithm == Algorithm::kHs256});
    }
    return identity;
  }

  /// By `kid` and type; without `kid` the only key of the type.
  const PublicKey* find_key(const ParsedToken& token) const {
    const PublicKey* only = nullptr;
    int fitting = 0;
    for (const PublicKey& key : keys_) {
      if (key.algorithm() != token.algorithm) continue;
      if (!token.kid.empty() && key.kid() == token.kid) return &key;
      only = &key;
      ++fitting;
    }
    return token.kid.empty() && fitting == 1 ? only : nullptr;
  }

  /// Since a moment that may have been kept before the clock was set back: then it is as long ago as can be.
  std::chrono::nanoseconds age(core::TimePoint at) const {
    const auto now = clock_.now();
    return now < at ? std::chrono::nanoseconds::max() : std::chrono::nanoseconds(now - at);
  }
  bool stale() const { return !fetched_at_ || age(*fetched_at_) > options_.jwks_max_age; }
  /// The newest thing known of the issuer is that it could not say which keys an old set still has.
  bool issuer_away() const {
    return failed_at_ && fetched_at_ && *failed_at_ - *fetched_at_ > options_.jwks_max_age &&
           age(*failed_at_) <= options_.jwks_max_age;
  }
  /// Whether the keys at hand answer without waiting. Old ones do while the issuer is away; it is asked again
  /// meanwhile, which forgets tokens and keys at once if its answer is there at once.
  bool keys_serve() {
    if (!stale()) return true;
    if (!issuer_away()) return false;
    if (!fetching_ && may_fetch()) fetch();
    return true;
  }
  bool may_fetch() const { return fetching_ || !tried_at_ || age(*tried_at_) >= options_.jwks_refresh_interval; }

  /// Between two allowed fetches: the old keys go on serving; a key nobody knows is no valid token once a set was read.
  Result<Identity> answer_without_fetch(std::string_view token, const ParsedToken& parsed, Leeway leeway) {
    if (!fetched_at_) return fail(Error::unavailable("The keys of the token issuer cannot be had now.", 5));
    return verify_public(token, parsed, leeway);
  }

  void fetch() {
    fetching_ = true;
    tried_at_ = clock_.now();
    options_.jwks([this, alive = std::weak_ptr<int>(alive_)](core::Result<std::string> text) {
      if (!alive.expired()) fetched(std::move(text));
    });
  }

  void fetched(core::Result<std::string> text) {
    fetching_ = false;
    auto keys = text ? parse_jwks(*text) : core::Result<std::vector<PublicKey>>(fail(std::move(text.error())));
    if (keys) {
      keys_ = std::move(*keys);
      verified_.forget_public();
      fetched_at_ = clock_.now();
    } else {
      failed_at_ = clock_.now();
      telemetry::warn("jwks_unavailable", {{"error", keys.error().message}});
    }
    for (Waiting& one : std::exchange(waiting_, {})) {
      auto parsed = parse_token(one.token);
      one.done(parsed ? answer_without_fetch(one.token, *parsed, one.leeway)
                      : Result<Identity>(fail(std::move(parsed.error()))));
    }
  }

  JwtOptions options_;
  const core::Clock& clock_;
  std::optional<core::HmacSha256> secret_;
  VerifiedTokens verified_;
  std::vector<PublicKey> keys_;
  std::optional<core::TimePoint> fetched_at_;
  std::optional<core::TimePoint> tried_at_;
  std::optional<core::TimePoint> failed_at_;
  bool fetching_ = false;
  std::vector<Waiting> waiting_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options, const core::Clock& clock) {
  return std::make_unique<JwtAuthenticator>(std::move(options), clock);
}

std::string sign_hs256(const TokenClaims& claims, std::string_view secret) {
  nlohmann::ordered_json body;
  body["sub"] = claims.subject.value.text();
  body["role"] = claims.admin ? "ADMIN" : "USER";
  if (claims.username) body["username"] = *claims.username;
  if (claims.picture) body["picture"] = *claims.picture;
  if (claims.issuer) body["iss"] = *claims.issuer;
  if (claims.audience) body["aud"] = *claims.audience;
  body["exp"] = std::chrono::duration_cast<std::chrono::seconds>(claims.expires_at.time_since_epoch()).count();
  const std::string input =
      core::encode_base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + core::encode_base64url(body.dump());
  return input + "." + core::encode_base64url(core::hmac_sha256(secret, input));
}

}  // namespace belfry::auth
