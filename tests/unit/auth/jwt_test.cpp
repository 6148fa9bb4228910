#include "belfry/auth/jwt.hpp"
#include "belfry/core/base64.hpp"
#include "belfry/core/mac.hpp"

#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "auth/keys.hpp"
#include "auth/verified_tokens.hpp"

namespace belfry::auth {
namespace {

using core::Reason;
using core::TimePoint;
using std::chrono::seconds;

const std::string kSecret = "0123456789abcdef0123456789abcdef";
const std::string kSubject = "0190c0de-1647-75b9-a5ba-07758a4f7675";

class FixedClock final : public core::Clock {
 public:
  TimePoint now() const override { return at; }
  TimePoint at{seconds(1'800'000'000)};
};

std::string signed_token(const std::string& header, const std::string& claims, const std::string& secret = kSecret) {
  const std::string input = core::encode_base64url(header) + "." + core::encode_base64url(claims);
  return input + "." + core::encode_base64url(core::hmac_sha256(secret, input));
}

const std::string kHs256Header = R"({"alg":"HS256"})";
std::string claims(const std::string& more = "", long expires = 1'800'000'060) {
  return R"({"sub":")" + kSubject + R"(","exp":)" + std::to_string(expires) + more + "}";
}

struct Outcome {
  std::optional<Result<Identity>> result;
  Reason reason() const { return result && !*result ? result->error().reason : Reason::kNone; }
  bool accepted() const { return result && result->has_value(); }
};

Outcome verify(Authenticator& authenticator, const std::string& token, Leeway leeway = Leeway::kNone) {
  Outcome outcome;
  authenticator.verify(token, leeway, [&](Result<Identity> result) { outcome.result = std::move(result); });
  return outcome;
}

class Hs256 : public testing::Test {
 protected:
  FixedClock clock_;
  std::unique_ptr<Authenticator> auth_ =
      make_jwt_authenticator({.hs256_secret = kSecret, .jwks = {}, .rules = {}}, clock_);
};

TEST_F(Hs256, SignedTokenComesBackAsItsIdentity) {
  const std::string token = sign_hs256({.subject = {*core::Uuid::parse(kSubject)},
                                        .admin = true,
                                        .username = "ada",
                                        .picture = "https://example.test/a.png",
                                        .issuer = {},
                                        .audience = {},
                                        .expires_at = clock_.at + seconds(60)},
                                       kSecret);
  const Outcome outcome = verify(*auth_, token);
  ASSERT_TRUE(outcome.accepted());
  const Identity& identity = **outcome.result;
  EXPECT_EQ(identity.actor.id.value.text(), kSubject);
  EXPECT_TRUE(identity.actor.admin());
  EXPECT_EQ(identity.actor.username, "ada");
  EXPECT_EQ(identity.expires_at, clock_.at + seconds(60));
}

struct BadToken {
  const char* name;
  std::string token;
  Reason reason = Reason::kTokenInvalid;
};

TEST_F(Hs256, RefusesEveryKindOfBadToken) {
  const std::string good = signed_token(kHs256Header, claims());
  const auto parts = [&] {
    const auto dot = good.rfind('.');
    return std::pair(good.substr(0, dot), good.substr(dot + 1));
  }();
  const BadToken table[] = {
      {"empty", ""},
      {"one part", "abc"},
      {"four parts", good + ".x"},
      {"no signature", parts.first + "."},
      {"padding", good + "="},
      {"other secret", signed_token(kHs256Header, claims(), std::string(32, 'x'))},
      {"alg none", core::encode_base64url(R"({"alg":"none"})") + "." + core::encode_base64url(claims()) + "."},
      {"alg none signed", signed_token(R"({"alg":"none"})", claims())},
      {"alg HS512", signed_token(R"({"alg":"HS512"})", claims())},
      {"alg lower case", signed_token(R"({"alg":"hs256"})", claims())},
      {"alg a number", signed_token(R"({"alg":256})", claims())},
      {"RS256 signed with the secret", signed_token(R"({"alg":"RS256"})", claims())},
      {"crit", signed_token(R"({"alg":"HS256","crit":["exp"]})", claims())},
      {"header no object", signed_token(R"(["HS256"])", claims())},
      {"claims no object", signed_token(kHs256Header, "[]")},
      {"claims no JSON", signed_token(kHs256Header, "{")},
      {"claims deep",
       signed_token(kHs256Header, R"({"sub":)" + std::string(10000, '[') + std::string(10000, ']') + "}")},
      {"no sub", signed_token(kHs256Header, R"({"exp":1800000060})")},
      {"sub no UUID", signed_token(kHs256Header, R"({"sub":"42","exp":1800000060})")},
      {"no exp", signed_token(kHs256Header, R"({"sub":")" + kSubject + R"("})")},
      {"exp a string", signed_token(kHs256Header, R"({"sub":")" + kSubject + R"(","exp":"1800000060"})")},
      {"exp huge", signed_token(kHs256Header, R"({"sub":")" + kSubject + R"(","exp":1e300})")},
      {"role unknown", signed_token(kHs256Header, claims(R"(,"role":"ROOT")"))},
      {"role no string", signed_token(kHs256Header, claims(R"(,"role":["ADMIN"])"))},
      {"not yet", signed_token(kHs256Header, claims(R"(,"nbf":1800000001)"))},
      {"nbf no number", signed_token(kHs256Header, claims(R"(,"nbf":"now")"))},
      {"too long", signed_token(kHs256Header, claims(R"(,"x":")" + std::string(9000, 'x') + "\""))},
      {"expired this instant", signed_token(kHs256Header, claims("", 1'800'000'000)), Reason::kTokenExpired},
  };
  ASSERT_TRUE(verify(*auth_, good).accepted());
  for (const BadToken& one : table) {
    const Outcome outcome = verify(*auth_, one.token);
    EXPECT_FALSE(outcome.accepted()) << one.name;
    EXPECT_EQ(outcome.reason(), one.reason) << one.name;
  }
}

TEST_F(Hs256, HttpLeewayIsFiveSecondsAtBothEnds) {
  const std::string ended = signed_token(kHs256Header, claims("", 1'799'999'996));
  EXPECT_TRUE(verify(*auth_, ended, Leeway::kHttp).accepted());
  EXPECT_EQ(verify(*auth_, ended, Leeway::kNone).reason(), Reason::kTokenExpired);
  EXPECT_FALSE(verify(*auth_, signed_token(kHs256Header, claims("", 1'799'999'995)), Leeway::kHttp).accepted());
  EXPECT_TRUE(verify(*auth_, signed_token(kHs256Header, claims(R"(,"nbf":1800000005)")), Leeway::kHttp).accepted());
}

TEST_F(Hs256, RememberedTokenIsJudgedByTheClockOfEachCall) {
  const std::string token = signed_token(kHs256Header, claims(R"(,"nbf":1800000000)"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(verify(*auth_, token, Leeway::kHttp).accepted());
  EXPECT_TRUE(verify(*auth_, token).accepted());
  clock_.at += seconds(64);
  EXPECT_TRUE(verify(*auth_, token, Leeway::kHttp).accepted());
  EXPECT_EQ(verify(*auth_, token).reason(), Reason::kTokenExpired) << "remembered, and without leeway";
  clock_.at += seconds(1);
  EXPECT_EQ(verify(*auth_, token, Leeway::kHttp).reason(), Reason::kTokenExpired);
  clock_.at -= seconds(75);
  EXPECT_EQ(verify(*auth_, token, Leeway::kHttp).reason(), Reason::kTokenInvalid) << "not yet";
}

TEST_F(Hs256, TextThatBeginsLikeARememberedTokenIsNoToken) {
  const std::string token = signed_token(kHs256Header, claims());
  ASSERT_TRUE(verify(*auth_, token, Leeway::kHttp).accepted());
  std::string other = token;
  other.back() = other.back() == 'A' ? 'E' : 'A';
  EXPECT_EQ(verify(*auth_, other, Leeway::kHttp).reason(), Reason::kTokenInvalid);
  EXPECT_EQ(verify(*auth_, token.substr(0, token.size() - 1), Leeway::kHttp).reason(), Reason::kTokenInvalid);
}

TEST(Remembered, AsManyTokensAsFit) {
  VerifiedTokens tokens;
  const auto put = [&](int i) { tokens.put(std::to_string(i) + std::string(2000, 'x'), {}); };
  std::size_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    put(i);
    most = std::max(most, tokens.size());
    if (i % 100 == 0)
      EXPECT_NE(tokens.find("0" + std::string(2000, 'x')), nullptr) << "it is asked for again and again";
  }
  EXPECT_LT(most, 4000U);
  EXPECT_NE(tokens.find("19999" + std::string(2000, 'x')), nullptr);
  EXPECT_EQ(tokens.find("1" + std::string(2000, 'x')), nullptr);
}

TEST_F(Hs256, IssuerAndAudienceAreCheckedWhenConfigured) {
  const auto strict = make_jwt_authenticator(
      {.hs256_secret = kSecret, .jwks = {}, .rules = {.issuer = "https://id.test", .audience = "belfry"}}, clock_);
  const std::string issuer = R"(,"iss":"https://id.test")";
  EXPECT_TRUE(verify(*strict, signed_token(kHs256Header, claims(issuer + R"(,"aud":"belfry")"))).accepted());
  EXPECT_TRUE(verify(*strict, signed_token(kHs256Header, claims(issuer + R"(,"aud":["other","belfry"])"))).accepted());
  EXPECT_FALSE(verify(*strict, signed_token(kHs256Header, claims(issuer + R"(,"aud":["other"])"))).accepted());
  EXPECT_FALSE(verify(*strict, signed_token(kHs256Header, claims(issuer))).accepted());
  EXPECT_FALSE(verify(*strict, signed_token(kHs256Header, claims(R"(,"aud":"belfry")"))).accepted());
}

TEST_F(Hs256, UnshowableProfileClaimsAreLeftOut) {
  const Outcome outcome = verify(*auth_, signed_token(kHs256Header, claims(R"(,"username":7,"picture":"a\u0000b")")));
  ASSERT_TRUE(outcome.accepted());
  EXPECT_FALSE((*outcome.result)->actor.username);
  EXPECT_FALSE((*outcome.result)->actor.picture);
}

TEST(Hs256Secret, ShorterThan32BytesIsRefused) {
  FixedClock clock;
  EXPECT_THROW(make_jwt_authenticator({.hs256_secret = std::string(31, 'x'), .jwks = {}, .rules = {}}, clock),
               std::invalid_argument);
}

// --- Public keys, made here and served as a key set.

struct KeyPair {
  std::string kid;
  std::string alg;
  EVP_PKEY* key;
  ~KeyPair() { EVP_PKEY_free(key); }

  std::string jwk() const {
    const auto number = [&](const char* name) {
      BIGNUM* bn = nullptr;
      EVP_PKEY_get_bn_param(key, name, &bn);
      std::string out(static_cast<std::size_t>(BN_num_bytes(bn)), '\0');
      BN_bn2bin(bn, reinterpret_cast<unsigned char*>(out.data()));
      BN_free(bn);
      return out;
    };
    const auto padded = [](std::string bytes) {
      return core::encode_base64url(std::string(32 - bytes.size(), '\0') + bytes);
    };
    std::string fields;
    if (alg == "RS256") {
      fields = R"("kty":"RSA","n":")" + core::encode_base64url(number("n")) + R"(","e":")" +
               core::encode_base64url(number("e")) + "\"";
    } else if (alg == "ES256") {
      fields = R"("kty":"EC","crv":"P-256","x":")" + padded(number("qx")) + R"(","y":")" + padded(number("qy")) + "\"";
    } else {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size);
      fields = R"("kty":"OKP","crv":"Ed25519","x":")" + core::encode_base64url(raw) + "\"";
    }
    return "{\"kid\":\"" + kid + "\"," + fields + "}";
  }

  std::string sign(const std::string& claims_json, const std::string& header_extra) const {
    const std::string input = core::encode_base64url(R"({"alg":")" + alg + "\"" + header_extra + "}") + "." +
                              core::encode_base64url(claims_json);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, alg == "EdDSA" ? nullptr : EVP_sha256(), nullptr, key);
    std::size_t size = 1024;
    std::string signature(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(input.data()), input.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    if (alg == "ES256") signature = raw_signature(signature);
    return input + "." + core::encode_base64url(signature);
  }

  static std::string raw_signature(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* parsed = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string raw(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), reinterpret_cast<unsigned char*>(raw.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), reinterpret_cast<unsigned char*>(raw.data()) + 32, 32);
    ECDSA_SIG_free(parsed);
    return raw;
  }
};

KeyPair make_key(const std::string& alg, const std::string& kid, unsigned rsa_bits = 2048) {
  if (alg == "RS256") return {kid, alg, EVP_RSA_gen(rsa_bits)};
  if (alg == "ES256") return {kid, alg, EVP_EC_gen("P-256")};
  return {kid, alg, EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
}

class Jwks : public testing::Test {
 protected:
  /// A source whose answers the test gives by hand.
  JwksSource source() {
    return [this](std::move_only_function<void(core::Result<std::string>)> done) {
      ++fetches_;
      if (hold_) {
        pending_ = std::move(done);
      } else {
        done(set_);
      }
    };
  }
  static std::string set_of(std::initializer_list<const KeyPair*> keys) {
    std::string out;
    for (const KeyPair* key : keys) out += (out.empty() ? "" : ",") + key->jwk();
    return "{\"keys\":[" + out + "]}";
  }

  FixedClock clock_;
  core::Result<std::string> set_ = std::string("{\"keys\":[]}");
  int fetches_ = 0;
  bool hold_ = false;
  std::move_only_function<void(core::Result<std::string>)> pending_;
  std::unique_ptr<Authenticator> auth_ =
      make_jwt_authenticator({.hs256_secret = {}, .jwks = source(), .rules = {}}, clock_);
};

TEST_F(Jwks, EachAlgorithmVerifiesByItsKid) {
  const KeyPair rsa = make_key("RS256", "r1");
  const KeyPair ec = make_key("ES256", "e1");
  const KeyPair ed = make_key("EdDSA", "d1");
  set_ = set_of({&rsa, &ec, &ed});
  for (const KeyPair* key : {&rsa, &ec, &ed}) {
    EXPECT_TRUE(verify(*auth_, key->sign(claims(), R"(,"kid":")" + key->kid + "\"")).accepted()) << key->alg;
    EXPECT_TRUE(verify(*auth_, key->sign(claims(), "")).accepted()) << key->alg << " without kid";
    std::string broken = key->sign(claims(), "");
    broken[broken.size() - 10] = broken[broken.size() - 10] == 'A' ? 'B' : 'A';
    EXPECT_EQ(verify(*auth_, broken).reason(), Reason::kTokenInvalid) << key->alg;
  }
  EXPECT_EQ(fetches_, 1);
}

TEST_F(Jwks, APublicKeyIsNoSecret) {
  const KeyPair rsa = make_key("RS256", "r1");
  set_ = set_of({&rsa});
  EXPECT_EQ(verify(*auth_, signed_token(kHs256Header, claims(), rsa.jwk())).reason(), Reason::kTokenInvalid);
}

TEST_F(Jwks, TheKeysTypeBindsTheAlgorithm) {
  const KeyPair rsa = make_key("RS256", "same");
  const KeyPair ec = make_key("ES256", "same");
  set_ = set_of({&rsa});
  EXPECT_EQ(verify(*auth_, ec.sign(claims(), R"(,"kid":"same")")).reason(), Reason::kTokenInvalid);
}

TEST_F(Jwks, TwoKeysOfATypeNeedAKid) {
  const KeyPair a = make_key("EdDSA", "a");
  const KeyPair b = make_key("EdDSA", "b");
  set_ = set_of({&a, &b});
  EXPECT_FALSE(verify(*auth_, a.sign(claims(), "")).accepted());
  EXPECT_TRUE(verify(*auth_, a.sign(claims(), R"(,"kid":"a")")).accepted());
}

TEST_F(Jwks, WeakRsaKeysAreLeftOut) {
  const KeyPair weak = make_key("RS256", "w", 1024);
  set_ = set_of({&weak});
  EXPECT_FALSE(verify(*auth_, weak.sign(claims(), R"(,"kid":"w")")).accepted());
}

TEST_F(Jwks, AnUnknownKidRefreshesAtABoundedRate) {
  const KeyPair old_key = make_key("EdDSA", "old");
  const KeyPair new_key = make_key("EdDSA", "new");
  set_ = set_of({&old_key});
  ASSERT_TRUE(verify(*auth_, old_key.sign(claims(), R"(,"kid":"old")")).accepted());
  set_ = set_of({&old_key, &new_key});
  const std::string token = new_key.sign(claims(), R"(,"kid":"new")");
  for (int i = 0; i < 50; ++i) EXPECT_EQ(verify(*auth_, token).reason(), Reason::kTokenInvalid);
  EXPECT_EQ(fetches_, 1);
  clock_.at += seconds(10);
  EXPECT_TRUE(verify(*auth_, token).accepted());
  EXPECT_EQ(fetches_, 2);
}

TEST_F(Jwks, AClockThatIsSetBackKeepsNoOldKeys) {
  const KeyPair old_key = make_key("EdDSA", "old");
  const KeyPair new_key = make_key("EdDSA", "new");
  set_ = set_of({&old_key});
  const std::string token = old_key.sign(claims("", 1'900'000'000), R"(,"kid":"old")");
  ASSERT_TRUE(verify(*auth_, token, Leeway::kHttp).accepted());
  set_ = set_of({&new_key});
  clock_.at -= seconds(3600);
  EXPECT_TRUE(verify(*auth_, new_key.sign(claims("", 1'900'000'000), R"(,"kid":"new")"), Leeway::kHttp).accepted());
  EXPECT_EQ(verify(*auth_, token, Leeway::kHttp).reason(), Reason::kTokenInvalid);
  EXPECT_EQ(fetches_, 2);
}

TEST_F(Jwks, WaitersShareOneFetch) {
  const KeyPair key = make_key("EdDSA", "k");
  hold_ = true;
  std::vector<bool> accepted;
  const std::string token = key.sign(claims(), "");
  for (int i = 0; i < 3; ++i) {
    auth_->verify(token, Leeway::kNone, [&](Result<Identity> result) { accepted.push_back(result.has_value()); });
  }
  EXPECT_EQ(fetches_, 1);
  EXPECT_TRUE(accepted.empty());
  pending_(set_of({&key}));
  EXPECT_EQ(accepted, (std::vector{true, true, true}));
}

TEST_F(Jwks, WithoutAnyKeySetTheAnswerIsUnavailableNotInvalid) {
  const KeyPair key = make_key("EdDSA", "k");
  set_ = core::fail(core::Error::unavailable("down"));
  const Outcome outcome = verify(*auth_, key.sign(claims(), ""));
  ASSERT_TRUE(outcome.result && !*outcome.result);
  EXPECT_EQ(outcome.result->error().code, core::ErrorCode::kUnavailable);
}

TEST_F(Jwks, TokenIsForgottenWithTheKeyThatSignedIt) {
  const KeyPair old_key = make_key("EdDSA", "old");
  const KeyPair new_key = make_key("EdDSA", "new");
  set_ = set_of({&old_key});
  const std::string token = old_key.sign(claims("", 1'900'000'000), R"(,"kid":"old")");
  ASSERT_TRUE(verify(*auth_, token, Leeway::kHttp).accepted());
  ASSERT_TRUE(verify(*auth_, token, Leeway::kHttp).accepted());
  set_ = set_of({&new_key});
  clock_.at += seconds(601);
  EXPECT_EQ(verify(*auth_, token, Leeway::kHttp).reason(), Reason::kTokenInvalid) << "the set is stale and read again";
  EXPECT_EQ(fetches_, 2);
}

TEST_F(Jwks, AnotherTokensFetchForgetsWhatTheWithdrawnKeySigned) {
  const KeyPair old_key = make_key("EdDSA", "old");
  const KeyPair new_key = make_key("EdDSA", "new");
  set_ = set_of({&old_key});
  const std::string token = old_key.sign(claims(), R"(,"kid":"old")");
  ASSERT_TRUE(verify(*auth_, token, Leeway::kHttp).accepted());
  set_ = set_of({&new_key});
  clock_.at += seconds(10);
  ASSERT_TRUE(verify(*auth_, new_key.sign(claims(), R"(,"kid":"new")"), Leeway::kHttp).accepted());
  EXPECT_EQ(verify(*auth_, token, Leeway::kHttp).reason(), Reason::kTokenInvalid);
}

TEST_F(Jwks, OldKeysServeOnWhileTheIssuerIsAway) {
  const KeyPair key = make_key("EdDSA", "k");
  set_ = set_of({&key});
  ASSERT_TRUE(verify(*auth_, key.sign(claims(), "")).accepted());
  set_ = core::fail(core::Error::unavailable("down"));
  clock_.at += seconds(700);
  EXPECT_TRUE(verify(*auth_, key.sign(claims("", 1'900'000'000), "")).accepted());
}

/// An issuer that takes its time, or never answers: fetches end when the test says so.
class SilentIssuer : public Jwks {
 protected:
  void SetUp() override {
    set_ = set_of({&key_});
    ASSERT_TRUE(verify(*auth_, seen_, Leeway::kHttp).accepted());
    hold_ = true;
  }
  void stale_fetch_fails() {
    clock_.at += seconds(601);
    const int before = fetches_;
    verify_later(seen_);
    ASSERT_EQ(fetches_, before + 1);
    end_fetch(core::fail(core::Error::unavailable("silent")));
    ASSERT_TRUE(later_.back()->accepted());
  }
  void verify_later(const std::string& token) {
    later_.push_back(std::make_unique<Outcome>());
    auth_->verify(token, Leeway::kHttp,
                  [at = later_.back().get()](Result<Identity> result) { at->result = std::move(result); });
  }
  void end_fetch(core::Result<std::string> set) {
    ASSERT_TRUE(pending_);
    std::exchange(pending_, {})(std::move(set));
  }

  static std::string token_of(const KeyPair& key, const std::string& more = "") {
    return key.sign(claims(more, 1'900'000'000), R"(,"kid":")" + key.kid + "\"");
  }
  const KeyPair key_ = make_key("EdDSA", "k");
  const KeyPair new_key_ = make_key("EdDSA", "new");
  const std::string seen_ = token_of(key_);
  const std::string unseen_ = token_of(key_, R"(,"nbf":1800000000)");
  std::vector<std::unique_ptr<Outcome>> later_;
};

TEST_F(SilentIssuer, FirstUseOfAStaleSetWaitsSoThatAWithdrawnKeyEnds) {
  clock_.at += seconds(601);
  verify_later(seen_);
  verify_later(unseen_);
  EXPECT_FALSE(later_[0]->result || later_[1]->result);
  end_fetch(set_of({&new_key_}));
  EXPECT_EQ(later_[0]->reason(), Reason::kTokenInvalid);
  EXPECT_EQ(later_[1]->reason(), Reason::kTokenInvalid);
}

TEST_F(SilentIssuer, OldKeysAnswerAtOnceWhileItIsAskedAgain) {
  stale_fetch_fails();
  for (int attempt = 0; attempt < 3; ++attempt) {
    clock_.at += seconds(10);
    const int before = fetches_;
    EXPECT_TRUE(verify(*auth_, seen_, Leeway::kHttp).accepted()) << "signature known";
    EXPECT_TRUE(verify(*auth_, unseen_).accepted()) << "signature not known";
    EXPECT_EQ(fetches_, before + 1) << "asked in the background, once";
    end_fetch(core::fail(core::Error::unavailable("silent")));
  }
}

TEST_F(SilentIssuer, ARememberedTokenAloneHasItAskedAgain) {
  stale_fetch_fails();
  clock_.at += seconds(10);
  EXPECT_TRUE(verify(*auth_, seen_, Leeway::kHttp).accepted());
  ASSERT_TRUE(pending_);
  end_fetch(set_of({&new_key_}));
  EXPECT_EQ(verify(*auth_, seen_, Leeway::kHttp).reason(), Reason::kTokenInvalid) << "it was withdrawn meanwhile";
}

TEST_F(SilentIssuer, AKeyThatIsNotInTheOldSetWaitsForTheFetch) {
  stale_fetch_fails();
  clock_.at += seconds(10);
  verify_later(token_of(new_key_));
  EXPECT_FALSE(later_.back()->result);
  EXPECT_TRUE(verify(*auth_, seen_, Leeway::kHttp).accepted());
  end_fetch(set_of({&new_key_}));
  EXPECT_TRUE(later_.back()->accepted());
  EXPECT_FALSE(verify(*auth_, unseen_).accepted());
}

TEST_F(SilentIssuer, WhoWaitsForAnUnknownKeyIsNotInTheWayOfKnownOnes) {
  stale_fetch_fails();
  clock_.at += seconds(10);
  const std::string unknown = token_of(new_key_);
  for (int i = 0; i < 5000; ++i) verify_later(unknown);
  ASSERT_TRUE(later_.back()->result && !*later_.back()->result) << "the queue is full";
  EXPECT_TRUE(verify(*auth_, unseen_).accepted());
}

TEST_F(SilentIssuer, AFailureFromBeforeTheSetWasStaleDoesNotCount) {
  clock_.at += seconds(300);
  verify_later(token_of(new_key_));
  end_fetch(core::fail(core::Error::unavailable("silent")));
  clock_.at += seconds(301);
  verify_later(seen_);
  EXPECT_FALSE(later_.back()->result);
}

TEST_F(SilentIssuer, AFailureAsOldAsAStaleSetDoesNotCount) {
  stale_fetch_fails();
  clock_.at += seconds(601);
  verify_later(seen_);
  EXPECT_FALSE(later_.back()->result);
}

TEST_F(SilentIssuer, OneThatAnswersAtOnceIsHeardBeforeTheOldKeys) {
  stale_fetch_fails();
  clock_.at += seconds(10);
  hold_ = false;
  set_ = set_of({&new_key_});
  EXPECT_EQ(verify(*auth_, seen_, Leeway::kHttp).reason(), Reason::kTokenInvalid);
}

TEST(Bearer, HeaderForms) {
  EXPECT_EQ(*bearer_token("Bearer abc"), "abc");
  EXPECT_EQ(*bearer_token("bearer  abc "), "abc");
  for (const char* header : {"", "abc", "Bearer", "Bearer ", "Basic abc"}) EXPECT_FALSE(bearer_token(header)) << header;
}

TEST(LooksLikeJwt, ThreePartsBeginningLikeAJsonObject) {
  EXPECT_TRUE(looks_like_jwt("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"));
  EXPECT_FALSE(looks_like_jwt("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0"));
  EXPECT_FALSE(looks_like_jwt("abc.def.ghi"));
  EXPECT_FALSE(looks_like_jwt("eyJ a.b.c"));
}

TEST(Tickets, AreToldFromOtherTextAndFromOldOnesWithoutTheDatabase) {
  const core::TimePoint end{std::chrono::seconds(1'800'000'000)};
  const auto ticket = make_ticket(end);
  EXPECT_TRUE(may_be_ticket(ticket, end - std::chrono::seconds(30)));
  EXPECT_TRUE(may_be_ticket(ticket, end - std::chrono::hours(1))) << "our clock may be slow";
  EXPECT_TRUE(may_be_ticket(ticket, end + std::chrono::seconds(59))) << "or fast";
  EXPECT_FALSE(may_be_ticket(ticket, end + std::chrono::seconds(61)));
  for (std::size_t i = 0; i < ticket.size(); ++i) {
    auto other = ticket;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(may_be_ticket(other, end)) << i;
  }
  for (const auto& text :
       {std::string(), std::string(ticket.size(), 'A'), ticket + "A", ticket.substr(1), make_secret()})
    EXPECT_FALSE(may_be_ticket(text, end)) << text;
}

TEST(Tickets, DifferAndHashTo32Bytes) {
  EXPECT_NE(make_ticket({}), make_ticket({}));
  EXPECT_NE(make_secret(), make_secret());
  EXPECT_EQ(sha256("").size(), 32U);
}

TEST(Base64Url, CanonicalOnly) {
  for (const std::string& bytes :
       {std::string(), std::string("f"), std::string("fo"), std::string("foo"), std::string("\xff\xfe", 2)}) {
    EXPECT_EQ(core::decode_base64url(core::encode_base64url(bytes)), bytes);
  }
  for (const char* text : {"A", "AB=", "AB+", "AB", "AAB"}) EXPECT_FALSE(core::decode_base64url(text)) << text;
}

}  // namespace
}  // namespace belfry::auth
