#include <gtest/gtest.h>

#include "belfry/domain/messages.hpp"
#include "belfry/domain/moderation.hpp"
#include "pg/node.hpp"

// What two nodes decide about the same room at the same time.
namespace belfry::pgtest {
namespace {

using core::Result;
using domain::JobMode;
using domain::UnitOfWork;

domain::CreateMessage say(const Place& place, const domain::Actor& actor) {
  return {.actor = actor, .channel_id = place.channel, .body = "hello", .client_message_id = {}, .idempotency = {}};
}

/// Holds the room of `place` in a write job of `node` until a second writer waits for it; `act` runs under the lock.
std::future<Result<void>> hold_until_awaited(Node& node, const Place& place, std::promise<void>& locked,
                                             std::function<void(UnitOfWork&)> act) {
  auto told = std::make_shared<std::atomic<bool>>(false);
  return node.submit(JobMode::kWrite, [&locked, place, told, act](UnitOfWork& work) -> Result<void> {
    const auto room = place.talk();
    if (auto got = work.lock(std::span(&room, 1)); !got) return got;
    if (!told->exchange(true)) locked.set_value();
    act(work);
    wait_until_blocked();
    return {};
  });
}

class Races : public ::testing::TestWithParam<domain::SanctionKind> {};

TEST_P(Races, AMessageThatWaitsBehindASanctionIsRefused) {
  Node first(options_for(database().url()));
  Node second(options_for(database().url()));
  const auto place = make_place(database().url());
  const auto author = user_actor();
  ASSERT_TRUE(second.message(say(place, author)).get()) << "allowed before";
  std::promise<void> locked;
  auto sanction = hold_until_awaited(first, place, locked, [&](UnitOfWork& work) {
    domain::Sanction row;
    row.kind = GetParam();
    row.thread_id = place.thread;
    row.user_id = author.id;
    row.admin_id = any_user();
    row.created_at = work.now();
    work.sanctions().set(row, work.next_seq(place.talk()));
    work.append(place.talk(), control_draft(domain::ControlKind::kBan));
  });
  locked.get_future().wait();
  const auto answer = second.message(say(place, author)).get();
  ASSERT_TRUE(sanction.get());
  ASSERT_FALSE(answer) << "it was decided on what was true before the lock";
  EXPECT_EQ(answer.error().reason, GetParam() == domain::SanctionKind::kBan ? core::Reason::kDiscussionBanned
                                                                            : core::Reason::kDiscussionMuted);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Races, ::testing::Values(domain::SanctionKind::kBan, domain::SanctionKind::kMute),
                         [](const auto& kind) { return kind.param == domain::SanctionKind::kBan ? "Ban" : "Mute"; });

TEST(SlowMode, LetsOneOfManyParallelMessagesOnTwoNodesThrough) {
  Node first(options_for(database().url()));
  Node second(options_for(database().url()));
  for (int round = 0; round < 5; ++round) {
    const auto place = make_place(database().url());
    {
      Transaction transaction;
      transaction.sql().exec_params(
          "UPDATE threads SET slow_mode_enabled = true, slow_mode_interval_seconds = 60 WHERE id = $1",
          place.thread.value);
      transaction.commit();
    }
    const auto author = user_actor();
    std::vector<std::future<Result<domain::CreatedMessage>>> answers;
    for (int i = 0; i < 16; ++i) answers.push_back((i % 2 == 0 ? first : second).message(say(place, author)));
    int accepted = 0;
    for (auto& future : answers) {
      const auto answer = future.get();
      accepted += answer ? 1 : 0;
      if (!answer) {
        EXPECT_EQ(answer.error().reason, core::Reason::kSlowMode);
      }
    }
    EXPECT_EQ(accepted, 1);
  }
}

}  // namespace
}  // namespace belfry::pgtest
