#include "storage/tables/users.hpp"

#include "storage/values.hpp"

namespace belfry::storage {

using domain::User;
using domain::UserId;

std::optional<User> PgUsers::find(UserId id) {
  auto found = find_all({&id, 1});
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<User> PgUsers::find_all(std::span<const UserId> ids) {
  static constexpr Statement kFindAll{"users_find_all", R"(
    SELECT id, username, picture FROM users WHERE id = ANY ($1::uuid[]) ORDER BY id)"};
  std::vector<User> users;
  if (ids.empty()) return users;
  for (const auto& line : session_.run(kFindAll, to_sql_array(ids))) {
    RowReader row(line);
    auto& user = users.emplace_back();
    user.id = row.next<UserId>();
    user.username = row.next<std::optional<std::string>>();
    user.picture = row.next<std::optional<std::string>>();
  }
  return users;
}

}  // namespace belfry::storage
