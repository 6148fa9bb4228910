#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The memberships table: intervals, at most one of them open per user and channel.
class PgMemberships final : public domain::MembershipRepository {
 public:
  explicit PgMemberships(Session& session) : session_(session) {}

  domain::Membership current(domain::UserId user, domain::ChannelId channel) override;
  std::vector<domain::Membership> current_all(
      std::span<const std::pair<domain::UserId, domain::ChannelId>> members) override;
  domain::Membership join(domain::UserId user, domain::ChannelId channel) override;
  domain::Membership leave(domain::UserId user, domain::ChannelId channel) override;
  /// The open ones, newest first.
  std::vector<domain::Membership> list(domain::UserId user) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
