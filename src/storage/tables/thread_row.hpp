#pragma once

#include "belfry/domain/entities.hpp"
#include "storage/values.hpp"

/// In the order of `read_discussion`, of a table `t`.
#define THREAD_COLUMNS                                                                        \
  "t.id, t.public_id, t.channel_id, t.title, t.is_enabled, t.required_feature_key, "          \
  "t.slow_mode_enabled, t.slow_mode_interval_seconds, t.created_by, epoch_ms(t.created_at), " \
  "epoch_ms(t.updated_at)"

namespace belfry::storage {

inline domain::Discussion read_discussion(RowReader& row) {
  domain::Discussion discussion;
  discussion.id = row.next<domain::ThreadId>();
  discussion.public_id = row.next<core::Uuid>();
  discussion.channel_id = row.next<domain::ChannelId>();
  discussion.title = row.next<std::string>();
  discussion.is_enabled = row.next<bool>();
  discussion.required_feature_key = row.next<std::optional<std::string>>();
  discussion.slow_mode_enabled = row.next<bool>();
  discussion.slow_mode_interval_seconds = row.next<std::optional<std::int32_t>>();
  discussion.created_by = row.next<domain::UserId>();
  discussion.created_at = row.next<domain::TimePoint>();
  discussion.updated_at = row.next<domain::TimePoint>();
  return discussion;
}

}  // namespace belfry::storage
