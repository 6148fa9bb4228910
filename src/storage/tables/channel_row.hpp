#pragma once

#include "belfry/domain/entities.hpp"
#include "storage/values.hpp"

/// In the order of `read_channel`, of a table `c`.
#define CHANNEL_COLUMNS                                                                          \
  "c.id, c.public_id, c.kind, c.access_policy, c.status, c.visibility, c.title, c.description, " \
  "c.entitlement_key, c.created_by, epoch_ms(c.created_at), epoch_ms(c.updated_at)"

namespace belfry::storage {

inline constexpr int kChannelColumns = 12;

inline domain::Channel read_channel(RowReader& row) {
  domain::Channel channel;
  channel.id = row.next<domain::ChannelId>();
  channel.public_id = row.next<core::Uuid>();
  channel.kind = row.next<domain::ChannelKind>();
  channel.access_policy = row.next<domain::AccessPolicy>();
  channel.status = row.next<domain::ChannelStatus>();
  channel.visibility = row.next<domain::Visibility>();
  channel.title = row.next<std::string>();
  channel.description = row.next<std::optional<std::string>>();
  channel.entitlement_key = row.next<std::optional<std::string>>();
  channel.created_by = row.next<domain::UserId>();
  channel.created_at = row.next<domain::TimePoint>();
  channel.updated_at = row.next<domain::TimePoint>();
  return channel;
}

}  // namespace belfry::storage
