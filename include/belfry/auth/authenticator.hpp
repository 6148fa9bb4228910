#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/core/result.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/actor.hpp"

namespace belfry::auth {

using core::Result;

/// Who a token says the caller is, and until when.
struct Identity {
  domain::Actor actor;
  core::TimePoint expires_at;
};

/// How much a token's times may be off.
enum class Leeway : std::uint8_t { kNone, kHttp };  ///< kHttp: 5 s

/// Verifies JSON Web Tokens (RFC 7519). Used on the I/O thread.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// `done` runs on the I/O thread, inside this call when no key has to be fetched. kUnauthorized with TOKEN_EXPIRED or
  /// TOKEN_INVALID; kUnavailable when the key set cannot be had. The token never reaches a log.
  virtual void verify(std::string_view token, Leeway leeway, std::move_only_function<void(Result<Identity>)> done) = 0;
};

/// The token of an `Authorization` header value; kUnauthorized TOKEN_INVALID when it is not `Bearer <token>`.
Result<std::string> bearer_token(std::string_view header);
/// Three base64url parts, the first beginning `eyJ`: what must not stand in a query string.
bool looks_like_jwt(std::string_view text);

/// 32 random bytes as base64url text.
std::string make_secret();
/// A ticket for one connection: random bytes, its end and a check sum, as base64url text of always the same length.
std::string make_ticket(core::TimePoint expires_at);
/// False: no node issued this text, or it ended so long ago that no clock of a node is as wrong. True is no promise,
/// since anybody can make such a text: it says that the database is worth a question.
bool may_be_ticket(std::string_view text, core::TimePoint now);
/// SHA-256, 32 raw bytes.
std::string sha256(std::string_view bytes);

}  // namespace belfry::auth
