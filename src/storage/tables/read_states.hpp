#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The read_states table.
class PgReadStates final : public domain::ReadStateRepository {
 public:
  explicit PgReadStates(Session& session) : session_(session) {}

  domain::ReadState get(domain::UserId user, domain::ChannelId channel) override;
  domain::ReadState advance(domain::UserId user, domain::ChannelId channel, domain::PostId seen) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
