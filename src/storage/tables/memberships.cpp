#include "storage/tables/memberships.hpp"

#include "storage/values.hpp"

namespace belfry::storage {

using domain::ChannelId;
using domain::Membership;
using domain::UserId;

namespace {

Membership read_interval(ChannelId channel, RowReader& row) {
  Membership membership;
  membership.channel_id = channel;
  membership.joined_at = row.next<std::optional<domain::TimePoint>>();
  membership.left_at = row.next<std::optional<domain::TimePoint>>();
  membership.joined = membership.joined_at && !membership.left_at;
  return membership;
}

}  // namespace

Membership PgMemberships::current(UserId user, ChannelId channel) {
  static constexpr Statement kCurrent{"memberships_current", R"(
    SELECT epoch_ms(joined_at), epoch_ms(left_at)
    FROM memberships
    WHERE user_id = $1::uuid AND channel_id = $2::bigint
    ORDER BY left_at DESC, id DESC  -- NULL, the open one, comes first
    LIMIT 1)"};
  const auto result = session_.run(kCurrent, to_sql(user), to_sql(channel));
  if (result.empty()) return {.channel_id = channel, .joined_at = {}, .left_at = {}};
  const auto line = result.front();
  RowReader row(line);
  return read_interval(channel, row);
}

std::vector<Membership> PgMemberships::current_all(std::span<const std::pair<UserId, ChannelId>> members) {
  static constexpr Statement kCurrentAll{"memberships_current_all", R"(
    SELECT q.channel_id, epoch_ms(m.joined_at), epoch_ms(m.left_at)
    FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS q (user_id, channel_id, place)
    LEFT JOIN LATERAL (
      SELECT joined_at, left_at FROM memberships
      WHERE user_id = q.user_id AND channel_id = q.channel_id
      ORDER BY left_at DESC, id DESC
      LIMIT 1) m ON true
    ORDER BY q.place)"};
  std::vector<Membership> memberships;
  if (members.empty()) return memberships;
  memberships.reserve(members.size());
  const auto result = session_.run(kCurrentAll, to_sql_array(members, [](const auto& member) { return member.first; }),
                                   to_sql_array(members, [](const auto& member) { return member.second; }));
  for (const auto& line : result) {
    RowReader row(line);
    const auto channel = row.next<ChannelId>();
    memberships.push_back(read_interval(channel, row));
  }
  return memberships;
}

Membership PgMemberships::join(UserId user, ChannelId channel) {
  // A racing join waits on the unique index and gets the other's row through an update that changes nothing: DO NOTHING
  // would return no row, and a row of a later snapshot may be closed again. A join that was there before writes
  // nothing.
  static constexpr Statement kJoin{"memberships_join", R"(
    WITH open AS (
      SELECT joined_at FROM memberships WHERE user_id = $1::uuid AND channel_id = $2::bigint AND left_at IS NULL),
    opened AS (
      INSERT INTO memberships (user_id, channel_id, joined_at, from_seq)
      SELECT $1::uuid, $2::bigint, clock_timestamp(), access.last_seq
      FROM room_log access
      WHERE access.kind = 0 AND access.key = 0 AND NOT EXISTS (SELECT FROM open)
      ON CONFLICT (user_id, channel_id) WHERE left_at IS NULL DO UPDATE SET from_seq = memberships.from_seq
      RETURNING joined_at)
    SELECT epoch_ms(joined_at), NULL FROM open
    UNION ALL
    SELECT epoch_ms(joined_at), NULL FROM opened)"};
  const auto line = session_.run(kJoin, to_sql(user), to_sql(channel)).at(0);
  RowReader row(line);
  return read_interval(channel, row);
}

Membership PgMemberships::leave(UserId user, ChannelId channel) {
  static constexpr Statement kLeave{"memberships_leave", R"(
    UPDATE memberships
    SET left_at = greatest(clock_timestamp(), memberships.joined_at), until_seq = access.last_seq
    FROM room_log access
    WHERE access.kind = 0 AND access.key = 0
      AND memberships.user_id = $1::uuid AND memberships.channel_id = $2::bigint AND memberships.left_at IS NULL
    RETURNING epoch_ms(memberships.joined_at), epoch_ms(memberships.left_at))"};
  for (;;) {
    const auto result = session_.run(kLeave, to_sql(user), to_sql(channel));
    if (!result.empty()) {
      const auto line = result.front();
      RowReader row(line);
      return read_interval(channel, row);
    }
    // Never joined, left before, or left by a racing request. In the last case a join may have committed since: leave
    // that too, so that the answer to a leave is never "joined". Each further round needs one more such join.
    auto state = current(user, channel);
    if (!state.joined) return state;
  }
}

std::vector<Membership> PgMemberships::list(UserId user) {
  static constexpr Statement kList{"memberships_list", R"(
    SELECT channel_id, epoch_ms(joined_at), NULL
    FROM memberships
    WHERE user_id = $1::uuid AND left_at IS NULL
    ORDER BY joined_at DESC, channel_id DESC)"};
  std::vector<Membership> memberships;
  for (const auto& line : session_.run(kList, to_sql(user))) {
    RowReader row(line);
    const auto channel = row.next<ChannelId>();
    memberships.push_back(read_interval(channel, row));
  }
  return memberships;
}

}  // namespace belfry::storage
