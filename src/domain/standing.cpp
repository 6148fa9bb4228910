#include "domain/standing.hpp"

#include <vector>

namespace belfry::domain {
namespace {

/// Admins pass without a standing, the anonymous have none.
bool has_standing(const Actor& actor) { return !actor.admin() && !actor.anonymous(); }

bool gated(const Channel& channel) {
  return channel.status != ChannelStatus::kDraft && channel.access_policy == AccessPolicy::kExternalGated;
}

GrantQuestion entitlement_question(const Actor& actor, const Channel& channel) {
  return {actor.id, GrantKind::kEntitlement, channel.entitlement_key.value_or("")};
}

GrantQuestion feature_question(const Actor& actor, const Discussion& discussion) {
  return {actor.id, GrantKind::kFeature, discussion.required_feature_key.value_or("")};
}

}  // namespace

void Standings::want(const Actor& actor, const Channel& channel) {
  if (!has_standing(actor) || !gated(channel)) return;
  auto question = entitlement_question(actor, channel);
  grants_.try_emplace(question);
  gated_.try_emplace({actor.id, channel.id}, std::move(question));
}

void Standings::want(const Actor& actor, const Discussion& discussion) {
  if (!has_standing(actor)) return;
  if (discussion.required_feature_key) grants_.try_emplace(feature_question(actor, discussion));
  sanctions_.try_emplace({discussion.id, actor.id});
}

void Standings::read(UnitOfWork& work) {
  now_ = work.now();
  if (!grants_.empty()) read_grants(work);
  read_memberships(work);
  if (!sanctions_.empty()) read_sanctions(work);
}

void Standings::read_grants(UnitOfWork& work) {
  std::vector<GrantQuestion> questions;
  questions.reserve(grants_.size());
  for (const auto& [question, answer] : grants_) questions.push_back(question);
  auto answers = work.grants().current(questions, now_);
  std::size_t next = 0;
  for (auto& [question, answer] : grants_) answer = std::move(answers.at(next++));
}

void Standings::read_memberships(UnitOfWork& work) {
  std::vector<std::pair<UserId, ChannelId>> refused;
  for (const auto& [member, question] : gated_) {
    if (!grants_.at(question)) refused.push_back(member);
  }
  if (refused.empty()) return;
  const auto memberships = work.memberships().current_all(refused);
  for (std::size_t i = 0; i < refused.size(); ++i) {
    if (memberships.at(i).joined) joined_.insert(refused[i]);
  }
}

void Standings::read_sanctions(UnitOfWork& work) {
  std::vector<SanctionQuestion> questions;
  questions.reserve(sanctions_.size());
  for (const auto& [place, answer] : sanctions_) questions.push_back({place.first, place.second});
  auto answers = work.sanctions().current(questions, now_);
  std::size_t next = 0;
  for (auto& [place, answer] : sanctions_) answer = std::move(answers.at(next++));
}

ChannelStanding Standings::standing(const Actor& actor, const Channel& channel) const {
  ChannelStanding standing;
  if (const auto found = grants_.find(entitlement_question(actor, channel)); found != grants_.end()) {
    standing.entitlement = found->second;
  }
  standing.joined = joined_.contains({actor.id, channel.id});
  return standing;
}

DiscussionStanding Standings::standing(const Actor& actor, const Discussion& discussion) const {
  DiscussionStanding standing;
  if (const auto found = grants_.find(feature_question(actor, discussion)); found != grants_.end()) {
    standing.feature = found->second;
  }
  if (const auto found = sanctions_.find({discussion.id, actor.id}); found != sanctions_.end()) {
    standing.ban = found->second.ban;
  }
  return standing;
}

bool Standings::asks_grant(const Actor& actor, const Channel& channel) const {
  return has_standing(actor) && gated(channel);
}

bool Standings::asks_grant(const Actor& actor, const Discussion& discussion) const {
  return has_standing(actor) && discussion.required_feature_key.has_value();
}

AccessDecision Standings::decide(const Actor& actor, const Channel& channel) const {
  return decide_channel(actor, channel, standing(actor, channel), now_);
}

AccessDecision Standings::decide(const Actor& actor, const Channel& channel, const Discussion& discussion) const {
  return decide_discussion(actor, channel, standing(actor, channel), discussion, standing(actor, discussion), now_);
}

AccessDecision Standings::decide_shell(const Actor& actor, const Channel& channel, Discussion discussion) const {
  discussion.is_enabled = true;
  auto own = standing(actor, discussion);
  own.ban.reset();
  return decide_discussion(actor, channel, standing(actor, channel), discussion, own, now_);
}

std::optional<Sanction> Standings::mute(const Actor& actor, ThreadId thread) const {
  const auto found = sanctions_.find({thread, actor.id});
  return found == sanctions_.end() ? std::nullopt : found->second.mute;
}

AccessDecision decide_now(UnitOfWork& work, const Actor& actor, const Channel& channel) {
  Standings standings;
  standings.want(actor, channel);
  standings.read(work);
  return standings.decide(actor, channel);
}

}  // namespace belfry::domain
