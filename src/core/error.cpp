#include "belfry/core/error.hpp"

#include <array>
#include <cstddef>

namespace belfry::core {
namespace {

constexpr std::array kErrors{
    ErrorClass{ErrorCode::kMalformed, "VALIDATION_ERROR", 400, "VALIDATION_ERROR", false,
               "The request cannot be read: a path id that is no plain decimal, a body that is no JSON object."},
    ErrorClass{ErrorCode::kInvalid, "VALIDATION_ERROR", 422, "VALIDATION_ERROR", false,
               "The request was read, but a value is not allowed; `details` names the field."},
    ErrorClass{ErrorCode::kUnauthorized, "UNAUTHORIZED", 401, "UNAUTHORIZED", false,
               "A token is missing, expired or not valid."},
    ErrorClass{ErrorCode::kForbidden, "FORBIDDEN", 403, "FORBIDDEN", false,
               "The caller is known and may not do this; `reason` says what is missing."},
    ErrorClass{ErrorCode::kNotFound, "NOT_FOUND", 404, "NOT_FOUND", false, "There is no such thing for this caller."},
    ErrorClass{ErrorCode::kMethodNotAllowed, "METHOD_NOT_ALLOWED", 405, "VALIDATION_ERROR", false,
               "The path exists, the method does not; `Allow` lists those that do."},
    ErrorClass{ErrorCode::kConflict, "CONFLICT", 409, "FORBIDDEN", false,
               "The present state of the channel or of an earlier request does not allow it."},
    ErrorClass{ErrorCode::kPayloadTooLarge, "PAYLOAD_TOO_LARGE", 413, "VALIDATION_ERROR", false,
               "The body is larger than the limit."},
    ErrorClass{ErrorCode::kRateLimited, "RATE_LIMITED", 429, "FORBIDDEN", true,
               "Too often; `Retry-After` says when to come back."},
    ErrorClass{ErrorCode::kInternal, "INTERNAL_ERROR", 500, "SERVICE_UNAVAILABLE", true,
               "The server failed; the log has the details under the request id."},
    ErrorClass{ErrorCode::kUnavailable, "SERVICE_UNAVAILABLE", 503, "SERVICE_UNAVAILABLE", true,
               "The server or something it needs cannot answer now; `Retry-After` says when to come back."},
};

constexpr std::array kReasons{
    ReasonText{Reason::kTokenExpired, "TOKEN_EXPIRED", "The token's time is over: refresh it."},
    ReasonText{Reason::kTokenInvalid, "TOKEN_INVALID", "The token cannot be read or its signature does not match."},
    ReasonText{Reason::kLoginRequired, "LOGIN_REQUIRED", "This needs a logged-in user."},
    ReasonText{Reason::kEntitlementRequired, "ENTITLEMENT_REQUIRED",
               "The channel needs an entitlement the user does not hold."},
    ReasonText{Reason::kChannelLocked, "CHANNEL_LOCKED", "The user joined the channel and lost the entitlement since."},
    ReasonText{Reason::kFeatureRequired, "FEATURE_REQUIRED", "The discussion needs a feature the user does not have."},
    ReasonText{Reason::kDiscussionDisabled, "DISCUSSION_DISABLED", "The discussion is switched off."},
    ReasonText{Reason::kDiscussionBanned, "DISCUSSION_BANNED", "The user is banned from the discussion."},
    ReasonText{Reason::kDiscussionMuted, "DISCUSSION_MUTED",
               "The user may read but not write; `mutedUntil` is null without an end."},
    ReasonText{Reason::kNotAuthor, "NOT_AUTHOR", "The message belongs to somebody else."},
    ReasonText{Reason::kAdminRequired, "ADMIN_REQUIRED", "Only administrators may do this."},
    ReasonText{Reason::kChannelNotBroadcast, "CHANNEL_NOT_BROADCAST", "Only broadcast channels are joined."},
    ReasonText{Reason::kChannelArchived, "CHANNEL_ARCHIVED", "The channel is archived and takes nothing new."},
    ReasonText{Reason::kInvalidTransition, "INVALID_TRANSITION",
               "The channel cannot go from its status to this one, or the kind would change."},
    ReasonText{Reason::kSlowMode, "SLOW_MODE", "Slow mode: wait `retryAfterSeconds`."},
    ReasonText{Reason::kNoRoute, "NO_ROUTE", "There is no such path."},
    ReasonText{Reason::kIdempotencyKeyReused, "IDEMPOTENCY_KEY_REUSED",
               "The idempotency key came before with another body."},
    ReasonText{Reason::kEntitlementsExternal, "ENTITLEMENTS_EXTERNAL",
               "Entitlements are kept by an external service, not here."},
    ReasonText{Reason::kTooManyRooms, "TOO_MANY_ROOMS", "The connection is in as many rooms as it may be."},
    ReasonText{Reason::kChannelUnavailable, "CHANNEL_UNAVAILABLE",
               "Only in room_left: the channel is not published any more."},
    ReasonText{Reason::kServiceUnavailable, "SERVICE_UNAVAILABLE",
               "Only in room_left: access could not be confirmed for too long, or the room's log is another one."},
};

Error make(ErrorCode code, Reason reason, std::string message) {
  Error error;
  error.code = code;
  error.reason = reason;
  error.message = std::move(message);
  return error;
}

Error field_error(ErrorCode code, std::string field, std::string issue) {
  Error error = make(code, Reason::kNone,
                     field.empty() ? "The request " + issue + "." : "The value of " + field + " " + issue + ".");
  error.details.push_back({std::move(field), std::move(issue)});
  return error;
}

}  // namespace

std::span<const ErrorClass> error_table() { return kErrors; }
std::span<const ReasonText> reason_table() { return kReasons; }

const ErrorClass& error_class(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  static_assert(kErrors.back().code == ErrorCode::kUnavailable && kErrors.size() == 11);
  return kErrors[index];
}

std::string_view reason_name(Reason reason) {
  for (const auto& entry : kReasons) {
    if (entry.reason == reason) return entry.name;
  }
  return {};
}

Error Error::malformed(std::string field, std::string issue) {
  return field_error(ErrorCode::kMalformed, std::move(field), std::move(issue));
}
Error Error::invalid(std::string field, std::string issue) {
  return field_error(ErrorCode::kInvalid, std::move(field), std::move(issue));
}
Error Error::not_found(std::string message) { return make(ErrorCode::kNotFound, Reason::kNone, std::move(message)); }
Error Error::forbidden(Reason reason, std::string message) {
  return make(ErrorCode::kForbidden, reason, std::move(message));
}
Error Error::conflict(Reason reason, std::string message) {
  return make(ErrorCode::kConflict, reason, std::move(message));
}
Error Error::unauthorized(Reason reason, std::string message) {
  return make(ErrorCode::kUnauthorized, reason, std::move(message));
}
Error Error::unavailable(std::string message, int retry_after_seconds) {
  Error error = make(ErrorCode::kUnavailable, Reason::kNone, std::move(message));
  error.retry_after_seconds = retry_after_seconds;
  return error;
}
Error Error::internal() {
  return make(ErrorCode::kInternal, Reason::kNone, "The server could not complete the request.");
}

}  // namespace belfry::core
