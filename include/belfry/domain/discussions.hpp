#pragma once

#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

using core::Result;

/// PUT: absent keeps (or takes the default when the discussion is new: enabled, the channel's title, no slow mode).
struct PutDiscussion {
  ChannelId channel_id;
  std::optional<std::string> title;
  std::optional<bool> is_enabled;
  std::optional<std::optional<std::string>> required_feature_key;
  std::optional<bool> slow_mode_enabled;
  std::optional<std::optional<std::int32_t>> slow_mode_interval_seconds;  ///< 1..21600
};

/// A discussion with its channel, when `actor` may read messages there.
struct OpenDiscussion {
  Channel channel;
  Discussion discussion;
};

/// The shell: channel access and feature are required, `isEnabled: false` and bans are not a refusal. kNotFound when
/// there is none.
Result<Discussion> view_discussion(UnitOfWork& work, const Actor& actor, ChannelId channel);
/// Full check: channel, enabled, feature, ban.
Result<OpenDiscussion> readable_discussion(UnitOfWork& work, const Actor& actor, ChannelId channel);

/// Write job. Slow mode needs an interval (kInvalid). Switching or a feature change appends a control record.
Result<Discussion> put_discussion(UnitOfWork& work, const Actor& admin, const PutDiscussion& command);
Result<Discussion> find_discussion(UnitOfWork& work, ChannelId channel);

}  // namespace belfry::domain
