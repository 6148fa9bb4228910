#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/core/ids.hpp"

namespace belfry::domain {

/// Who does something. A variant rather than a user id: dialects to come bring contacts, agents and the system itself.
enum class ActorType : std::uint8_t { kAnonymous = 0, kUser = 1, kAdmin = 2, kSystem = 3, kContact = 4, kAgent = 5 };

/// `USER`, `ADMIN`, …
std::string_view actor_type_name(ActorType type);

/// The reference that is stored beside what an actor did: (type, id).
struct ActorRef {
  ActorType type = ActorType::kAnonymous;
  core::UserId id;
  friend bool operator==(const ActorRef&, const ActorRef&) = default;
};

/// An authenticated caller (or the anonymous one) for the length of one request or connection.
struct Actor {
  ActorType type = ActorType::kAnonymous;
  core::UserId id;
  std::optional<std::string> username;  ///< as the token says; absent leaves the stored one
  std::optional<std::string> picture;

  bool anonymous() const { return type == ActorType::kAnonymous; }
  bool admin() const { return type == ActorType::kAdmin; }
  ActorRef ref() const { return {type, id}; }
};

/// The author's snapshot, stored with a message as it was when written.
struct Author {
  ActorRef ref;
  std::optional<std::string> username;
  std::optional<std::string> picture;
  friend bool operator==(const Author&, const Author&) = default;
};

}  // namespace belfry::domain
