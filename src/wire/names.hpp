#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "belfry/domain/entities.hpp"
#include "belfry/domain/log.hpp"

/// The words that enumerations have on the wire.
namespace belfry::wire {

template <class E, std::size_t N>
using NameTable = std::array<std::pair<E, std::string_view>, N>;

inline constexpr NameTable<domain::ChannelKind, 2> kChannelKindNames{{
    {domain::ChannelKind::kBroadcast, "BROADCAST"},
    {domain::ChannelKind::kGroup, "GROUP"},
}};
inline constexpr NameTable<domain::AccessPolicy, 2> kAccessPolicyNames{{
    {domain::AccessPolicy::kOpen, "OPEN"},
    {domain::AccessPolicy::kExternalGated, "EXTERNAL_GATED"},
}};
inline constexpr NameTable<domain::ChannelStatus, 3> kChannelStatusNames{{
    {domain::ChannelStatus::kDraft, "DRAFT"},
    {domain::ChannelStatus::kActive, "ACTIVE"},
    {domain::ChannelStatus::kArchived, "ARCHIVED"},
}};
inline constexpr NameTable<domain::Visibility, 2> kVisibilityNames{{
    {domain::Visibility::kPublic, "PUBLIC"},
    {domain::Visibility::kPrivate, "PRIVATE"},
}};
inline constexpr NameTable<domain::PostType, 4> kPostTypeNames{{
    {domain::PostType::kText, "TEXT"},
    {domain::PostType::kLink, "LINK"},
    {domain::PostType::kChart, "CHART"},
    {domain::PostType::kMedia, "MEDIA"},
}};
inline constexpr NameTable<domain::Gap, 2> kGapNames{{
    {domain::Gap::kUnknownEvent, "UNKNOWN_EVENT"},
    {domain::Gap::kExpired, "EXPIRED"},
}};

template <class E, std::size_t N>
constexpr std::string_view name_of(const NameTable<E, N>& table, E value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return "";
}

}  // namespace belfry::wire
