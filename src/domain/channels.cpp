#include "belfry/domain/channels.hpp"

#include <utility>
#include <vector>

#include "domain/refusals.hpp"
#include "domain/standing.hpp"
#include "domain/writes.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;
using core::Reason;

Result<void> check_key(AccessPolicy policy, const std::optional<std::string>& key) {
  const bool gated = policy == AccessPolicy::kExternalGated;
  if (gated == key.has_value()) return {};
  return fail(Error::invalid("entitlementKey",
                             gated ? "is required for a gated channel" : "must be absent or null for an open channel"));
}

/// DRAFT → ACTIVE ⇄ ARCHIVED, and anything → DRAFT.
bool may_become(ChannelStatus from, ChannelStatus to) {
  return from == to || to != ChannelStatus::kArchived || from == ChannelStatus::kActive;
}

Error invalid_transition(std::string message) {
  return Error::conflict(Reason::kInvalidTransition, std::move(message));
}

/// The rooms whose members have to be decided again; the port sorts them.
std::vector<RoomKey> rooms_of(UnitOfWork& work, ChannelId id) {
  std::vector<RoomKey> rooms{posts_room(id)};
  if (const auto discussion = work.threads().find_by_channel(id)) rooms.push_back(discussion_room(discussion->id));
  return rooms;
}

Result<Changes> merge(Channel& channel, const UpdateChannel& command) {
  if (command.kind && *command.kind != channel.kind)
    return fail(invalid_transition("The kind of a channel never changes."));
  if (command.status && !may_become(channel.status, *command.status)) {
    return fail(invalid_transition("A draft cannot be archived."));
  }
  Changes changes;
  changes.merge("accessPolicy", channel.access_policy, command.access_policy);
  changes.merge("status", channel.status, command.status);
  changes.merge("visibility", channel.visibility, command.visibility);
  changes.merge("title", channel.title, command.title);
  changes.merge("description", channel.description, command.description);
  changes.merge("entitlementKey", channel.entitlement_key, command.entitlement_key);
  if (auto valid = check_key(channel.access_policy, channel.entitlement_key); !valid)
    return fail(std::move(valid.error()));
  return changes;
}

bool concerns_access(const Changes& changes) {
  return changes.has("accessPolicy") || changes.has("status") || changes.has("entitlementKey");
}

}  // namespace

Result<Page<ChannelListItem>> list_channels(UnitOfWork& work, const Actor& actor,
                                            const std::optional<PageCursor>& before, std::int32_t limit) {
  ChannelListQuery query;
  query.before = before;
  query.limit = limit;
  query.holds_every_key = actor.admin();
  if (!actor.anonymous()) {
    query.user = actor.id;
    if (!actor.admin()) {
      // Only an external provider has to be asked key by key.
      const auto keys = work.grants().internal() ? std::vector<std::string>{} : work.channels().gated_keys();
      query.held_keys = work.grants().held_keys(actor.id, keys, work.now());
    }
  }
  return cut_page(work.channels().list_visible(query), static_cast<std::size_t>(limit));
}

Result<ChannelView> view_channel(UnitOfWork& work, const Actor& actor, ChannelId id) {
  auto channel = work.channels().find(id);
  if (!channel) return fail(channel_not_found());
  auto decision = decide_now(work, actor, *channel);
  if (!decision.allowed() && !decision.locked) return fail(std::move(*decision.refusal));
  ChannelView view{.channel = std::move(*channel), .joined = decision.locked, .locked = decision.locked};
  if (!actor.anonymous() && !view.joined) view.joined = work.memberships().current(actor.id, id).joined;
  return view;
}

Result<Channel> readable_channel(UnitOfWork& work, const Actor& actor, ChannelId id) {
  auto channel = work.channels().find(id);
  if (!channel) return fail(channel_not_found());
  auto decision = decide_now(work, actor, *channel);
  if (!decision.allowed()) return fail(std::move(*decision.refusal));
  return std::move(*channel);
}

Result<Channel> create_channel(UnitOfWork& work, const Actor& admin, const CreateChannel& command) {
  if (command.status == ChannelStatus::kArchived) return fail(Error::invalid("status", "must be DRAFT or ACTIVE"));
  if (auto valid = check_key(command.access_policy, command.entitlement_key); !valid)
    return fail(std::move(valid.error()));
  if (command.idempotency) {
    // No room orders new channels. The access log stands in, so that of two racing duplicates the second finds the
    // first one's answer instead of a second channel.
    if (auto locked = lock_room(work, kAccessLog, Error::internal()); !locked) return fail(std::move(locked.error()));
    auto earlier = find_answer<Channel>(work, command.idempotency);
    if (!earlier) return fail(std::move(earlier.error()));
    if (*earlier) return std::move(**earlier);
  }
  Channel channel;
  channel.public_id = core::Uuid::v7(work.now());
  channel.kind = command.kind;
  channel.access_policy = command.access_policy;
  channel.status = command.status;
  channel.visibility = command.visibility;
  channel.title = command.title;
  channel.description = command.description;
  channel.entitlement_key = command.entitlement_key;
  channel.created_by = admin.id;
  channel.created_at = channel.updated_at = work.now();
  channel.id = work.channels().insert(channel);
  audit(work, admin, "channel.create", "channel", std::to_string(channel.id.value));
  keep_answer(work, command.idempotency, channel);
  return channel;
}

Result<Channel> update_channel(UnitOfWork& work, const Actor& admin, const UpdateChannel& command) {
  const bool may_concern_access = command.access_policy || command.status || command.entitlement_key;
  const auto rooms = may_concern_access ? rooms_of(work, command.id) : std::vector<RoomKey>{posts_room(command.id)};
  if (auto locked = lock_rooms(work, rooms, channel_not_found()); !locked) return fail(std::move(locked.error()));
  auto channel = work.channels().find(command.id);
  if (!channel) return fail(channel_not_found());
  auto changes = merge(*channel, command);
  if (!changes) return fail(std::move(changes.error()));
  if (changes->empty()) return std::move(*channel);
  if (concerns_access(*changes)) {
    // A discussion is made under the posts room's lock: one that was made while this waited for it is not locked.
    if (rooms_of(work, command.id) != rooms)
      return fail(Error::unavailable("The channel is being changed. Try again."));
    for (const RoomKey& room : rooms) append_control(work, room, ControlKind::kPolicy, admin);
  }
  channel->updated_at = work.now();
  work.channels().update(*channel);
  audit(work, admin, "channel.update", "channel", std::to_string(channel->id.value), changes->details());
  return std::move(*channel);
}

Result<Page<Channel>> list_all_channels(UnitOfWork& work, const std::optional<PageCursor>& before, std::int32_t limit) {
  return cut_page(work.channels().list_all(before, limit), static_cast<std::size_t>(limit));
}

Result<Channel> find_channel(UnitOfWork& work, ChannelId id) {
  auto channel = work.channels().find(id);
  if (!channel) return fail(channel_not_found());
  return std::move(*channel);
}

}  // namespace belfry::domain
