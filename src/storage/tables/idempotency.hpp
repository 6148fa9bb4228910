#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The idempotency_keys table.
class PgIdempotency final : public domain::IdempotencyRepository {
 public:
  explicit PgIdempotency(Session& session) : session_(session) {}

  std::optional<domain::IdempotencyRecord> find(const domain::IdempotencyKey& key) override;
  bool store(const domain::IdempotencyKey& key, const domain::IdempotentAnswer& answer) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
