#include "storage/tables/sanctions.hpp"

#include "storage/values.hpp"

#define SANCTION_COLUMNS                                                                    \
  "s.kind, s.thread_id, t.channel_id, s.user_id, s.reason, epoch_ms(s.until), s.admin_id, " \
  "epoch_ms(s.created_at)"

namespace belfry::storage {

using domain::Sanction;
using domain::SanctionKind;
using domain::ThreadId;
using domain::TimePoint;
using domain::UserId;

namespace {

Sanction read_sanction(RowReader& row) {
  Sanction sanction;
  sanction.kind = row.next<SanctionKind>();
  sanction.thread_id = row.next<ThreadId>();
  sanction.channel_id = row.next<domain::ChannelId>();
  sanction.user_id = row.next<UserId>();
  sanction.reason = row.next<std::optional<std::string>>();
  sanction.until = row.next<std::optional<TimePoint>>();
  sanction.admin_id = row.next<UserId>();
  sanction.created_at = row.next<TimePoint>();
  return sanction;
}

std::vector<Sanction> read_sanctions(const pqxx::result& result) {
  std::vector<Sanction> sanctions;
  sanctions.reserve(result.size());
  for (const auto& line : result) {
    RowReader row(line);
    sanctions.push_back(read_sanction(row));
  }
  return sanctions;
}

}  // namespace

std::vector<domain::SanctionAnswer> PgSanctions::current(std::span<const domain::SanctionQuestion> questions,
                                                         TimePoint now) {
  static constexpr Statement kCurrent{"sanctions_current", "SELECT q.place, " SANCTION_COLUMNS R"(
    FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY AS q (thread_id, user_id, place)
    JOIN sanctions s ON s.thread_id = q.thread_id AND s.user_id = q.user_id AND s.lifted_at IS NULL
                    AND (s.until IS NULL OR s.until > $3::timestamptz)
    JOIN threads t ON t.id = s.thread_id)"};
  using Question = domain::SanctionQuestion;
  std::vector<domain::SanctionAnswer> answers(questions.size());
  if (questions.empty()) return answers;
  const auto result = session_.run(kCurrent, to_sql_array(questions, [](const Question& q) { return q.thread_id; }),
                                   to_sql_array(questions, [](const Question& q) { return q.user; }), to_sql(now));
  for (const auto& line : result) {
    RowReader row(line);
    auto& answer = answers.at(row.next<std::size_t>() - 1);
    auto sanction = read_sanction(row);
    auto& place = sanction.kind == SanctionKind::kBan ? answer.ban : answer.mute;
    place = std::move(sanction);
  }
  return answers;
}

void PgSanctions::set(const Sanction& sanction, std::int64_t seq) {
  // Two statements under the lock of the discussion's room: the unique index allows one open interval.
  static constexpr Statement kOpen{"sanctions_open", R"(
    INSERT INTO sanctions (kind, thread_id, user_id, reason, until, admin_id, created_at, from_seq)
    VALUES ($1::smallint, $2::bigint, $3::uuid, $4::text, $5::timestamptz, $6::uuid, $7::timestamptz, $8::bigint))"};
  lift(sanction.kind, sanction.thread_id, sanction.user_id, seq, sanction.created_at);
  session_.run(kOpen, to_sql(sanction.kind), to_sql(sanction.thread_id), to_sql(sanction.user_id),
               to_sql(sanction.reason), to_sql(sanction.until), to_sql(sanction.admin_id), to_sql(sanction.created_at),
               to_sql(seq));
}

void PgSanctions::lift(SanctionKind kind, ThreadId thread, UserId user, std::int64_t seq, TimePoint now) {
  static constexpr Statement kLift{"sanctions_lift", R"(
    UPDATE sanctions SET lifted_at = $4::timestamptz, until_seq = $5::bigint
    WHERE kind = $1::smallint AND thread_id = $2::bigint AND user_id = $3::uuid AND lifted_at IS NULL)"};
  session_.run(kLift, to_sql(kind), to_sql(thread), to_sql(user), to_sql(now), to_sql(seq));
}

std::vector<Sanction> PgSanctions::list(SanctionKind kind, ThreadId thread, TimePoint now, std::int32_t limit) {
  static constexpr Statement kList{"sanctions_list", "SELECT " SANCTION_COLUMNS R"(
    FROM sanctions s JOIN threads t ON t.id = s.thread_id
    WHERE s.kind = $1::smallint AND s.thread_id = $2::bigint AND s.lifted_at IS NULL
      AND (s.until IS NULL OR s.until > $3::timestamptz)
    ORDER BY s.id DESC
    LIMIT $4::bigint)"};
  return read_sanctions(
      session_.run(kList, to_sql(kind), to_sql(thread), to_sql(now), to_sql(std::int64_t{limit} + 1)));
}

std::vector<Sanction> PgSanctions::list_of_user(UserId user, TimePoint now) {
  static constexpr Statement kList{"sanctions_list_of_user", "SELECT " SANCTION_COLUMNS R"(
    FROM sanctions s JOIN threads t ON t.id = s.thread_id
    WHERE s.user_id = $1::uuid AND s.lifted_at IS NULL AND (s.until IS NULL OR s.until > $2::timestamptz)
    ORDER BY s.id DESC)"};
  return read_sanctions(session_.run(kList, to_sql(user), to_sql(now)));
}

}  // namespace belfry::storage
