#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The sanctions table: intervals, at most one of them open per discussion, user and kind.
class PgSanctions final : public domain::SanctionRepository {
 public:
  explicit PgSanctions(Session& session) : session_(session) {}

  std::vector<domain::SanctionAnswer> current(std::span<const domain::SanctionQuestion> questions,
                                              domain::TimePoint now) override;
  void set(const domain::Sanction& sanction, std::int64_t seq) override;
  void lift(domain::SanctionKind kind, domain::ThreadId thread, domain::UserId user, std::int64_t seq,
            domain::TimePoint now) override;
  std::vector<domain::Sanction> list(domain::SanctionKind kind, domain::ThreadId thread, domain::TimePoint now,
                                     std::int32_t limit) override;
  std::vector<domain::Sanction> list_of_user(domain::UserId user, domain::TimePoint now) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
