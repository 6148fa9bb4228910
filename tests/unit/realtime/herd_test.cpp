#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

constexpr int kHerd = 1000;

/// Many who come at once cost the database few reads.
class HerdTest : public HubTest {
 protected:
  explicit HerdTest(HubOptions options = {}) : HubTest(options) { start(); }

  std::vector<std::unique_ptr<Reader>> join_all(int from, int count) {
    std::vector<std::unique_ptr<Reader>> readers;
    for (int i = 0; i < count; ++i) join(*readers.emplace_back(reader(from + i)));
    return readers;
  }
  std::size_t reads_of(ReadKind kind) const { return reads->pending(kind).size(); }
};

TEST_F(HerdTest, ThousandJoinsOfARoomNobodyKnowsYetCostOneLookAtTheTargetAndThreeDecisions) {
  const auto readers = join_all(1, kHerd);
  reads->answer(reads->only(ReadKind::kResolve));
  std::size_t decisions = 0;
  while (!reads->calls.empty()) {
    const auto call = reads->calls.front();
    if (call->kind == ReadKind::kDecide) {
      ++decisions;
      EXPECT_TRUE(call->introduces);
    }
    reads->answer(call);
  }
  EXPECT_LE(decisions, 3U);
  EXPECT_EQ(hub->counts().subscriptions, static_cast<std::size_t>(kHerd));
  for (const auto& one : readers) EXPECT_EQ(one->heard, (Heard{"joined"}));
}

TEST_F(HerdTest, JoinsThatComeWhileAReadIsInFlightShareTheNextOne) {
  auto first = reader(1);
  join(*first);
  reads->answer(reads->only(ReadKind::kResolve));
  const auto busy = reads->only(ReadKind::kDecide);
  const auto readers = join_all(2, 40);
  EXPECT_EQ(reads_of(ReadKind::kDecide), 1U);
  reads->answer(busy);
  EXPECT_EQ(reads->only(ReadKind::kDecide)->questions, 40U);
  reads->settle();
}

TEST_F(HerdTest, ReadThatTakesLongDoesNotKeepTheNextWaiting) {
  auto first = reader(1);
  join(*first);
  reads->answer(reads->only(ReadKind::kResolve));
  auto second = reader(2);
  join(*second);
  EXPECT_EQ(reads_of(ReadKind::kDecide), 1U);
  pass(milliseconds{200});
  ASSERT_EQ(reads_of(ReadKind::kDecide), 2U);
  reads->answer(reads->pending(ReadKind::kDecide).back());
  EXPECT_EQ(second->heard, (Heard{"joined"}));
  EXPECT_EQ(first->heard, Heard{});
  reads->settle();
}

TEST_F(HerdTest, OneWhoCannotBeDecidedFailsAloneInAHerd) {
  auto first = reader(1);
  join(*first);
  reads->answer(reads->only(ReadKind::kResolve));
  const auto readers = join_all(2, 300);
  reads->answer(reads->only(ReadKind::kDecide));
  const std::size_t bad = 123;
  // A batch with the bad one in it fails as a whole.
  std::size_t from = 0;
  while (!reads->pending(ReadKind::kDecide).empty()) {
    const auto call = reads->pending(ReadKind::kDecide).front();
    const bool has_bad = std::ranges::count(call->actors, user_id(static_cast<int>(bad))) > 0;
    reads->answer(call, has_bad ? std::optional(core::Error::internal()) : std::nullopt);
    ASSERT_LT(++from, 30U);
  }
  for (const auto& one : readers) {
    const bool is_bad = one->actor().id == user_id(static_cast<int>(bad));
    EXPECT_EQ(one->heard, (is_bad ? Heard{"refused "} : Heard{"joined"}));
  }
}

TEST_F(HerdTest, AbsenceOfARoomIsTheAnswerToWhoAskedAndTheOthersAskForThemselves) {
  const domain::RoomTarget nowhere{domain::RoomKind::kDiscussion, {55}};
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 1; i <= 3; ++i) join(*readers.emplace_back(reader(i)), nowhere);
  reads->answer(reads->only(ReadKind::kResolve));
  EXPECT_EQ(readers[0]->heard, (Heard{"refused "}));
  EXPECT_EQ(reads_of(ReadKind::kResolve), 2U);
  hub->remove(*readers[1]);
  reads->settle();
  EXPECT_EQ(readers[1]->heard, Heard{});
  EXPECT_EQ(readers[2]->heard, (Heard{"refused "}));
  EXPECT_EQ(hub->counts().subscribers, 0U);
}

TEST_F(HerdTest, TargetThatCannotBeReadIsAnsweredToAllWhoWaitForIt) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 1; i <= 3; ++i) join(*readers.emplace_back(reader(i)));
  reads->answer(reads->only(ReadKind::kResolve), core::Error::unavailable("away"));
  EXPECT_TRUE(reads->calls.empty());
  for (const auto& one : readers) EXPECT_EQ(one->heard, (Heard{"refused "}));
  join_and_settle(*readers[0]);
  EXPECT_EQ(readers[0]->heard.back(), "joined");
}

TEST_F(HerdTest, WhoAskedForTheTargetMayGoAndTheOthersStillJoin) {
  auto first = reader(1);
  auto second = reader(2);
  join(*first);
  join(*second);
  hub->remove(*first);
  reads->settle();
  EXPECT_EQ(first->heard, Heard{});
  EXPECT_EQ(second->heard, (Heard{"joined"}));
}

class PacedHerdTest : public HerdTest {
 protected:
  PacedHerdTest() : HerdTest(HubOptions{.join_pace = milliseconds{20}}) {}
};

TEST_F(PacedHerdTest, JoinsThatTrickleInSoonShareReadsAndWhoComesAloneNeverWaits) {
  std::vector<std::unique_ptr<Reader>> readers;
  int at_once = 0;
  for (int i = 1; i <= 60; ++i) {
    join_and_settle(*readers.emplace_back(reader(i)));
    if (!readers.back()->heard.empty()) ++at_once;
  }
  EXPECT_GE(at_once, 8);
  EXPECT_LT(at_once, 20) << "the read is answered at once: without a pace each would have one of its own";
  pass(milliseconds{100});
  EXPECT_EQ(reads->only(ReadKind::kDecide)->questions, static_cast<std::size_t>(60 - at_once));
  reads->settle();
  for (const auto& one : readers) EXPECT_EQ(one->heard, (Heard{"joined"}));
  pass(milliseconds{100});
  pass(milliseconds{100});
  join_and_settle(*readers.emplace_back(reader(100)));
  EXPECT_EQ(readers.back()->heard, (Heard{"joined"}));
}

TEST_F(PacedHerdTest, FullBatchDoesNotWait) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 1; i <= 20; ++i) join_and_settle(*readers.emplace_back(reader(i)));
  const auto waiting = 20 - std::ranges::count_if(readers, [](const auto& one) { return !one->heard.empty(); });
  ASSERT_GT(waiting, 0);
  for (int i = 21; i <= 620; ++i) join(*readers.emplace_back(reader(i)));
  EXPECT_EQ(reads->only(ReadKind::kDecide)->questions, 500U);
  reads->settle();
  pass(milliseconds{100});
  reads->settle();
  for (const auto& one : readers) EXPECT_EQ(one->heard, (Heard{"joined"}));
}

/// With a clock that is finer than the wheel's.
class QuietHerdTest : public HerdTest {
 protected:
  QuietHerdTest()
      : HerdTest(HubOptions{.join_pace = milliseconds{20}, .soon = [this](auto delay, auto task) {
                              soon_.emplace_back(passed_ + delay, std::move(task));
                            }}) {}

  void pass_soon(milliseconds by) {
    pass(by);
    passed_ += by;
    for (auto& [due, task] : std::exchange(soon_, {})) {
      if (due <= passed_) {
        task();
      } else {
        soon_.emplace_back(due, std::move(task));
      }
    }
  }
  /// One a millisecond, until the pace holds the next ones back.
  void become_a_herd() {
    while (herd_.empty() || !herd_.back()->heard.empty()) {
      join_and_settle(*herd_.emplace_back(reader(static_cast<int>(herd_.size()) + 1)));
      pass_soon(milliseconds{1});
    }
  }

  std::vector<std::unique_ptr<Reader>> herd_;

 private:
  std::chrono::microseconds passed_{0};
  std::vector<std::pair<std::chrono::microseconds, std::function<void()>>> soon_;
};

TEST_F(QuietHerdTest, HerdThatIsCompleteDoesNotWaitForTheEndOfItsPace) {
  become_a_herd();
  EXPECT_EQ(reads_of(ReadKind::kDecide), 0U);
  pass_soon(milliseconds{1});
  EXPECT_EQ(reads_of(ReadKind::kDecide), 0U);
  pass_soon(milliseconds{15});
  pass_soon(milliseconds{1});
  EXPECT_EQ(reads->only(ReadKind::kDecide)->questions, 1U);
  reads->settle();
  EXPECT_EQ(herd_.back()->heard, (Heard{"joined"}));
}

TEST_F(QuietHerdTest, HerdThatStillComesIsWaitedFor) {
  become_a_herd();
  for (int i = 0; i < 12; ++i) {
    join(*herd_.emplace_back(reader(500 + i)));
    pass_soon(milliseconds{1});
    EXPECT_EQ(reads_of(ReadKind::kDecide), 0U) << i;
  }
  pass(milliseconds{100});
  EXPECT_EQ(reads->only(ReadKind::kDecide)->questions, 13U) << "but no longer than the pace";
  reads->settle();
}

}  // namespace
}  // namespace belfry::realtime::testing
