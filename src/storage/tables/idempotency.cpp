#include "storage/tables/idempotency.hpp"

#include "belfry/wire/events.hpp"
#include "storage/values.hpp"

namespace belfry::storage {

using domain::IdempotencyKey;
using domain::IdempotencyRecord;
using domain::IdempotentAnswer;

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

std::optional<IdempotencyRecord> PgIdempotency::find(const IdempotencyKey& key) {
  static constexpr Statement kFind{"idempotency_find", R"(
    SELECT encode(k.hash, 'hex'), k.answer, epoch_ms(coalesce(p.deleted_at, m.deleted_at))
    FROM idempotency_keys k
    LEFT JOIN posts p ON k.answer_kind = 1 AND p.id = k.entity_id
    LEFT JOIN messages m ON k.answer_kind = 2 AND m.id = k.entity_id
    WHERE k.caller = $1::uuid AND k.path = $2::text AND k.key = $3::text
      AND k.created_at > clock_timestamp() - interval '24 hours')"};
  const auto result = session_.run(kFind, to_sql(key.caller), to_sql(key.path), to_sql(key.key));
  if (result.empty()) return std::nullopt;
  const auto line = result.front();
  RowReader row(line);
  IdempotencyRecord record;
  record.hash = from_hex(row.next<std::string>());
  record.answer = wire::decode_answer(row.next<std::string>());
  if (const auto deleted_at = row.next<std::optional<domain::TimePoint>>()) mask(record.answer, *deleted_at);
  return record;
}

bool PgIdempotency::store(const IdempotencyKey& key, const IdempotentAnswer& answer) {
  // A transaction that holds the key is waited for by the unique index. A row past its day is written over.
  static constexpr Statement kStore{"idempotency_store", R"(
    INSERT INTO idempotency_keys AS k (caller, path, key, hash, answer_kind, entity_id, answer)
    VALUES ($1::uuid, $2::text, $3::text, decode($4::text, 'hex'), $5::smallint, $6::bigint, $7::text)
    ON CONFLICT (caller, path, key) DO UPDATE
    SET hash = excluded.hash, answer_kind = excluded.answer_kind, entity_id = excluded.entity_id,
        answer = excluded.answer, created_at = excluded.created_at
    WHERE k.created_at <= clock_timestamp() - interval '24 hours')"};
  return session_
             .run(kStore, to_sql(key.caller), to_sql(key.path), to_sql(key.key), to_hex(key.hash),
                  to_sql(answer.index()), to_sql(entity_id(answer)), wire::encode_answer(answer))
             .affected_rows() == 1;
}

}  // namespace belfry::storage
