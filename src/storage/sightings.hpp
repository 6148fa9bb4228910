#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "belfry/domain/actor.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// Writes users at first sight, and when their claims changed, each time in a transaction of its own: inside a job the
/// row would be locked in front of the rooms. Remembers a bounded number of users, least recently seen forgotten first.
/// Thread-safe.
class Sightings {
 public:
  explicit Sightings(std::size_t capacity = 65536) : capacity_(capacity) {}

  /// Outside any transaction of `connection`. An absent claim leaves the stored value.
  void record(Connection& connection, std::span<const domain::Actor* const> actors);
  template <class Range, class ToActor>
  void record(Connection& connection, const Range& range, ToActor actor_of) {
    std::vector<const domain::Actor*> actors;
    actors.reserve(range.size());
    for (const auto& element : range) actors.push_back(actor_of(element));
    record(connection, actors);
  }
  /// The database may not have all that it was told: a crash or a failover.
  void forget();

 private:
  struct Seen {
    core::UserId id;
    std::optional<std::string> username;
    std::optional<std::string> picture;
  };

  bool known(const domain::Actor& actor);
  void remember(const domain::Actor& actor);

  std::size_t capacity_;
  std::mutex mutex_;
  std::list<Seen> recent_;
  std::unordered_map<core::UserId, std::list<Seen>::iterator> seen_;
};

}  // namespace belfry::storage
