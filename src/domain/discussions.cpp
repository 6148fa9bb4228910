#include "belfry/domain/discussions.hpp"

#include <utility>

#include "belfry/domain/channels.hpp"
#include "domain/refusals.hpp"
#include "domain/standing.hpp"
#include "domain/writes.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;

constexpr std::int32_t kMaxSlowModeSeconds = 21600;

/// The channel and the discussion of one reader, with everything their decision needs.
struct Found {
  OpenDiscussion place;
  Standings standings;
};

/// Channel, its access, discussion: in this order, so that a stranger cannot tell whether there is a discussion.
Result<Found> look_up(UnitOfWork& work, const Actor& actor, ChannelId id) {
  auto channel = work.channels().find(id);
  if (!channel) return fail(channel_not_found());
  auto discussion = work.threads().find_by_channel(id);
  Standings standings;
  standings.want(actor, *channel);
  if (discussion) standings.want(actor, *discussion);
  standings.read(work);
  if (auto decision = standings.decide(actor, *channel); !decision.allowed()) return fail(std::move(*decision.refusal));
  if (!discussion) return fail(discussion_not_found());
  return Found{.place = {.channel = std::move(*channel), .discussion = std::move(*discussion)},
               .standings = std::move(standings)};
}

Result<void> check(const PutDiscussion& command) {
  if (command.slow_mode_interval_seconds && *command.slow_mode_interval_seconds) {
    const auto seconds = **command.slow_mode_interval_seconds;
    if (seconds < 1 || seconds > kMaxSlowModeSeconds) {
      return fail(Error::invalid("slowModeIntervalSeconds", "must be between 1 and 21600"));
    }
  }
  return {};
}

Result<Changes> merge(Discussion& discussion, const PutDiscussion& command) {
  Changes changes;
  changes.merge("title", discussion.title, command.title);
  changes.merge("isEnabled", discussion.is_enabled, command.is_enabled);
  changes.merge("requiredFeatureKey", discussion.required_feature_key, command.required_feature_key);
  changes.merge("slowModeEnabled", discussion.slow_mode_enabled, command.slow_mode_enabled);
  changes.merge("slowModeIntervalSeconds", discussion.slow_mode_interval_seconds, command.slow_mode_interval_seconds);
  if (discussion.slow_mode_enabled && !discussion.slow_mode_interval_seconds) {
    return fail(Error::invalid("slowModeIntervalSeconds", "is required while slow mode is enabled"));
  }
  return changes;
}

Result<Discussion> create(UnitOfWork& work, const Actor& admin, const PutDiscussion& command) {
  // Under the posts room's lock there is one maker at a time, and a change of the channel's policy sees the new room.
  if (auto locked = lock_room(work, posts_room(command.channel_id), channel_not_found()); !locked) {
    return fail(std::move(locked.error()));
  }
  const auto channel = work.channels().find(command.channel_id);
  if (!channel) return fail(channel_not_found());
  if (work.threads().find_by_channel(command.channel_id)) {
    return fail(Error::unavailable("The discussion is being created. Try again."));
  }
  Discussion discussion;
  discussion.public_id = core::Uuid::v7(work.now());
  discussion.channel_id = channel->id;
  discussion.title = channel->title;
  discussion.created_by = admin.id;
  discussion.created_at = discussion.updated_at = work.now();
  if (auto merged = merge(discussion, command); !merged) return fail(std::move(merged.error()));
  discussion.id = work.threads().insert(discussion);
  audit(work, admin, "discussion.create", "discussion", std::to_string(discussion.id.value));
  return discussion;
}

Result<Discussion> update(UnitOfWork& work, const Actor& admin, const PutDiscussion& command, ThreadId id) {
  const RoomKey room = discussion_room(id);
  if (auto locked = lock_room(work, room, discussion_not_found()); !locked) return fail(std::move(locked.error()));
  auto discussion = work.threads().find(id);
  if (!discussion) return fail(discussion_not_found());
  auto changes = merge(*discussion, command);
  if (!changes) return fail(std::move(changes.error()));
  if (changes->empty()) return std::move(*discussion);
  discussion->updated_at = work.now();
  work.threads().update(*discussion);
  if (changes->has("isEnabled") || changes->has("requiredFeatureKey")) {
    append_control(work, room, ControlKind::kPolicy, admin);
  }
  audit(work, admin, "discussion.update", "discussion", std::to_string(id.value), changes->details());
  return std::move(*discussion);
}

}  // namespace

Result<Discussion> view_discussion(UnitOfWork& work, const Actor& actor, ChannelId channel) {
  auto found = look_up(work, actor, channel);
  if (!found) return fail(std::move(found.error()));
  auto decision = found->standings.decide_shell(actor, found->place.channel, found->place.discussion);
  if (!decision.allowed()) return fail(std::move(*decision.refusal));
  return std::move(found->place.discussion);
}

Result<OpenDiscussion> readable_discussion(UnitOfWork& work, const Actor& actor, ChannelId channel) {
  auto found = look_up(work, actor, channel);
  if (!found) return fail(std::move(found.error()));
  auto decision = found->standings.decide(actor, found->place.channel, found->place.discussion);
  if (!decision.allowed()) return fail(std::move(*decision.refusal));
  return std::move(found->place);
}

Result<Discussion> put_discussion(UnitOfWork& work, const Actor& admin, const PutDiscussion& command) {
  if (auto valid = check(command); !valid) return fail(std::move(valid.error()));
  const auto known = work.threads().find_by_channel(command.channel_id);
  return known ? update(work, admin, command, known->id) : create(work, admin, command);
}

Result<Discussion> find_discussion(UnitOfWork& work, ChannelId channel) {
  if (auto found = find_channel(work, channel); !found) return fail(std::move(found.error()));
  auto discussion = work.threads().find_by_channel(channel);
  if (!discussion) return fail(discussion_not_found());
  return std::move(*discussion);
}

}  // namespace belfry::domain
