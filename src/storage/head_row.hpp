#pragma once

#include "belfry/domain/rooms.hpp"
#include "storage/values.hpp"

/// In the order of `read_head`, of a table `r`.
#define HEAD_COLUMNS "r.kind, r.key, r.id, r.last_seq, r.last_id, r.last_visible_id, r.access_version"

namespace belfry::storage {

inline domain::RoomHead read_head(RowReader& row) {
  domain::RoomHead head;
  head.room.kind = row.next<domain::RoomKind>();
  head.room.key = row.next<std::int64_t>();
  head.room_id = row.next<std::int64_t>();
  head.last_seq = row.next<std::int64_t>();
  head.last_id = row.next<std::optional<core::EventId>>();
  head.last_visible_id = row.next<std::optional<core::EventId>>();
  head.access_version = row.next<std::int64_t>();
  return head;
}

}  // namespace belfry::storage
