#include "storage/sightings.hpp"

#include <map>

#include "belfry/core/text.hpp"
#include "storage/values.hpp"

namespace belfry::storage {
namespace {

// Lock order: users by id, in a transaction that locks nothing else. Whom another node has written already costs this
// one a look: an upsert would lock the row, that is, write, for each client of a node that went. It waits for no disk
// and no standby: what is lost with a crash is written at the next sight.
constexpr Statement kUpsert{"users_seen", R"sql(
  INSERT INTO users AS u (id, username, picture)
  SELECT id, username, picture
  FROM (SELECT set_config('synchronous_commit', 'off', true) AS off) AS durability,
       unnest($1::uuid[], $2::text[], $3::text[]) AS seen (id, username, picture)
  WHERE durability.off IS NOT NULL AND NOT EXISTS (
    SELECT FROM users k WHERE k.id = seen.id AND COALESCE(seen.username, k.username) IS NOT DISTINCT FROM k.username
      AND COALESCE(seen.picture, k.picture) IS NOT DISTINCT FROM k.picture)
  ORDER BY id
  ON CONFLICT (id) DO UPDATE
  SET username = COALESCE(EXCLUDED.username, u.username), picture = COALESCE(EXCLUDED.picture, u.picture),
      updated_at = clock_timestamp()
  WHERE COALESCE(EXCLUDED.username, u.username) IS DISTINCT FROM u.username
     OR COALESCE(EXCLUDED.picture, u.picture) IS DISTINCT FROM u.picture
)sql"};

bool has_row(const domain::Actor& actor) {
  return actor.type == domain::ActorType::kUser || actor.type == domain::ActorType::kAdmin;
}

/// A claim as the database can hold it; anything else is as if absent.
std::optional<std::string> storable(const std::optional<std::string>& claim) {
  if (!claim || !core::is_utf8(*claim) || claim->find('\0') != std::string::npos) return std::nullopt;
  return claim;
}

bool says_nothing_new(const std::optional<std::string>& claim, const std::optional<std::string>& seen) {
  return !claim || claim == seen;
}

}  // namespace

void Sightings::record(Connection& connection, std::span<const domain::Actor* const> actors) {
  std::map<core::UserId, const domain::Actor*> fresh;
  for (const auto* actor : actors) {
    if (has_row(*actor) && !known(*actor)) fresh[actor->id] = actor;
  }
  if (fresh.empty()) return;
  connection.end_transaction();
  pqxx::nontransaction transaction(connection.raw());
  Session(connection, transaction)
      .run(kUpsert, to_sql_array(fresh, [](const auto& user) { return user.first; }),
           to_sql_array(fresh, [](const auto& user) { return storable(user.second->username); }),
           to_sql_array(fresh, [](const auto& user) { return storable(user.second->picture); }));
  for (const auto& [id, actor] : fresh) remember(*actor);
}

void Sightings::forget() {
  const std::lock_guard lock(mutex_);
  seen_.clear();
  recent_.clear();
}

bool Sightings::known(const domain::Actor& actor) {
  const std::lock_guard lock(mutex_);
  const auto found = seen_.find(actor.id);
  if (found == seen_.end()) return false;
  recent_.splice(recent_.begin(), recent_, found->second);
  return says_nothing_new(actor.username, found->second->username) &&
         says_nothing_new(actor.picture, found->second->picture);
}

void Sightings::remember(const domain::Actor& actor) {
  const std::lock_guard lock(mutex_);
  if (const auto found = seen_.find(actor.id); found != seen_.end()) {
    if (actor.username) found->second->username = actor.username;
    if (actor.picture) found->second->picture = actor.picture;
    return;
  }
  recent_.push_front({actor.id, actor.username, actor.picture});
  seen_.emplace(actor.id, recent_.begin());
  if (seen_.size() > capacity_) {
    seen_.erase(recent_.back().id);
    recent_.pop_back();
  }
}

}  // namespace belfry::storage
