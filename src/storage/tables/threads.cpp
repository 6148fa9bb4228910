#include "storage/tables/threads.hpp"

#include "storage/tables/thread_row.hpp"

namespace belfry::storage {

using domain::Discussion;
using domain::ThreadId;

namespace {

constexpr std::size_t kRememberedDiscussions = 100'000;

std::vector<Discussion> read_discussions(const pqxx::result& result) {
  std::vector<Discussion> discussions;
  discussions.reserve(result.size());
  for (const auto& line : result) {
    RowReader row(line);
    discussions.push_back(read_discussion(row));
  }
  return discussions;
}

std::optional<Discussion> first(std::vector<Discussion> found) {
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

}  // namespace

std::optional<Discussion> PgThreads::find(ThreadId id) {
  static constexpr Statement kFind{"threads_find",
                                   "SELECT " THREAD_COLUMNS " FROM threads t WHERE t.id = $1::bigint AND t.kind = 0"};
  return first(read_discussions(session_.run(kFind, to_sql(id))));
}

std::vector<Discussion> PgThreads::find_all(std::span<const ThreadId> ids) {
  static constexpr Statement kFindAll{"threads_find_all",
                                      "SELECT " THREAD_COLUMNS
                                      " FROM threads t WHERE t.id = ANY ($1::bigint[]) AND t.kind = 0 ORDER BY t.id"};
  if (ids.empty()) return {};
  return read_discussions(session_.run(kFindAll, to_sql_array(ids)));
}

std::optional<Discussion> PgThreads::find_by_channel(domain::ChannelId channel) {
  static constexpr Statement kFind{"threads_find_by_channel",
                                   "SELECT " THREAD_COLUMNS
                                   " FROM threads t WHERE t.channel_id = $1::bigint AND t.kind = 0"};
  return first(read_discussions(session_.run(kFind, to_sql(channel))));
}

std::vector<std::pair<domain::ChannelId, ThreadId>> PgThreads::ids_by_channels(
    std::span<const domain::ChannelId> channels) {
  static constexpr Statement kFind{"threads_ids_by_channels",
                                   "SELECT t.channel_id, t.id FROM threads t"
                                   " WHERE t.channel_id = ANY ($1::bigint[]) AND t.kind = 0"};
  auto& known = session_.memory().discussions;
  std::vector<std::pair<domain::ChannelId, ThreadId>> found;
  std::vector<domain::ChannelId> unknown;
  for (const auto channel : channels) {
    if (const auto id = known.find(channel); id != known.end()) {
      found.emplace_back(*id);
    } else {
      unknown.push_back(channel);
    }
  }
  if (unknown.empty()) return found;
  if (known.size() + unknown.size() > kRememberedDiscussions) known.clear();
  for (const auto& line : session_.run(kFind, to_sql_array(unknown))) {
    RowReader row(line);
    const auto channel = row.next<domain::ChannelId>();
    found.emplace_back(channel, row.next<ThreadId>());
    known.insert(found.back());
  }
  return found;
}

ThreadId PgThreads::insert(const Discussion& discussion) {
  static constexpr Statement kInsert{"threads_insert", R"(
    WITH made AS (
      INSERT INTO threads (public_id, kind, channel_id, title, is_enabled, required_feature_key, slow_mode_enabled,
                           slow_mode_interval_seconds, created_by, created_at, updated_at)
      VALUES ($1::uuid, 0, $2::bigint, $3::text, $4::boolean, $5::text, $6::boolean, $7::integer, $8::uuid,
              $9::timestamptz, $10::timestamptz)
      RETURNING id),
    room AS (INSERT INTO room_log (kind, key) SELECT 2, id FROM made)
    SELECT id FROM made)"};
  const auto result =
      session_.run(kInsert, to_sql(discussion.public_id), to_sql(discussion.channel_id), to_sql(discussion.title),
                   to_sql(discussion.is_enabled), to_sql(discussion.required_feature_key),
                   to_sql(discussion.slow_mode_enabled), to_sql(discussion.slow_mode_interval_seconds),
                   to_sql(discussion.created_by), to_sql(discussion.created_at), to_sql(discussion.updated_at));
  const auto line = result.at(0);
  return RowReader(line).next<ThreadId>();
}

void PgThreads::update(const Discussion& discussion) {
  static constexpr Statement kUpdate{"threads_update", R"(
    UPDATE threads
    SET title = $2::text, is_enabled = $3::boolean, required_feature_key = $4::text, slow_mode_enabled = $5::boolean,
        slow_mode_interval_seconds = $6::integer, updated_at = $7::timestamptz
    WHERE id = $1::bigint)"};
  expect_one_row(session_.run(kUpdate, to_sql(discussion.id), to_sql(discussion.title), to_sql(discussion.is_enabled),
                              to_sql(discussion.required_feature_key), to_sql(discussion.slow_mode_enabled),
                              to_sql(discussion.slow_mode_interval_seconds), to_sql(discussion.updated_at)),
                 "threads.update");
}

}  // namespace belfry::storage
