#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The channels table.
class PgChannels final : public domain::ChannelRepository {
 public:
  explicit PgChannels(Session& session) : session_(session) {}

  std::optional<domain::Channel> find(domain::ChannelId id) override;
  std::vector<domain::Channel> find_all(std::span<const domain::ChannelId> ids) override;
  domain::ChannelId insert(const domain::Channel& channel) override;
  void update(const domain::Channel& channel) override;
  std::vector<domain::ChannelListItem> list_visible(const domain::ChannelListQuery& query) override;
  std::vector<domain::Channel> list_all(const std::optional<domain::PageCursor>& before, std::int32_t limit) override;
  std::vector<std::string> gated_keys() override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
