#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The posts and attachments tables.
class PgPosts final : public domain::PostRepository {
 public:
  explicit PgPosts(Session& session) : session_(session) {}

  std::optional<domain::Post> find(domain::PostId id) override;
  std::vector<domain::Post> page(const domain::PostPageQuery& query) override;
  void insert(domain::Post& post) override;
  void update(domain::Post& post, bool attachments) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
