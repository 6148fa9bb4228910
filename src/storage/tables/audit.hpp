#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The audit_log table. What is appended is kept until `flush`, which writes it all by one statement.
class PgAudit final : public domain::AuditRepository {
 public:
  explicit PgAudit(Session& session) : session_(session) {}

  void append(const domain::AuditEntry& entry) override;
  std::vector<domain::AuditEntry> page(const domain::AuditQuery& query) override;
  void flush();

 private:
  Session& session_;
  std::vector<domain::AuditEntry> entries_;
};

}  // namespace belfry::storage
