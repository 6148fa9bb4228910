#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The users table. Rows are written when a caller is first seen, outside of jobs.
class PgUsers final : public domain::UserRepository {
 public:
  explicit PgUsers(Session& session) : session_(session) {}

  std::optional<domain::User> find(domain::UserId id) override;
  std::vector<domain::User> find_all(std::span<const domain::UserId> ids) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
