#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "dialects/socketio/engine_session.hpp"

namespace belfry::dialects::socketio {

/// What Engine.IO says of a request that it cannot use; the numbers are the protocol's. All are answered with 400, but
/// kForbidden with 403.
enum class EngineError : std::uint8_t {
  kUnknownTransport = 0,
  kUnknownSid = 1,
  kBadMethod = 2,  ///< a session begins with a GET
  kBadRequest = 3,
  kForbidden = 4,
  kUnsupportedVersion = 5,
};

/// `{"code","message"}`: the body of a refusal.
std::string_view engine_error_body(EngineError error);

/// What the query of a request to the dialect's path asks for.
struct EngineRequest {
  EngineTransport transport = EngineTransport::kPolling;
  std::string sid{};  ///< empty: a new session
  friend bool operator==(const EngineRequest&, const EngineRequest&) = default;
};

/// `query` is raw, without '?'. `EIO` must be 4, and nothing of this may be said twice. Other names are ignored:
/// clients add some of their own.
std::expected<EngineRequest, EngineError> decode_engine_query(std::string_view query);

}  // namespace belfry::dialects::socketio
