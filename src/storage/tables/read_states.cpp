#include "storage/tables/read_states.hpp"

#include "storage/values.hpp"

namespace belfry::storage {

using domain::ChannelId;
using domain::ReadState;
using domain::UserId;

namespace {

ReadState read_state(ChannelId channel, const pqxx::row& line) {
  RowReader row(line);
  ReadState state;
  state.channel_id = channel;
  state.last_seen_post_id = row.next<domain::PostId>();
  state.last_seen_at = row.next<std::optional<domain::TimePoint>>();
  state.unread_count = row.next<std::int32_t>();
  return state;
}

}  // namespace

ReadState PgReadStates::get(UserId user, ChannelId channel) {
  static constexpr Statement kGet{"read_states_get", R"(
    WITH seen AS (
      SELECT coalesce(max(last_seen_post_id), 0) AS id, max(last_seen_at) AS at
      FROM read_states WHERE user_id = $1::uuid AND channel_id = $2::bigint)
    SELECT seen.id, epoch_ms(seen.at), unread.count
    FROM seen
    CROSS JOIN LATERAL (
      SELECT count(*) FROM (
        SELECT FROM posts p
        WHERE p.channel_id = $2::bigint AND p.deleted_at IS NULL AND p.id > seen.id
        LIMIT 1000) capped) unread)"};
  return read_state(channel, session_.run(kGet, to_sql(user), to_sql(channel)).at(0));
}

ReadState PgReadStates::advance(UserId user, ChannelId channel, domain::PostId seen) {
  // The upsert locks the row and compares with what is then in it, so racing calls end at the greatest. The time moves
  // only with the cursor.
  static constexpr Statement kAdvance{"read_states_advance", R"(
    WITH newest AS (SELECT coalesce(max(p.id), 0) AS id FROM posts p WHERE p.channel_id = $2::bigint),
    moved AS (
      INSERT INTO read_states AS r (user_id, channel_id, last_seen_post_id, last_seen_at)
      SELECT $1::uuid, $2::bigint, least($3::bigint, newest.id), clock_timestamp() FROM newest
      ON CONFLICT (user_id, channel_id) DO UPDATE
      SET last_seen_post_id = greatest(r.last_seen_post_id, excluded.last_seen_post_id),
          last_seen_at = CASE WHEN excluded.last_seen_post_id > r.last_seen_post_id
                              THEN excluded.last_seen_at ELSE r.last_seen_at END
      RETURNING last_seen_post_id AS id, last_seen_at AS at)
    SELECT moved.id, epoch_ms(moved.at), unread.count
    FROM moved
    CROSS JOIN LATERAL (
      SELECT count(*) FROM (
        SELECT FROM posts p
        WHERE p.channel_id = $2::bigint AND p.deleted_at IS NULL AND p.id > moved.id
        LIMIT 1000) capped) unread)"};
  return read_state(channel, session_.run(kAdvance, to_sql(user), to_sql(channel), to_sql(seen)).at(0));
}

}  // namespace belfry::storage
