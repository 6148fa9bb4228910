#include "belfry/domain/room_access.hpp"

#include <map>
#include <utility>

#include "domain/refusals.hpp"
#include "domain/standing.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;

constexpr std::int32_t kMaxSyncLimit = 500;

/// Everything that a span of questions is about: a fixed number of statements, however many questions there are.
class Panel {
 public:
  /// `asks_outside`: grants that somebody else keeps are asked for; otherwise what rests on one stays undecided.
  Panel(UnitOfWork& work, std::span<const RoomQuestion> questions, bool asks_outside = true)
      : knows_grants_(asks_outside || work.grants().internal()) {
    read_places(work, questions);
    for (const auto& question : questions) {
      const auto* channel = channel_of(question.room);
      if (channel == nullptr || (!knows_grants_ && asks_grant(question, *channel))) continue;
      standings_.want(question.actor, *channel);
      if (const auto* discussion = discussion_of(question.room)) standings_.want(question.actor, *discussion);
    }
    standings_.read(work);
  }

  RoomDecision decide(const RoomQuestion& question) const {
    RoomDecision decision;
    decision.access_seq = access_seq_;
    if (question.actor.anonymous() && !(question.page && question.room.kind == RoomKind::kPosts)) {
      decision.refusal = login_required();
      return decision;
    }
    const auto* channel = channel_of(question.room);
    if (channel == nullptr) {
      decision.refusal = Error::not_found("Room not found.");
      return decision;
    }
    decision.channel_id = channel->id;
    decision.head = places_.at(question.room).head;
    decision.granted = asks_grant(question, *channel);
    if (decision.granted && !knows_grants_) {
      decision.refusal = Error::unavailable("The entitlement has to be asked for.");
      return decision;
    }
    const auto* discussion = discussion_of(question.room);
    auto access = discussion != nullptr ? standings_.decide(question.actor, *channel, *discussion)
                                        : standings_.decide(question.actor, *channel);
    decision.refusal = std::move(access.refusal);
    decision.valid_until = access.valid_until;
    return decision;
  }

 private:
  void read_places(UnitOfWork& work, std::span<const RoomQuestion> questions) {
    std::set<RoomKey> rooms{kAccessLog};
    for (const auto& question : questions) rooms.insert(question.room);
    const std::vector<RoomKey> room_list(rooms.begin(), rooms.end());
    for (auto& place : work.places(room_list)) {
      const RoomKey room = place.head.room;
      if (room == kAccessLog) access_seq_ = place.head.last_seq;
      places_.emplace(room, std::move(place));
    }
  }

  const Discussion* discussion_of(const RoomKey& room) const {
    const auto found = places_.find(room);
    return found == places_.end() || !found->second.discussion ? nullptr : &*found->second.discussion;
  }

  /// Null for the access log, which nobody joins, and for a discussion that does not exist.
  const Channel* channel_of(const RoomKey& room) const {
    const auto found = places_.find(room);
    return found == places_.end() || !found->second.channel ? nullptr : &*found->second.channel;
  }

  bool asks_grant(const RoomQuestion& question, const Channel& channel) const {
    const auto* discussion = discussion_of(question.room);
    return standings_.asks_grant(question.actor, channel) ||
           (discussion != nullptr && standings_.asks_grant(question.actor, *discussion));
  }

  bool knows_grants_;
  std::map<RoomKey, RoomPlace> places_;
  Standings standings_;
  std::int64_t access_seq_ = 0;
};

std::vector<RoomDecision> decide_all(const Panel& panel, std::span<const RoomQuestion> questions) {
  std::vector<RoomDecision> decisions;
  decisions.reserve(questions.size());
  for (const auto& question : questions) decisions.push_back(panel.decide(question));
  return decisions;
}

RoomDecision decide_room(UnitOfWork& work, const Actor& actor, const RoomKey& room) {
  const RoomQuestion question{actor, room};
  return Panel(work, std::span(&question, 1)).decide(question);
}

}  // namespace

Result<RoomKey> resolve_room(UnitOfWork& work, const RoomTarget& target) {
  if (target.kind == RoomKind::kAccess) return fail(Error::not_found("Room not found."));
  if (target.kind == RoomKind::kDiscussion) {
    if (const auto discussion = work.threads().find_by_channel(target.channel_id))
      return discussion_room(discussion->id);
  }
  if (!work.channels().find(target.channel_id)) return fail(channel_not_found());
  if (target.kind == RoomKind::kDiscussion) return fail(discussion_not_found());
  return posts_room(target.channel_id);
}

std::vector<RoomDecision> decide_rooms(UnitOfWork& work, std::span<const RoomQuestion> questions) {
  return decide_all(Panel(work, questions), questions);
}

std::vector<RoomDecision> decide_rooms_inside(UnitOfWork& work, std::span<const RoomQuestion> questions) {
  return decide_all(Panel(work, questions, false), questions);
}

Result<SyncedRoom> sync_room(UnitOfWork& work, const Actor& actor, const SyncRoom& command) {
  if (actor.anonymous()) return fail(login_required());
  if (command.limit < 1 || command.limit > kMaxSyncLimit)
    return fail(Error::invalid("limit", "must be between 1 and 500"));
  const auto room = resolve_room(work, command.target);
  if (!room) {
    // A channel without a discussion: whoever may not read the channel learns that first.
    auto outer = decide_room(work, actor, posts_room(command.target.channel_id));
    if (!outer.allowed()) return fail(std::move(*outer.refusal));
    return fail(room.error());
  }
  auto decision = decide_room(work, actor, *room);
  if (!decision.allowed()) return fail(std::move(*decision.refusal));
  LogPageQuery query;
  query.room = *room;
  query.since = command.since;
  query.limit = command.limit;
  return SyncedRoom{.room = *room, .page = work.log().page(query)};
}

}  // namespace belfry::domain
