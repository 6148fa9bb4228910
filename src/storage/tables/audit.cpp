#include "storage/tables/audit.hpp"

#include "storage/values.hpp"

namespace belfry::storage {

using domain::AuditEntry;

void PgAudit::append(const AuditEntry& entry) { entries_.push_back(entry); }

void PgAudit::flush() {
  // The inner ORDER BY is below the drawing of ids.
  static constexpr Statement kAppend{"audit_append", R"(
    INSERT INTO audit_log (admin_id, action, entity_type, entity_id, details)
    SELECT e.admin_id, e.action, e.entity_type, e.entity_id, e.details::jsonb
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
      AS e (admin_id, action, entity_type, entity_id, details, place)
    ORDER BY e.place)"};
  if (entries_.empty()) return;
  session_.run(
      kAppend, to_sql_array(entries_, [](const AuditEntry& entry) { return entry.admin_id; }),
      to_sql_array(entries_, [](const AuditEntry& entry) -> const std::string& { return entry.action; }),
      to_sql_array(entries_, [](const AuditEntry& entry) -> const std::string& { return entry.entity_type; }),
      to_sql_array(entries_, [](const AuditEntry& entry) -> const std::string& { return entry.entity_id; }),
      to_sql_array(entries_, [](const AuditEntry& entry) -> const std::string& { return entry.details_json; }));
  entries_.clear();
}

std::vector<AuditEntry> PgAudit::page(const domain::AuditQuery& query) {
  static constexpr Statement kPage{"audit_page", R"(
    SELECT id, epoch_ms(at), admin_id, action, entity_type, entity_id, details
    FROM audit_log
    WHERE id < $1::bigint
      AND ($2::uuid IS NULL OR admin_id = $2::uuid)
      AND ($3::text IS NULL OR action = $3::text)
      AND ($4::text IS NULL OR entity_type = $4::text)
      AND ($5::text IS NULL OR entity_id = $5::text)
    ORDER BY id DESC
    LIMIT $6::bigint)"};
  const auto result =
      session_.run(kPage, to_sql(query.before.value_or(kNoIdBound)), to_sql(query.admin_id), to_sql(query.action),
                   to_sql(query.entity_type), to_sql(query.entity_id), to_sql(std::int64_t{query.limit} + 1));
  std::vector<AuditEntry> entries;
  entries.reserve(result.size());
  for (const auto& line : result) {
    RowReader row(line);
    auto& entry = entries.emplace_back();
    entry.id = row.next<std::int64_t>();
    entry.at = row.next<domain::TimePoint>();
    entry.admin_id = row.next<domain::UserId>();
    entry.action = row.next<std::string>();
    entry.entity_type = row.next<std::string>();
    entry.entity_id = row.next<std::string>();
    entry.details_json = row.next<std::string>();
  }
  return entries;
}

}  // namespace belfry::storage
