#include "belfry/domain/membership.hpp"

#include <utility>

#include "belfry/domain/channels.hpp"
#include "domain/refusals.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;
using core::Reason;

Result<void> require_broadcast(const Channel& channel) {
  if (channel.kind == ChannelKind::kBroadcast) return {};
  return fail(Error::conflict(Reason::kChannelNotBroadcast, "Only broadcast channels can be joined and left."));
}

}  // namespace

// Joining and leaving append nothing and give no access, so they lock no room: the open interval's unique index decides
// races.

Result<Membership> join_channel(UnitOfWork& work, const Actor& actor, ChannelId channel) {
  if (actor.anonymous()) return fail(login_required());
  const auto found = readable_channel(work, actor, channel);
  if (!found) return fail(found.error());
  if (auto broadcast = require_broadcast(*found); !broadcast) return fail(std::move(broadcast.error()));
  auto current = work.memberships().current(actor.id, channel);
  if (current.joined) return current;
  if (auto active = require_active(*found); !active) return fail(std::move(active.error()));
  return work.memberships().join(actor.id, channel);
}

Result<Membership> leave_channel(UnitOfWork& work, const Actor& actor, ChannelId channel) {
  if (actor.anonymous()) return fail(login_required());
  const auto found = work.channels().find(channel);
  if (!found || found->status == ChannelStatus::kDraft) return fail(channel_not_found());
  if (auto broadcast = require_broadcast(*found); !broadcast) return fail(std::move(broadcast.error()));
  return work.memberships().leave(actor.id, channel);
}

Result<ReadState> advance_read_state(UnitOfWork& work, const Actor& actor, ChannelId channel, PostId seen) {
  if (actor.anonymous()) return fail(login_required());
  if (const auto found = readable_channel(work, actor, channel); !found) return fail(found.error());
  return work.read_states().advance(actor.id, channel, seen);
}

Result<ReadState> view_read_state(UnitOfWork& work, const Actor& actor, ChannelId channel) {
  if (actor.anonymous()) return fail(login_required());
  if (const auto found = readable_channel(work, actor, channel); !found) return fail(found.error());
  return work.read_states().get(actor.id, channel);
}

}  // namespace belfry::domain
