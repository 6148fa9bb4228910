#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/database.hpp"
#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// What a user holds by key: our grants table, or the answers of an external provider handed in by value. With the
/// latter a question that was not answered throws `domain::GrantsUnknown` with every missing question of the call, and
/// nothing may be written.
class PgGrants final : public domain::GrantRepository {
 public:
  /// `external` null: our table. Must outlive this object.
  PgGrants(Session& session, const domain::GrantProvider::Answers* external) : session_(session), external_(external) {}

  std::vector<std::optional<domain::Grant>> current(std::span<const domain::GrantQuestion> questions,
                                                    domain::TimePoint now) override;
  std::vector<std::string> held_keys(domain::UserId user, std::span<const std::string> keys,
                                     domain::TimePoint now) override;
  bool internal() const override { return external_ == nullptr; }
  bool set(domain::UserId user, const domain::Grant& grant, std::int64_t access_seq, domain::TimePoint now) override;
  bool revoke(domain::UserId user, domain::GrantKind kind, const std::string& key, std::int64_t access_seq,
              domain::TimePoint now) override;
  /// Those that have not ended at `now`, also when they have not begun; of an external provider what it answered.
  std::vector<domain::Grant> list(domain::UserId user, domain::TimePoint now) override;

 private:
  Session& session_;
  const domain::GrantProvider::Answers* external_;
};

}  // namespace belfry::storage
