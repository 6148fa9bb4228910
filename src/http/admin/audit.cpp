#include "belfry/core/text.hpp"
#include "belfry/domain/subjects.hpp"
#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"
#include "http/query.hpp"

namespace belfry::http::admin {
namespace {

using core::Error;

constexpr std::size_t kMaxFilterCharacters = 128;

Result<std::optional<std::string>> read_filter(std::string_view query, std::string_view name) {
  auto value = query_value(query, name);
  if (value && *value && core::count_characters(**value) > kMaxFilterCharacters) {
    return core::fail(Error::invalid(std::string(name), "must be at most 128 characters"));
  }
  return value;
}

Result<domain::AuditQuery> read_query(std::string_view query) {
  domain::AuditQuery audit;
  const auto limit = query_limit(query);
  if (!limit) return core::fail(limit.error());
  audit.limit = *limit;

  const auto cursor = query_value(query, "cursor");
  if (!cursor) return core::fail(cursor.error());
  if (*cursor) {
    audit.before = core::parse_positive_decimal(**cursor);
    if (!audit.before) return core::fail(Error::invalid("cursor", "is not a cursor of this list"));
  }

  const auto admin_id = query_value(query, "adminId");
  if (!admin_id) return core::fail(admin_id.error());
  if (*admin_id) {
    const auto id = core::Uuid::parse(**admin_id);
    if (!id) return core::fail(Error::invalid("adminId", "must be a UUID"));
    audit.admin_id = core::UserId{*id};
  }

  auto action = read_filter(query, "action");
  if (!action) return core::fail(action.error());
  auto entity_type = read_filter(query, "entityType");
  if (!entity_type) return core::fail(entity_type.error());
  auto entity_id = read_filter(query, "entityId");
  if (!entity_id) return core::fail(entity_id.error());
  audit.action = std::move(*action);
  audit.entity_type = std::move(*entity_type);
  audit.entity_id = std::move(*entity_id);
  return audit;
}

void list_audit(const ExchangePtr& exchange) {
  const auto query = read_query(exchange->request().query);
  if (!query) return exchange->fail(query.error());
  run_job<domain::Page<domain::AuditEntry>>(
      exchange, JobMode::kRead, "audit.list", {"Audit log fetched successfully"},
      [query = *query](UnitOfWork& work) { return domain::list_audit(work, query); },
      [limit = query->limit](const auto& page) { return wire::encode_audit_list(page, limit); });
}

constexpr Endpoint kEndpoints[] = {
    {"GET", "/api/admin/audit-log", Access::kAdmin, list_audit},
};

}  // namespace

std::span<const Endpoint> audit_endpoints() { return kEndpoints; }

}  // namespace belfry::http::admin
