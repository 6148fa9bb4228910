#pragma once

#include "belfry/domain/page.hpp"
#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

using core::Result;

/// A channel for one caller: `locked` means that only the shell may be shown.
struct ChannelView {
  Channel channel;
  bool joined = false;
  bool locked = false;
};

struct CreateChannel {
  ChannelKind kind = ChannelKind::kBroadcast;
  AccessPolicy access_policy = AccessPolicy::kOpen;
  ChannelStatus status = ChannelStatus::kDraft;
  Visibility visibility = Visibility::kPublic;
  std::string title;
  std::optional<std::string> description;
  std::optional<std::string> entitlement_key;
  std::optional<IdempotencyKey> idempotency;
};

/// PATCH: an outer absence keeps the value, an inner one clears it.
struct UpdateChannel {
  ChannelId id;
  std::optional<ChannelKind> kind;  ///< differing from the stored one is kConflict INVALID_TRANSITION
  std::optional<AccessPolicy> access_policy;
  std::optional<ChannelStatus> status;
  std::optional<Visibility> visibility;
  std::optional<std::string> title;
  std::optional<std::optional<std::string>> description;
  std::optional<std::optional<std::string>> entitlement_key;
};

Result<Page<ChannelListItem>> list_channels(UnitOfWork& work, const Actor& actor,
                                            const std::optional<PageCursor>& before, std::int32_t limit);
/// kNotFound for drafts; refused as posts are, except that a joined locked channel gives its shell.
Result<ChannelView> view_channel(UnitOfWork& work, const Actor& actor, ChannelId id);
/// The channel if `actor` may read it at this snapshot: the check in front of every read below a channel.
Result<Channel> readable_channel(UnitOfWork& work, const Actor& actor, ChannelId id);

/// Write job. A repeated idempotency key gives the first answer; `UPDATE`s that change nothing leave `updated_at`.
Result<Channel> create_channel(UnitOfWork& work, const Actor& admin, const CreateChannel& command);
/// Write job. A change of status, policy or key appends a control record to both rooms of the channel.
Result<Channel> update_channel(UnitOfWork& work, const Actor& admin, const UpdateChannel& command);
Result<Page<Channel>> list_all_channels(UnitOfWork& work, const std::optional<PageCursor>& before, std::int32_t limit);
Result<Channel> find_channel(UnitOfWork& work, ChannelId id);

}  // namespace belfry::domain
