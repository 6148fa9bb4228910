#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The threads table: discussions, for now.
class PgThreads final : public domain::ThreadRepository {
 public:
  explicit PgThreads(Session& session) : session_(session) {}

  std::optional<domain::Discussion> find(domain::ThreadId id) override;
  std::vector<domain::Discussion> find_all(std::span<const domain::ThreadId> ids) override;
  std::optional<domain::Discussion> find_by_channel(domain::ChannelId channel) override;
  std::vector<std::pair<domain::ChannelId, domain::ThreadId>> ids_by_channels(
      std::span<const domain::ChannelId> channels) override;
  domain::ThreadId insert(const domain::Discussion& discussion) override;
  void update(const domain::Discussion& discussion) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
