#include "storage/tables/channels.hpp"

#include "storage/tables/channel_row.hpp"

namespace belfry::storage {

using domain::Channel;
using domain::ChannelId;
using domain::ChannelListItem;

namespace {

std::vector<Channel> read_channels(const pqxx::result& result) {
  std::vector<Channel> channels;
  channels.reserve(result.size());
  for (const auto& line : result) {
    RowReader row(line);
    channels.push_back(read_channel(row));
  }
  return channels;
}

std::string bound_time(const std::optional<domain::PageCursor>& before) {
  return before ? to_sql(before->at) : kNoTimeBound;
}

std::int64_t bound_id(const std::optional<domain::PageCursor>& before) {
  return before ? before->id.value : kNoIdBound;
}

}  // namespace

std::optional<Channel> PgChannels::find(ChannelId id) {
  static constexpr Statement kFind{"channels_find",
                                   "SELECT " CHANNEL_COLUMNS " FROM channels c WHERE c.id = $1::bigint"};
  auto found = read_channels(session_.run(kFind, to_sql(id)));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<Channel> PgChannels::find_all(std::span<const ChannelId> ids) {
  static constexpr Statement kFindAll{
      "channels_find_all", "SELECT " CHANNEL_COLUMNS " FROM channels c WHERE c.id = ANY ($1::bigint[]) ORDER BY c.id"};
  if (ids.empty()) return {};
  return read_channels(session_.run(kFindAll, to_sql_array(ids)));
}

ChannelId PgChannels::insert(const Channel& channel) {
  static constexpr Statement kInsert{"channels_insert", R"(
    WITH made AS (
      INSERT INTO channels (public_id, kind, access_policy, status, visibility, title, description, entitlement_key,
                            created_by, created_at, updated_at)
      VALUES ($1::uuid, $2::smallint, $3::smallint, $4::smallint, $5::smallint, $6::text, $7::text, $8::text,
              $9::uuid, $10::timestamptz, $11::timestamptz)
      RETURNING id),
    room AS (INSERT INTO room_log (kind, key) SELECT 1, id FROM made)
    SELECT id FROM made)"};
  const auto result = session_.run(kInsert, to_sql(channel.public_id), to_sql(channel.kind),
                                   to_sql(channel.access_policy), to_sql(channel.status), to_sql(channel.visibility),
                                   to_sql(channel.title), to_sql(channel.description), to_sql(channel.entitlement_key),
                                   to_sql(channel.created_by), to_sql(channel.created_at), to_sql(channel.updated_at));
  const auto line = result.at(0);
  return RowReader(line).next<ChannelId>();
}

void PgChannels::update(const Channel& channel) {
  static constexpr Statement kUpdate{"channels_update", R"(
    UPDATE channels
    SET access_policy = $2::smallint, status = $3::smallint, visibility = $4::smallint, title = $5::text,
        description = $6::text, entitlement_key = $7::text, updated_at = $8::timestamptz
    WHERE id = $1::bigint)"};
  expect_one_row(session_.run(kUpdate, to_sql(channel.id), to_sql(channel.access_policy), to_sql(channel.status),
                              to_sql(channel.visibility), to_sql(channel.title), to_sql(channel.description),
                              to_sql(channel.entitlement_key), to_sql(channel.updated_at)),
                 "channels.update");
}

std::vector<ChannelListItem> PgChannels::list_visible(const domain::ChannelListQuery& query) {
  // Status 0 is a draft, 1 active, 2 archived. A stranger sees an active channel that is gated and theirs by key, or
  // open and public; whoever joined sees it archived, unlisted and (as a locked shell) without the key too. Only the
  // rows of the page are counted, each over at most 1000 index entries.
  static constexpr Statement kListVisible{"channels_list_visible", R"(
    WITH listed AS (
      SELECT c.*, m.id IS NOT NULL AS joined, c.access_policy = 1 AND NOT held.key AS locked
      FROM channels c
      CROSS JOIN LATERAL (SELECT $2::boolean OR coalesce(c.entitlement_key = ANY ($3::text[]), false) AS key) held
      LEFT JOIN memberships m ON m.user_id = $1::uuid AND m.channel_id = c.id AND m.left_at IS NULL
      WHERE c.status <> 0
        AND (m.id IS NOT NULL
             OR (c.status = 1 AND CASE c.access_policy WHEN 1 THEN held.key ELSE c.visibility = 0 END))
        AND (c.created_at, c.id) < ($4::timestamptz, $5::bigint)
      ORDER BY c.created_at DESC, c.id DESC
      LIMIT $6::bigint)
    SELECT )" CHANNEL_COLUMNS R"(, c.joined, c.locked, newest.id, unread.count
    FROM listed c
    LEFT JOIN read_states r ON r.user_id = $1::uuid AND r.channel_id = c.id
    LEFT JOIN LATERAL (
      SELECT p.id FROM posts p
      WHERE $1::uuid IS NOT NULL AND NOT c.locked AND p.channel_id = c.id
      ORDER BY p.id DESC
      LIMIT 1) newest ON true
    CROSS JOIN LATERAL (
      SELECT count(*) FROM (
        SELECT FROM posts p
        WHERE $1::uuid IS NOT NULL AND NOT c.locked
          AND p.channel_id = c.id AND p.deleted_at IS NULL AND p.id > coalesce(r.last_seen_post_id, 0)
        LIMIT 1000) capped) unread
    ORDER BY c.created_at DESC, c.id DESC)"};
  const auto result =
      session_.run(kListVisible, to_sql(query.user), to_sql(query.holds_every_key), to_sql_array(query.held_keys),
                   bound_time(query.before), to_sql(bound_id(query.before)), to_sql(std::int64_t{query.limit} + 1));
  std::vector<ChannelListItem> items;
  items.reserve(result.size());
  for (const auto& line : result) {
    RowReader row(line);
    auto& item = items.emplace_back();
    item.channel = read_channel(row);
    item.joined = row.next<bool>();
    item.locked = row.next<bool>();
    item.last_post_id = row.next<std::optional<domain::PostId>>();
    item.unread_count = row.next<std::int32_t>();
  }
  return items;
}

std::vector<Channel> PgChannels::list_all(const std::optional<domain::PageCursor>& before, std::int32_t limit) {
  static constexpr Statement kListAll{"channels_list_all", "SELECT " CHANNEL_COLUMNS R"(
    FROM channels c
    WHERE (c.created_at, c.id) < ($1::timestamptz, $2::bigint)
    ORDER BY c.created_at DESC, c.id DESC
    LIMIT $3::bigint)"};
  return read_channels(
      session_.run(kListAll, bound_time(before), to_sql(bound_id(before)), to_sql(std::int64_t{limit} + 1)));
}

std::vector<std::string> PgChannels::gated_keys() {
  static constexpr Statement kGatedKeys{"channels_gated_keys", R"(
    SELECT DISTINCT entitlement_key FROM channels WHERE entitlement_key IS NOT NULL AND status <> 0 ORDER BY 1)"};
  std::vector<std::string> keys;
  for (const auto& line : session_.run(kGatedKeys)) keys.push_back(RowReader(line).next<std::string>());
  return keys;
}

}  // namespace belfry::storage
