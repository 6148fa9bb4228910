#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "belfry/core/uuid.hpp"

namespace belfry::core {

/// A number that names one kind of entity. Distinct tags do not convert into each other.
template <class Tag>
struct NumericId {
  std::int64_t value = 0;
  friend auto operator<=>(const NumericId&, const NumericId&) = default;
};

/// A UUID that names one kind of entity.
template <class Tag>
struct UuidId {
  Uuid value;
  friend auto operator<=>(const UuidId&, const UuidId&) = default;
};

using ChannelId = NumericId<struct ChannelTag>;
using PostId = NumericId<struct PostTag>;
using AttachmentId = NumericId<struct AttachmentTag>;
using ThreadId = NumericId<struct ThreadTag>;  ///< A discussion is a thread; on the wire it is `discussionId`.
using MessageId = NumericId<struct MessageTag>;
using UserId = UuidId<struct UserTag>;
using EventId = UuidId<struct EventTag>;

}  // namespace belfry::core

template <class Tag>
struct std::hash<belfry::core::NumericId<Tag>> {
  std::size_t operator()(const belfry::core::NumericId<Tag>& id) const noexcept {
    return std::hash<std::int64_t>{}(id.value);
  }
};

template <class Tag>
struct std::hash<belfry::core::UuidId<Tag>> {
  std::size_t operator()(const belfry::core::UuidId<Tag>& id) const noexcept {
    return std::hash<belfry::core::Uuid>{}(id.value);
  }
};
