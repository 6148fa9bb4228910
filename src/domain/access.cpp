#include "belfry/domain/access.hpp"

#include <algorithm>
#include <chrono>

#include "domain/refusals.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::ErrorCode;
using core::Reason;

AccessDecision refuse(Error error) { return {.refusal = std::move(error), .valid_until = {}, .locked = false}; }

/// From its first instant on, and no longer at its last.
bool holds(const std::optional<Grant>& grant, TimePoint now) {
  return grant && (!grant->valid_from || *grant->valid_from <= now) &&
         (!grant->valid_until || now < *grant->valid_until);
}

bool in_force(const std::optional<Sanction>& sanction, TimePoint now) {
  return sanction && (!sanction->until || now < *sanction->until);
}

std::optional<TimePoint> earlier(std::optional<TimePoint> left, std::optional<TimePoint> right) {
  if (!left || !right) return left ? left : right;
  return std::min(*left, *right);
}

}  // namespace

AccessDecision decide_channel(const Actor& actor, const Channel& channel, const ChannelStanding& standing,
                              TimePoint now) {
  if (channel.status == ChannelStatus::kDraft) return refuse(channel_not_found());
  if (actor.admin() || channel.access_policy == AccessPolicy::kOpen) return {};
  if (actor.anonymous()) return refuse(Error::forbidden(Reason::kLoginRequired, "Log in to read this channel."));
  if (holds(standing.entitlement, now)) {
    return {.refusal = {}, .valid_until = standing.entitlement->valid_until, .locked = false};
  }
  if (!standing.joined) {
    return refuse(Error::forbidden(Reason::kEntitlementRequired, "This channel needs an entitlement."));
  }
  auto decision = refuse(Error::forbidden(Reason::kChannelLocked, "The entitlement to this channel has ended."));
  decision.locked = true;
  return decision;
}

AccessDecision decide_discussion(const Actor& actor, const Channel& channel, const ChannelStanding& channel_standing,
                                 const Discussion& discussion, const DiscussionStanding& standing, TimePoint now) {
  auto decision = decide_channel(actor, channel, channel_standing, now);
  if (!decision.allowed()) return decision;
  if (actor.anonymous()) return refuse(login_required());
  if (!discussion.is_enabled) {
    return refuse(Error::forbidden(Reason::kDiscussionDisabled, "The discussion is switched off."));
  }
  if (actor.admin()) return decision;
  if (discussion.required_feature_key) {
    if (!holds(standing.feature, now)) {
      return refuse(Error::forbidden(Reason::kFeatureRequired, "The discussion needs a feature you do not have."));
    }
    decision.valid_until = earlier(decision.valid_until, standing.feature->valid_until);
  }
  if (in_force(standing.ban, now)) {
    return refuse(Error::forbidden(Reason::kDiscussionBanned, "You are banned from this discussion."));
  }
  return decision;
}

core::Result<void> decide_muted(const Actor& actor, const std::optional<Sanction>& mute, TimePoint now) {
  if (actor.admin() || !in_force(mute, now)) return {};
  auto error = Error::forbidden(Reason::kDiscussionMuted, "You are muted in this discussion.");
  error.muted = true;
  error.muted_until = mute->until;
  return core::fail(std::move(error));
}

core::Result<void> decide_slow_mode(const Actor& actor, const Discussion& discussion,
                                    const std::optional<TimePoint>& last_message_at, TimePoint now) {
  if (actor.admin() || !discussion.slow_mode_enabled || !discussion.slow_mode_interval_seconds || !last_message_at) {
    return {};
  }
  const std::chrono::seconds interval{*discussion.slow_mode_interval_seconds};
  const auto left = *last_message_at + interval - now;
  if (left <= std::chrono::milliseconds::zero()) return {};
  Error error;
  error.code = ErrorCode::kRateLimited;
  error.reason = Reason::kSlowMode;
  error.message = "Slow mode: wait before writing again.";
  // A database clock that was set back must not make anyone wait for longer than the interval.
  error.retry_after_seconds =
      static_cast<int>(std::min(std::chrono::ceil<std::chrono::seconds>(left), interval).count());
  return core::fail(std::move(error));
}

core::Result<void> require_active(const Channel& channel) {
  if (channel.status != ChannelStatus::kArchived) return {};
  return core::fail(Error::conflict(Reason::kChannelArchived, "The channel is archived."));
}

}  // namespace belfry::domain
