#pragma once

#include <optional>

#include "belfry/core/result.hpp"
#include "belfry/domain/actor.hpp"
#include "belfry/domain/entities.hpp"

/// The one access decision. Pure: everything it needs is handed in, read in one snapshot by the caller.
namespace belfry::domain {

/// What is known of one reader and one channel.
struct ChannelStanding {
  std::optional<Grant> entitlement;  ///< current grant for the channel's key
  bool joined = false;
};

/// What is known of one reader and one discussion, beyond its channel.
struct DiscussionStanding {
  std::optional<Grant> feature;  ///< current grant for the discussion's feature key
  std::optional<Sanction> ban;
};

struct AccessDecision {
  std::optional<core::Error> refusal;    ///< absent: allowed
  std::optional<TimePoint> valid_until;  ///< the allowance ends at this instant
  bool locked = false;                   ///< joined, but the entitlement is gone: the shell may be shown

  bool allowed() const { return !refusal.has_value(); }
};

/// May `actor` read the channel's posts at `now`? Drafts are kNotFound for everybody.
AccessDecision decide_channel(const Actor& actor, const Channel& channel, const ChannelStanding& standing,
                              TimePoint now);

/// May `actor` read messages of the discussion and be in its room? Includes the channel's decision.
/// Order of refusals: channel, disabled, feature, ban. Admins pass all but a draft and a disabled discussion.
AccessDecision decide_discussion(const Actor& actor, const Channel& channel, const ChannelStanding& channel_standing,
                                 const Discussion& discussion, const DiscussionStanding& standing, TimePoint now);

/// May a user write at `now`, given the current mute and when they last wrote there? Admins always may.
core::Result<void> decide_muted(const Actor& actor, const std::optional<Sanction>& mute, TimePoint now);
core::Result<void> decide_slow_mode(const Actor& actor, const Discussion& discussion,
                                    const std::optional<TimePoint>& last_message_at, TimePoint now);
/// kConflict CHANNEL_ARCHIVED unless the channel takes new content.
core::Result<void> require_active(const Channel& channel);

}  // namespace belfry::domain
