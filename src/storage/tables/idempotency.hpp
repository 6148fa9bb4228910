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

  std::vector<std::optional<domain::IdempotencyRecord>> find(std::span<const domain::IdempotencyKey> keys) override;
  bool store(std::span<const domain::KeyedAnswer> answers) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
