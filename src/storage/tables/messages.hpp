#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The messages table.
class PgMessages final : public domain::MessageRepository {
 public:
  explicit PgMessages(Session& session) : session_(session) {}

  std::optional<domain::Message> find(domain::MessageId id) override;
  std::vector<domain::Message> page(const domain::MessagePageQuery& query) override;
  std::vector<domain::Message> find_by_client_ids(std::span<const domain::ClientMessageKey> keys) override;
  std::vector<std::optional<domain::TimePoint>> last_written(
      std::span<const std::pair<domain::ThreadId, domain::ActorRef>> authors) override;
  void insert(std::span<domain::Message> messages) override;
  void update(const domain::Message& message) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
