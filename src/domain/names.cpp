#include <string_view>

#include "belfry/domain/actor.hpp"
#include "belfry/domain/events.hpp"

namespace belfry::domain {

std::string_view actor_type_name(ActorType type) {
  switch (type) {
    case ActorType::kAnonymous:
      return "ANONYMOUS";
    case ActorType::kUser:
      return "USER";
    case ActorType::kAdmin:
      return "ADMIN";
    case ActorType::kSystem:
      return "SYSTEM";
    case ActorType::kContact:
      return "CONTACT";
    case ActorType::kAgent:
      return "AGENT";
  }
  return "ANONYMOUS";
}

std::string_view event_type_name(EventType type) {
  switch (type) {
    case EventType::kPostCreated:
      return "channel_post.created";
    case EventType::kPostUpdated:
      return "channel_post.updated";
    case EventType::kPostDeleted:
      return "channel_post.deleted";
    case EventType::kPostPinned:
      return "channel_post.pinned";
    case EventType::kMessageCreated:
      return "discussion_message.created";
    case EventType::kMessageUpdated:
      return "discussion_message.updated";
    case EventType::kMessageDeleted:
      return "discussion_message.deleted";
    case EventType::kMessageRestored:
      return "discussion_message.restored";
    case EventType::kControl:
    case EventType::kAccessChanged:
      break;
  }
  return {};
}

}  // namespace belfry::domain
