#pragma once

#include <map>
#include <utility>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain::testing {

/// What `UnitOfWork::places` says, put together from what the repositories say.
inline std::vector<RoomPlace> places_by_parts(UnitOfWork& work, std::span<const RoomKey> rooms) {
  std::vector<ThreadId> threads;
  std::vector<ChannelId> channels;
  for (const RoomKey& room : rooms) {
    if (room.kind == RoomKind::kDiscussion) threads.push_back(ThreadId{room.key});
    if (room.kind == RoomKind::kPosts) channels.push_back(ChannelId{room.key});
  }
  std::vector<RoomPlace> places;
  for (auto& head : work.log().heads(rooms))
    places.push_back({.head = std::move(head), .channel = {}, .discussion = {}});
  std::map<ThreadId, Discussion> discussions;
  if (!threads.empty()) {
    for (auto& discussion : work.threads().find_all(threads)) {
      channels.push_back(discussion.channel_id);
      discussions.emplace(discussion.id, std::move(discussion));
    }
  }
  std::map<ChannelId, Channel> found;
  if (!channels.empty()) {
    for (auto& channel : work.channels().find_all(channels)) found.emplace(channel.id, std::move(channel));
  }
  for (auto& place : places) {
    ChannelId channel{place.head.room.key};
    if (const auto at = discussions.find(ThreadId{place.head.room.key});
        place.head.room.kind == RoomKind::kDiscussion && at != discussions.end()) {
      place.discussion = at->second;
      channel = at->second.channel_id;
    } else if (place.head.room.kind != RoomKind::kPosts) {
      continue;
    }
    if (const auto at = found.find(channel); at != found.end()) place.channel = at->second;
  }
  return places;
}

}  // namespace belfry::domain::testing
