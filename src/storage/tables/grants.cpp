#include "storage/tables/grants.hpp"

#include <map>
#include <set>
#include <stdexcept>

#include "storage/values.hpp"

namespace belfry::storage {

using domain::Grant;
using domain::GrantKind;
using domain::GrantQuestion;
using domain::TimePoint;
using domain::UserId;

namespace {

bool in_force(const Grant& grant, TimePoint now) {
  return (!grant.valid_from || *grant.valid_from <= now) && (!grant.valid_until || *grant.valid_until > now);
}

/// Answers of a provider, by question. Throws GrantsUnknown with all that is missing, so that one round trip is enough.
std::vector<std::optional<Grant>> from_answers(const domain::GrantProvider::Answers& answers,
                                               std::span<const GrantQuestion> questions, TimePoint now) {
  std::map<GrantQuestion, const std::optional<Grant>*> known;
  for (const auto& [question, grant] : answers) known[question] = &grant;
  std::set<GrantQuestion> missing;
  std::vector<std::optional<Grant>> grants;
  grants.reserve(questions.size());
  for (const auto& question : questions) {
    const auto found = known.find(question);
    if (found == known.end()) {
      missing.insert(question);
      continue;
    }
    const auto& grant = *found->second;
    grants.push_back(grant && in_force(*grant, now) ? grant : std::nullopt);
  }
  if (!missing.empty()) throw domain::GrantsUnknown{{missing.begin(), missing.end()}};
  return grants;
}

void require_internal(bool internal) {
  if (!internal) throw std::logic_error("storage: grants of an external provider cannot be written");
}

}  // namespace

std::vector<std::optional<Grant>> PgGrants::current(std::span<const GrantQuestion> questions, TimePoint now) {
  static constexpr Statement kCurrent{"grants_current", R"(
    SELECT g.kind, g.key, epoch_ms(g.valid_from), epoch_ms(g.valid_until)
    FROM unnest($1::uuid[], $2::smallint[], $3::text[]) WITH ORDINALITY AS q (user_id, kind, key, place)
    LEFT JOIN grants g
      ON g.user_id = q.user_id AND g.kind = q.kind AND g.key = q.key AND g.revoked_at IS NULL
     AND g.valid_from <= $4::timestamptz AND (g.valid_until IS NULL OR g.valid_until > $4::timestamptz)
    ORDER BY q.place)"};
  if (questions.empty()) return {};
  if (external_ != nullptr) return from_answers(*external_, questions, now);
  const auto result = session_.run(kCurrent, to_sql_array(questions, [](const GrantQuestion& q) { return q.user; }),
                                   to_sql_array(questions, [](const GrantQuestion& q) { return q.kind; }),
                                   to_sql_array(questions, [](const GrantQuestion& q) { return q.key; }), to_sql(now));
  std::vector<std::optional<Grant>> grants;
  grants.reserve(result.size());
  for (const auto& line : result) {
    RowReader row(line);
    const auto kind = row.next<std::optional<GrantKind>>();
    auto key = row.next<std::optional<std::string>>();
    const auto valid_from = row.next<std::optional<TimePoint>>();
    const auto valid_until = row.next<std::optional<TimePoint>>();
    grants.push_back(kind ? std::optional{Grant{*kind, std::move(*key), valid_from, valid_until}} : std::nullopt);
  }
  return grants;
}

std::vector<std::string> PgGrants::held_keys(UserId user, std::span<const std::string> keys, TimePoint now) {
  static constexpr Statement kHeld{"grants_held_keys", R"(
    SELECT key FROM grants
    WHERE user_id = $1::uuid AND kind = 0 AND revoked_at IS NULL
      AND valid_from <= $2::timestamptz AND (valid_until IS NULL OR valid_until > $2::timestamptz)
    ORDER BY key)"};
  std::vector<std::string> held;
  if (external_ != nullptr) {
    std::vector<GrantQuestion> questions;
    questions.reserve(keys.size());
    for (const auto& key : keys) questions.push_back({user, GrantKind::kEntitlement, key});
    const auto grants = from_answers(*external_, questions, now);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (grants[i]) held.push_back(keys[i]);
    }
    return held;
  }
  for (const auto& line : session_.run(kHeld, to_sql(user), to_sql(now))) {
    held.push_back(RowReader(line).next<std::string>());
  }
  return held;
}

bool PgGrants::set(UserId user, const Grant& grant, std::int64_t access_seq, TimePoint now) {
  // Three statements under the lock of the access log. Without a beginning the grant begins now, and one that has begun
  // and ends at the same time already says so.
  static constexpr Statement kSame{"grants_same", R"(
    SELECT FROM grants
    WHERE user_id = $1::uuid AND kind = $2::smallint AND key = $3::text AND revoked_at IS NULL
      AND valid_until IS NOT DISTINCT FROM $5::timestamptz
      AND CASE WHEN $4::timestamptz IS NULL THEN valid_from <= $6::timestamptz ELSE valid_from = $4::timestamptz END)"};
  static constexpr Statement kEnd{"grants_end", R"(
    UPDATE grants SET revoked_at = $4::timestamptz, until_seq = $5::bigint
    WHERE user_id = $1::uuid AND kind = $2::smallint AND key = $3::text AND revoked_at IS NULL)"};
  static constexpr Statement kOpen{"grants_open", R"(
    INSERT INTO grants (user_id, kind, key, valid_from, valid_until, from_seq)
    VALUES ($1::uuid, $2::smallint, $3::text, $4::timestamptz, $5::timestamptz, $6::bigint))"};
  require_internal(internal());
  const auto same = session_.run(kSame, to_sql(user), to_sql(grant.kind), to_sql(grant.key), to_sql(grant.valid_from),
                                 to_sql(grant.valid_until), to_sql(now));
  if (!same.empty()) return false;
  session_.run(kEnd, to_sql(user), to_sql(grant.kind), to_sql(grant.key), to_sql(now), to_sql(access_seq));
  session_.run(kOpen, to_sql(user), to_sql(grant.kind), to_sql(grant.key), to_sql(grant.valid_from.value_or(now)),
               to_sql(grant.valid_until), to_sql(access_seq));
  return true;
}

bool PgGrants::revoke(UserId user, GrantKind kind, const std::string& key, std::int64_t access_seq, TimePoint now) {
  // One that ran out by the clock gives nothing any more: revoking it changes nothing.
  static constexpr Statement kRevoke{"grants_revoke", R"(
    UPDATE grants SET revoked_at = $4::timestamptz, until_seq = $5::bigint
    WHERE user_id = $1::uuid AND kind = $2::smallint AND key = $3::text AND revoked_at IS NULL
      AND (valid_until IS NULL OR valid_until > $4::timestamptz))"};
  require_internal(internal());
  return session_.run(kRevoke, to_sql(user), to_sql(kind), to_sql(key), to_sql(now), to_sql(access_seq))
             .affected_rows() > 0;
}

std::vector<Grant> PgGrants::list(UserId user, TimePoint now) {
  static constexpr Statement kList{"grants_list", R"(
    SELECT kind, key, epoch_ms(valid_from), epoch_ms(valid_until)
    FROM grants
    WHERE user_id = $1::uuid AND revoked_at IS NULL AND (valid_until IS NULL OR valid_until > $2::timestamptz)
    ORDER BY kind, key)"};
  std::vector<Grant> grants;
  if (external_ != nullptr) {
    for (const auto& [question, grant] : *external_) {
      if (question.user == user && grant && in_force(*grant, now)) grants.push_back(*grant);
    }
    return grants;
  }
  for (const auto& line : session_.run(kList, to_sql(user), to_sql(now))) {
    RowReader row(line);
    auto& grant = grants.emplace_back();
    grant.kind = row.next<GrantKind>();
    grant.key = row.next<std::string>();
    grant.valid_from = row.next<std::optional<TimePoint>>();
    grant.valid_until = row.next<std::optional<TimePoint>>();
  }
  return grants;
}

}  // namespace belfry::storage
