#pragma once

#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

using core::Result;

/// Write jobs. Broadcast channels only (kConflict CHANNEL_NOT_BROADCAST); joining needs access and an active channel;
/// leaving works without access, and without ever having joined answers with both times absent.
Result<Membership> join_channel(UnitOfWork& work, const Actor& actor, ChannelId channel);
Result<Membership> leave_channel(UnitOfWork& work, const Actor& actor, ChannelId channel);

/// The read cursor never goes back. Needs channel access.
Result<ReadState> advance_read_state(UnitOfWork& work, const Actor& actor, ChannelId channel, PostId seen);
Result<ReadState> view_read_state(UnitOfWork& work, const Actor& actor, ChannelId channel);

}  // namespace belfry::domain
