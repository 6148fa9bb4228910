#include "storage/log_writer.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "belfry/wire/events.hpp"
#include "storage/head_row.hpp"
#include "storage/values.hpp"

namespace belfry::storage {
namespace {

using domain::RoomKey;

// Lock order: rooms by room_log.id, before anything else is locked. The statement locks and reads heads only: a
// decision that was read here could be older than the lock, since a row that had to be waited for is read again but
// others are not.
constexpr Statement kLock{"room_lock", R"sql(
  SELECT )sql" HEAD_COLUMNS R"sql(
  FROM room_log r
  WHERE (r.kind, r.key) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))
  ORDER BY r.id
  FOR NO KEY UPDATE OF r
)sql"};

// The same, and an error where it would wait.
constexpr Statement kLockIfFree{"room_lock_if_free", R"sql(
  SELECT )sql" HEAD_COLUMNS R"sql(
  FROM room_log r
  WHERE (r.kind, r.key) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))
  ORDER BY r.id
  FOR NO KEY UPDATE OF r NOWAIT
)sql"};
constexpr std::string_view kLockNotHad = "55P03";

// With the timeline, by which the name of a WAL file begins: a connection that writes never sees another one.
constexpr Statement kAccessHead{"room_access_head", R"sql(
  SELECT last_seq, (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
         ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint
  FROM room_log WHERE kind = 0 AND key = 0
)sql"};

constexpr Statement kAdopt{"room_adopt", R"sql(
  SELECT id, last_seq FROM room_log WHERE kind = $1::smallint AND key = $2::bigint
)sql"};

// Statements in WITH that change data run to their end whether or not they are read: one round trip for the whole
// flush.
constexpr Statement kFlush{"log_flush", R"sql(
  WITH added AS (
    INSERT INTO events (room_id, event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, embeds,
                        schema, payload)
    SELECT room_id, event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, embeds::bigint[],
           $14::smallint, payload::jsonb
    FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::bigint[], $7::smallint[],
                $8::smallint[], $9::bigint[], $10::text[], $11::text[])
      AS e (room_id, event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, embeds, payload)
  ), heads AS (
    UPDATE room_log r
    SET last_seq = h.last_seq, last_id = h.last_id, last_visible_id = h.last_visible_id, access_version = h.access_version
    FROM unnest($12::bigint[], $13::bigint[], $15::uuid[], $16::uuid[], $17::bigint[])
      AS h (id, last_seq, last_id, last_visible_id, access_version)
    WHERE r.id = h.id
  )
  INSERT INTO commit_journal (room_ids, seqs) VALUES ($12::bigint[], $13::bigint[]) RETURNING xid::text
)sql"};

}  // namespace

core::Result<void> LogWriter::lock(std::span<const RoomKey> rooms) {
  if (!asked_.empty()) throw std::logic_error("storage: a job locks its rooms once");
  const std::set<RoomKey> distinct(rooms.begin(), rooms.end());
  if (distinct.empty()) return {};
  asked_.assign(distinct.begin(), distinct.end());
  for (const auto& row : lock_rows()) {
    RowReader reader(row);
    auto head = read_head(reader);
    heads_.emplace(head.room, std::move(head));
  }
  if (heads_.size() < distinct.size()) {
    session_.memory().discussions.clear();  // a room that was known is gone: by hand, since nothing here deletes one
    return core::fail(core::Error::not_found("Room not found."));
  }
  read_access_head();
  return {};
}

pqxx::result LogWriter::lock_rows() {
  const bool wait = held_rooms_ == nullptr || held_rooms_->may_wait(asked_);
  try {
    auto rows =
        session_.run(wait ? kLock : kLockIfFree, to_sql_array(asked_, [](const RoomKey& room) { return room.kind; }),
                     to_sql_array(asked_, [](const RoomKey& room) { return room.key; }));
    if (held_rooms_ != nullptr) held_rooms_->had(asked_);
    return rows;
  } catch (const pqxx::sql_error& e) {
    if (held_rooms_ != nullptr && e.sqlstate() == kLockNotHad) held_rooms_->not_had(asked_);
    throw;
  }
}

void LogWriter::read_access_head() {
  const auto rows = session_.run(kAccessHead);
  if (rows.empty()) throw std::runtime_error("storage: the access log's row is missing");
  const auto row = rows.front();
  RowReader reader(row);
  access_seq_ = reader.next<std::int64_t>();
  locked_at_ = core::TimePoint(std::chrono::milliseconds(reader.next<std::int64_t>()));
  timeline_ = reader.next<domain::Timeline>();
}

void LogWriter::adopt(const RoomKey& room) {
  if (heads_.contains(room)) return;
  const auto rows = session_.run(kAdopt, to_sql(room.kind), to_sql(room.key));
  if (rows.empty() || rows.front()[1].as<std::int64_t>() != 0) {
    throw std::logic_error("storage: only a room that this transaction made can be adopted");
  }
  domain::RoomHead head;
  head.room = room;
  head.room_id = rows.front()[0].as<std::int64_t>();
  heads_.emplace(room, head);
  if (!locked_at_) read_access_head();
}

domain::RoomHead& LogWriter::held(const RoomKey& room) {
  const auto found = heads_.find(room);
  if (found == heads_.end()) throw std::logic_error("storage: append to a room that is not locked");
  return found->second;
}

std::int64_t LogWriter::next_seq(const RoomKey& room) const {
  const auto found = heads_.find(room);
  if (found == heads_.end()) throw std::logic_error("storage: next_seq of a room that is not locked");
  return found->second.last_seq + 1;
}

core::EventId LogWriter::append(const RoomKey& room, domain::EventDraft draft) {
  auto& head = held(room);
  const auto access = heads_.find(domain::kAccessLog);
  auto event = std::make_shared<domain::Event>();
  event->room = room;
  std::optional<core::Uuid> last;
  if (head.last_id) last = head.last_id->value;
  event->id = core::EventId{core::Uuid::v7_after(last, *locked_at_)};
  event->seq = head.last_seq + 1;
  event->prev_id = head.last_id;
  event->prev_visible_id = head.last_visible_id;
  event->access_seq = access == heads_.end() ? access_seq_ : access->second.last_seq;
  event->audience = draft.audience;
  event->type = draft.type;
  event->entity_id = draft.entity_id;
  event->payload = std::move(draft.payload);
  head.last_seq = event->seq;
  head.last_id = event->id;
  if (event->visible()) {
    head.last_visible_id = event->id;
  } else {
    ++head.access_version;
  }
  const auto id = event->id;
  events_.emplace_back(head.room_id, std::move(event));
  embeds_.push_back(std::move(draft.embeds));
  return id;
}

CommitInDoubt LogWriter::flush() {
  ArrayText room_ids, ids, seqs, prevs, visible_prevs, access, audiences, types, entities, embeds, payloads;
  std::set<RoomKey> grown;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const auto& [room_id, event] = events_[i];
    grown.insert(event->room);
    room_ids.add(to_sql(room_id));
    ids.add(to_sql(event->id));
    seqs.add(to_sql(event->seq));
    prevs.add(to_sql(event->prev_id));
    visible_prevs.add(to_sql(event->prev_visible_id));
    access.add(to_sql(event->access_seq));
    audiences.add(to_sql(event->audience));
    types.add(to_sql(event->type));
    entities.add(to_sql(event->entity_id));
    embeds.add(embeds_[i].empty() ? Param{} : Param{to_sql_array(embeds_[i])});
    payloads.add(wire::encode_payload(event->payload));
  }
  std::vector<const domain::RoomHead*> heads;
  for (const auto& room : grown) heads.push_back(&heads_.at(room));
  try {
    const auto rows = session_.run(kFlush, room_ids.text(), ids.text(), seqs.text(), prevs.text(), visible_prevs.text(),
                                   access.text(), audiences.text(), types.text(), entities.text(), embeds.text(),
                                   payloads.text(), to_sql_array(heads, [](const auto* head) { return head->room_id; }),
                                   to_sql_array(heads, [](const auto* head) { return head->last_seq; }),
                                   to_sql(domain::kPayloadSchema),
                                   to_sql_array(heads, [](const auto* head) { return head->last_id; }),
                                   to_sql_array(heads, [](const auto* head) { return head->last_visible_id; }),
                                   to_sql_array(heads, [](const auto* head) { return head->access_version; }));
    return {rows.front()[0].as<std::string>(), events_.back().first, events_.back().second->id.value};
  } catch (const pqxx::check_violation&) {
    // These tables have no checks of their own: a row found no partition.
    std::set<std::chrono::sys_days> days;
    for (const auto& [room_id, event] : events_)
      days.insert(std::chrono::floor<std::chrono::days>(event->occurred_at()));
    throw PartitionMissing(std::move(days));
  }
}

std::shared_ptr<domain::CommitNotice> LogWriter::notice() const {
  if (events_.empty()) return nullptr;
  auto notice = std::make_shared<domain::CommitNotice>();
  notice->timeline = timeline_;
  std::map<RoomKey, std::size_t> places;
  for (const auto& [room_id, event] : events_) {
    const auto [place, first] = places.emplace(event->room, notice->rooms.size());
    if (first) notice->rooms.push_back({event->room, {}});
    notice->rooms[place->second].events.push_back(event);
  }
  return notice;
}

}  // namespace belfry::storage
