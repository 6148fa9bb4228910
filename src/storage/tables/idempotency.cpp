#include "storage/tables/idempotency.hpp"

#include "belfry/core/mac.hpp"
#include "belfry/wire/events.hpp"
#include "storage/values.hpp"

namespace belfry::storage {

using domain::IdempotencyKey;
using domain::IdempotencyRecord;
using domain::IdempotentAnswer;
using domain::KeyedAnswer;

namespace {

/// What the entity's own row says at this snapshot: a deleted one shows no content, also in an answer given before.
void mask(IdempotentAnswer& answer, domain::TimePoint deleted_at) {
  if (auto* post = std::get_if<domain::Post>(&answer)) {
    post->deleted_at = deleted_at;
    post->mask();
  } else if (auto* message = std::get_if<domain::Message>(&answer)) {
    message->deleted_at = deleted_at;
    message->mask();
  }
}

std::int64_t entity_id(const IdempotentAnswer& answer) {
  return std::visit([](const auto& entity) { return entity.id.value; }, answer);
}

}  // namespace

std::vector<std::optional<IdempotencyRecord>> PgIdempotency::find(std::span<const IdempotencyKey> keys) {
  static constexpr Statement kFind{"idempotency_find", R"(
    SELECT q.place, encode(k.hash, 'hex'), k.answer, epoch_ms(coalesce(p.deleted_at, m.deleted_at))
    FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS q (caller, path, key, place)
    JOIN idempotency_keys k ON k.caller = q.caller AND k.path = q.path AND k.key = q.key
    LEFT JOIN posts p ON k.answer_kind = 1 AND p.id = k.entity_id
    LEFT JOIN messages m ON k.answer_kind = 2 AND m.id = k.entity_id
    WHERE k.created_at > clock_timestamp() - interval '24 hours')"};
  std::vector<std::optional<IdempotencyRecord>> records(keys.size());
  if (keys.empty()) return records;
  const auto result =
      session_.run(kFind, to_sql_array(keys, [](const IdempotencyKey& key) { return key.caller; }),
                   to_sql_array(keys, [](const IdempotencyKey& key) -> const std::string& { return key.path; }),
                   to_sql_array(keys, [](const IdempotencyKey& key) -> const std::string& { return key.key; }));
  for (const auto& line : result) {
    RowReader row(line);
    auto& record = records.at(row.next<std::size_t>() - 1).emplace();
    record.hash = from_hex(row.next<std::string>());
    record.answer = wire::decode_answer(row.next<std::string>());
    if (const auto deleted_at = row.next<std::optional<domain::TimePoint>>()) mask(record.answer, *deleted_at);
  }
  return records;
}

bool PgIdempotency::store(std::span<const KeyedAnswer> answers) {
  // A transaction that holds a key is waited for by the unique index, in the order of the keys so that two never wait
  // for each other. A row past its day is written over.
  static constexpr Statement kStore{"idempotency_store", R"(
    INSERT INTO idempotency_keys AS k (caller, path, key, hash, answer_kind, entity_id, answer)
    SELECT a.caller, a.path, a.key, decode(a.hash, 'hex'), a.answer_kind, a.entity_id, a.answer
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::bigint[], $7::text[])
      AS a (caller, path, key, hash, answer_kind, entity_id, answer)
    ORDER BY a.caller, a.path, a.key
    ON CONFLICT (caller, path, key) DO UPDATE
    SET hash = excluded.hash, answer_kind = excluded.answer_kind, entity_id = excluded.entity_id,
        answer = excluded.answer, created_at = excluded.created_at
    WHERE k.created_at <= clock_timestamp() - interval '24 hours')"};
  if (answers.empty()) return true;
  const auto result =
      session_.run(kStore, to_sql_array(answers, [](const KeyedAnswer& kept) { return kept.key.caller; }),
                   to_sql_array(answers, [](const KeyedAnswer& kept) -> const std::string& { return kept.key.path; }),
                   to_sql_array(answers, [](const KeyedAnswer& kept) -> const std::string& { return kept.key.key; }),
                   to_sql_array(answers, [](const KeyedAnswer& kept) { return core::to_hex(kept.key.hash); }),
                   to_sql_array(answers, [](const KeyedAnswer& kept) { return kept.answer.index(); }),
                   to_sql_array(answers, [](const KeyedAnswer& kept) { return entity_id(kept.answer); }),
                   to_sql_array(answers, [](const KeyedAnswer& kept) { return wire::encode_answer(kept.answer); }));
  return result.affected_rows() == answers.size();
}

}  // namespace belfry::storage
