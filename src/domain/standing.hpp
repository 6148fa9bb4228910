#pragma once

#include <map>
#include <set>
#include <utility>

#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

/// Reads what access decisions need, set-based: first name every (actor, place), then `read` once, then decide. Lives
/// for one job; after a lock, `read` comes after it.
class Standings {
 public:
  void want(const Actor& actor, const Channel& channel);
  /// Feature, ban and mute; the channel is wanted separately.
  void want(const Actor& actor, const Discussion& discussion);
  /// At most three statements. Memberships are read only where they give a refusal its reason.
  void read(UnitOfWork& work);

  AccessDecision decide(const Actor& actor, const Channel& channel) const;
  AccessDecision decide(const Actor& actor, const Channel& channel, const Discussion& discussion) const;
  /// Whether the actor may see the discussion's shell: neither its switch nor a ban refuses that.
  AccessDecision decide_shell(const Actor& actor, const Channel& channel, Discussion discussion) const;
  /// Whether the decision asks about a grant, whatever the answer is.
  bool asks_grant(const Actor& actor, const Channel& channel) const;
  bool asks_grant(const Actor& actor, const Discussion& discussion) const;
  std::optional<Sanction> mute(const Actor& actor, ThreadId thread) const;

 private:
  ChannelStanding standing(const Actor& actor, const Channel& channel) const;
  DiscussionStanding standing(const Actor& actor, const Discussion& discussion) const;
  void read_grants(UnitOfWork& work);
  void read_memberships(UnitOfWork& work);
  void read_sanctions(UnitOfWork& work);

  TimePoint now_;
  std::map<GrantQuestion, std::optional<Grant>> grants_;
  std::map<std::pair<UserId, ChannelId>, GrantQuestion> gated_;
  std::set<std::pair<UserId, ChannelId>> joined_;
  std::map<std::pair<ThreadId, UserId>, SanctionAnswer> sanctions_;
};

/// The decision about one channel at this snapshot.
AccessDecision decide_now(UnitOfWork& work, const Actor& actor, const Channel& channel);

}  // namespace belfry::domain
