#include "storage/log.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "belfry/wire/events.hpp"
#include "storage/head_row.hpp"
#include "storage/values.hpp"

// By which the name of a WAL file begins; a standby has none of its own yet.
#define TIMELINE                               \
  "CASE WHEN pg_is_in_recovery() THEN 0 ELSE " \
  "('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint END"

namespace belfry::storage {
namespace {

using domain::EventType;
using domain::Gap;
using domain::RoomHead;
using domain::RoomKey;

constexpr Statement kHeads{"log_heads", R"sql(
  SELECT )sql" HEAD_COLUMNS R"sql(
  FROM unnest($1::smallint[], $2::bigint[]) AS asked (kind, key)
  JOIN room_log r ON r.kind = asked.kind AND r.key = asked.key
)sql"};

// The access log is always asked for, so that the clock comes even when no room exists.
constexpr Statement kHeadsNow{"log_heads_now", R"sql(
  WITH clock AS MATERIALIZED (SELECT epoch_ms(clock_timestamp()) AS now)
  SELECT clock.now, )sql" TIMELINE R"sql(, )sql" HEAD_COLUMNS R"sql(
  FROM (SELECT 0::smallint AS kind, 0::bigint AS key
        UNION
        SELECT kind, key FROM unnest($1::smallint[], $2::bigint[]) AS rooms (kind, key)) AS asked
  JOIN room_log r ON r.kind = asked.kind AND r.key = asked.key
  CROSS JOIN clock
)sql"};

// The head, the record in front of the oldest retained one (of those this reader sees) and the record that `since`
// names. With nothing retained the head itself is in front of what is to come.
constexpr Statement kStart{"log_start", R"sql(
  SELECT )sql" HEAD_COLUMNS R"sql(,
         CASE WHEN oldest.found THEN oldest.before
              WHEN $5::boolean THEN r.last_id ELSE r.last_visible_id END,
         named.found IS NOT NULL
  FROM room_log r
  LEFT JOIN LATERAL (
    SELECT true AS found, CASE WHEN $5::boolean THEN e.prev_id ELSE e.prev_visible_id END AS before
    FROM events e
    WHERE e.room_id = r.id AND e.event_id >= $3::uuid AND ($5::boolean OR e.type < 100)
    ORDER BY e.event_id LIMIT 1) oldest ON true
  LEFT JOIN LATERAL (
    SELECT true AS found FROM events e
    WHERE e.room_id = r.id AND e.event_id = $4::uuid AND e.event_id >= $3::uuid
      AND ($5::boolean OR e.type < 100)) named ON true
  WHERE r.kind = $1::smallint AND r.key = $2::bigint
)sql"};

// The rows are cut by bytes before the payloads leave the database. Whether an entity is deleted is read in the same
// statement, by the entity's own row.
constexpr Statement kPage{"log_page", R"sql(
  SELECT e.event_id, e.seq, e.prev_id, e.prev_visible_id, e.access_seq, e.audience, e.type, e.entity_id, e.schema, e.payload,
         (p.deleted_at IS NOT NULL OR m.deleted_at IS NOT NULL), e.found
  FROM (
    SELECT cut.*, count(*) OVER () AS found,
           sum(octet_length(cut.payload)) OVER (ORDER BY cut.event_id ROWS UNBOUNDED PRECEDING) AS running
    FROM (
      SELECT event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, schema, payload::text AS payload
      FROM events
      WHERE room_id = $1::bigint AND event_id >= $2::uuid AND event_id > $3::uuid AND seq <= $4::bigint
        AND ($5::boolean OR type < 100)
      ORDER BY event_id LIMIT $6::integer) cut) e
  LEFT JOIN posts p ON e.type BETWEEN 1 AND 10 AND p.id = e.entity_id
  LEFT JOIN messages m ON e.type BETWEEN 11 AND 20 AND m.id = e.entity_id
  WHERE e.running <= $7::bigint OR e.running = octet_length(e.payload)
  ORDER BY e.event_id
)sql"};

// `xid >= from` is exact: a transaction that the snapshot giving `from` (its xmin) did not see has at least that
// number. The name of a WAL file begins with the timeline.
constexpr Statement kJournal{"log_journal", R"sql(
  SELECT pg_snapshot_xmin(pg_current_snapshot())::text,
         )sql" TIMELINE R"sql(,
         grown.kind, grown.key, grown.seq
  FROM (VALUES (1)) AS always
  LEFT JOIN (
    SELECT r.kind, r.key, max(written.seq) AS seq
    FROM commit_journal j
    CROSS JOIN LATERAL unnest(j.room_ids, j.seqs) AS written (room_id, seq)
    JOIN room_log r ON r.id = written.room_id
    WHERE j.xid >= $1::xid8 AND $1::xid8 <> '0'::xid8
    GROUP BY r.kind, r.key) grown ON true
)sql"};

/// Event types whose payload carries the entity's content.
bool carries_content(EventType type) {
  switch (type) {
    case EventType::kPostCreated:
    case EventType::kPostUpdated:
    case EventType::kMessageCreated:
    case EventType::kMessageUpdated:
    case EventType::kMessageRestored:
      return true;
    default:
      return false;
  }
}

std::shared_ptr<domain::Event> read_event(RowReader& row, const RoomKey& room) {
  auto event = std::make_shared<domain::Event>();
  event->room = room;
  event->id = row.next<core::EventId>();
  event->seq = row.next<std::int64_t>();
  event->prev_id = row.next<std::optional<core::EventId>>();
  event->prev_visible_id = row.next<std::optional<core::EventId>>();
  event->access_seq = row.next<std::int64_t>();
  event->audience = row.next<domain::Audience>();
  event->type = row.next<EventType>();
  event->entity_id = row.next<std::int64_t>();
  const auto schema = row.next<std::int16_t>();
  event->payload = wire::decode_payload(event->type, schema, row.next<std::string>());
  if (row.next<bool>() && carries_content(event->type)) {
    wire::mask_payload(event->type, event->payload);
    event->masked = true;
  }
  return event;
}

/// `before` is the id in front of the oldest retained record: nothing is missing after it. Below it something was cut;
/// above it every record is still there, so an id that names none was never this room's.
Gap classify_gap(const core::EventId& since, const std::optional<core::EventId>& before, bool named) {
  if (named || since == before) return Gap::kNone;
  return before && since < *before ? Gap::kExpired : Gap::kUnknownEvent;
}

}  // namespace

std::optional<RoomHead> PgLog::head(const RoomKey& room) {
  auto found = heads(std::span(&room, 1));
  if (found.empty()) return std::nullopt;
  return found.front();
}

std::vector<RoomHead> PgLog::heads(std::span<const RoomKey> rooms) {
  const auto rows = session_.run(kHeads, to_sql_array(rooms, [](const RoomKey& room) { return room.kind; }),
                                 to_sql_array(rooms, [](const RoomKey& room) { return room.key; }));
  std::vector<RoomHead> heads;
  heads.reserve(rows.size());
  for (const auto& row : rows) {
    RowReader reader(row);
    heads.push_back(read_head(reader));
  }
  return heads;
}

domain::HeadsNow PgLog::heads_now(std::span<const RoomKey> rooms) {
  const auto rows = session_.run(kHeadsNow, to_sql_array(rooms, [](const RoomKey& room) { return room.kind; }),
                                 to_sql_array(rooms, [](const RoomKey& room) { return room.key; }));
  domain::HeadsNow heads;
  heads.rooms.reserve(rows.size());
  bool followed = false;
  for (const auto& row : rows) {
    RowReader reader(row);
    heads.now = reader.next<core::TimePoint>();
    heads.timeline = reader.next<domain::Timeline>();
    auto head = read_head(reader);
    if (head.room == domain::kAccessLog) {
      heads.access_seq = head.last_seq;
      followed = true;
    } else {
      heads.rooms.push_back(std::move(head));
    }
  }
  if (!followed) throw std::runtime_error("storage: the access log's row is missing");
  return heads;
}

domain::LogPage PgLog::page(const domain::LogPageQuery& query) {
  const auto floor = core::Uuid::v7_floor(now_() - retention_);
  std::optional<core::Uuid> since;
  if (query.since) since = query.since->value;
  const auto rows = session_.run(kStart, to_sql(query.room.kind), to_sql(query.room.key), to_sql(floor), to_sql(since),
                                 to_sql(query.control_records));
  domain::LogPage page;
  page.head.room = query.room;
  if (rows.empty()) {
    if (query.since) page.gap = Gap::kUnknownEvent;
    return page;
  }
  const auto row = rows.front();
  RowReader reader(row);
  page.head = read_head(reader);
  const auto before = reader.next<std::optional<core::EventId>>();
  const bool named = reader.next<bool>();
  if (query.since) page.gap = classify_gap(*query.since, before, named);
  if (page.gap == Gap::kNone) read_events(query, floor, page);
  return page;
}

void PgLog::read_events(const domain::LogPageQuery& query, const core::Uuid& floor, domain::LogPage& page) {
  const auto limit = static_cast<std::size_t>(std::max(query.limit, 1));
  const auto rows = session_.run(
      kPage, to_sql(page.head.room_id), to_sql(floor), to_sql(query.since ? query.since->value : core::Uuid{}),
      to_sql(query.up_to.value_or(std::numeric_limits<std::int64_t>::max())), to_sql(query.control_records),
      to_sql(limit + 1), to_sql(std::min<std::uint64_t>(query.max_bytes, std::numeric_limits<std::int64_t>::max())));
  std::size_t found = 0;
  page.events.reserve(rows.size());
  for (const auto& row : rows) {
    RowReader reader(row);
    auto event = read_event(reader, query.room);
    found = reader.next<std::size_t>();
    if (page.events.size() < limit) page.events.push_back(std::move(event));
  }
  page.has_more = found > page.events.size();
}

domain::JournalPage PgLog::journal_since(std::uint64_t from_xid) {
  domain::JournalPage page;
  for (const auto& row : session_.run(kJournal, to_sql(from_xid))) {
    RowReader reader(row);
    page.next_xid = reader.next<std::uint64_t>();
    page.timeline = reader.next<domain::Timeline>();
    const auto kind = reader.next<std::optional<std::int16_t>>();
    if (!kind) continue;
    const auto key = reader.next<std::int64_t>();
    page.heads.emplace_back(RoomKey{static_cast<domain::RoomKind>(*kind), key}, reader.next<std::int64_t>());
  }
  return page;
}

}  // namespace belfry::storage
