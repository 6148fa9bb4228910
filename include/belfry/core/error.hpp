#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/core/time.hpp"

namespace belfry::core {

/// What went wrong, as a client can act on it. `error_table()` maps each to HTTP, WebSocket and "try again".
enum class ErrorCode : std::uint8_t {
  kMalformed,         ///< 400 VALIDATION_ERROR: cannot be read (path id, body that is no JSON object)
  kInvalid,           ///< 422 VALIDATION_ERROR: read, but not allowed
  kUnauthorized,      ///< 401
  kForbidden,         ///< 403
  kNotFound,          ///< 404
  kMethodNotAllowed,  ///< 405
  kConflict,          ///< 409
  kPayloadTooLarge,   ///< 413
  kRateLimited,       ///< 429
  kInternal,          ///< 500
  kUnavailable,       ///< 503
};

/// Narrows a code for a screen. Text by `reason_name`.
enum class Reason : std::uint8_t {
  kNone,
  kTokenExpired,
  kTokenInvalid,
  kLoginRequired,
  kEntitlementRequired,
  kChannelLocked,
  kFeatureRequired,
  kDiscussionDisabled,
  kDiscussionBanned,
  kDiscussionMuted,
  kNotAuthor,
  kAdminRequired,
  kChannelNotBroadcast,
  kChannelArchived,
  kInvalidTransition,
  kSlowMode,
  kNoRoute,
  kIdempotencyKeyReused,
  kEntitlementsExternal,
  kTooManyRooms,
  kChannelUnavailable,  ///< only in `room_left`: the channel became a draft
  kServiceUnavailable,  ///< only in `room_left`: access stayed in doubt too long, or the log is another one
};

/// One line of the error table: everything the outside sees of a code.
struct ErrorClass {
  ErrorCode code;
  std::string_view name;  ///< `code` over HTTP, e.g. `VALIDATION_ERROR`
  int http_status;
  std::string_view websocket;  ///< one of the five codes of a room reply
  bool retryable;              ///< the same request can succeed later
  std::string_view meaning;    ///< for docs/errors.md
};

/// One line of the reason table.
struct ReasonText {
  Reason reason;
  std::string_view name;
  std::string_view meaning;
};

std::span<const ErrorClass> error_table();
std::span<const ReasonText> reason_table();
const ErrorClass& error_class(ErrorCode code);
/// Upper-case text of a reason; empty for kNone.
std::string_view reason_name(Reason reason);

struct FieldIssue {
  std::string field;
  std::string issue;
};

/// An expected failure. `message` is shown to the client: one English sentence, no driver text, no secret.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  Reason reason = Reason::kNone;
  std::string message;
  std::vector<FieldIssue> details;
  bool muted = false;  ///< show `mutedUntil` (null when it has no end)
  std::optional<TimePoint> muted_until;
  std::optional<int> retry_after_seconds;  ///< `Retry-After` and, for slow mode, `retryAfterSeconds`

  static Error malformed(std::string field, std::string issue);
  static Error invalid(std::string field, std::string issue);
  static Error not_found(std::string message);
  static Error forbidden(Reason reason, std::string message);
  static Error conflict(Reason reason, std::string message);
  static Error unauthorized(Reason reason, std::string message);
  /// 503 with `Retry-After`.
  static Error unavailable(std::string message, int retry_after_seconds = 1);
  static Error internal();
};

}  // namespace belfry::core
