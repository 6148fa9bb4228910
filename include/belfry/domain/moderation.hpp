#pragma once

#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

using core::Result;

struct Sanctioning {
  SanctionKind kind = SanctionKind::kBan;
  ChannelId channel_id;
  UserId user_id;
  std::optional<std::string> reason;
  std::optional<TimePoint> until;  ///< in the future, else kInvalid; absent: no end
};

/// Write jobs by admins; each appends a control record to the discussion's room and an audit entry. Repeating the same
/// sanction changes nothing; lifting what is not there succeeds.
Result<Sanction> set_sanction(UnitOfWork& work, const Actor& admin, const Sanctioning& command);
Result<void> lift_sanction(UnitOfWork& work, const Actor& admin, SanctionKind kind, ChannelId channel, UserId user);
Result<std::vector<Sanction>> list_sanctions(UnitOfWork& work, SanctionKind kind, ChannelId channel);

}  // namespace belfry::domain
