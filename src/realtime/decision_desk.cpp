#include "decision_desk.hpp"

#include <utility>

namespace belfry::realtime {

namespace {

constexpr std::size_t kMaxBatch = 500;
constexpr std::size_t kMaxQueued = 20'000;
constexpr std::size_t kRememberedRooms = 10'000;

}  // namespace

void DecisionDesk::ask(const domain::Actor& actor, const domain::RoomKey& room, Done done) {
  if (queue_.size() >= kMaxQueued) return done(Verdict::kUnknown);
  auto& question = queue_[{actor.id, actor.type, room}];
  question.asked = {actor, room, true};
  question.waiting.push_back(std::move(done));
  if (!in_flight_) send();
}

void DecisionDesk::send() {
  std::vector<Question> batch;
  std::vector<domain::RoomQuestion> questions;
  while (!queue_.empty() && batch.size() < kMaxBatch) {
    auto next = queue_.extract(queue_.begin());
    questions.push_back(next.mapped().asked);
    batch.push_back(std::move(next.mapped()));
  }
  in_flight_ = true;
  metrics_.decision_reads.add();
  reads_.decide(std::move(questions),
                line_.guard([this, batch = std::move(batch), epoch = cache_.epoch()](
                                core::Result<std::vector<domain::RoomDecision>> decisions) mutable {
                  answer(std::move(batch), epoch, decisions);
                }));
}

void DecisionDesk::answer(std::vector<Question> batch, std::uint64_t epoch,
                          const core::Result<std::vector<domain::RoomDecision>>& decisions) {
  in_flight_ = false;
  const bool known = decisions && decisions->size() == batch.size() && epoch == cache_.epoch();
  for (std::size_t i = 0; known && i < batch.size(); ++i) {
    const auto& asked = batch[i].asked;
    const auto& decision = (*decisions)[i];
    if (decision.granted && cache_.forgets_granted()) {
      if (granted_.size() >= kRememberedRooms) granted_.clear();
      granted_.insert(asked.room);
    }
    if (decision.allowed()) {
      cache_.put(asked.actor, asked.room, decision);
    } else {
      cache_.drop(asked.actor, asked.room);
    }
  }
  if (!queue_.empty()) send();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto verdict = Verdict::kUnknown;
    if (known) verdict = (*decisions)[i].allowed() ? Verdict::kAllowed : Verdict::kRefused;
    for (auto& done : batch[i].waiting) done(verdict);
  }
}

}  // namespace belfry::realtime
