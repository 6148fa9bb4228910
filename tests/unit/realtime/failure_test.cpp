#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

/// What others do wrong: it costs themselves a room, and nobody a frame.
class FailureTest : public HubTest {
 protected:
  FailureTest() : HubTest(HubOptions{.recheck_interval = std::chrono::seconds{0}}) {
    start();
    for (auto* one : {first.get(), broken.get(), last.get()}) {
      join_and_settle(*one);
      one->heard.clear();
    }
  }
  void write() { tell({world.append(kRoom)}); }

  std::unique_ptr<Reader> first = reader(1);
  std::unique_ptr<Reader> broken = reader(2);
  std::unique_ptr<Reader> last = reader(3);
};

const std::string kLeft = "left 7 SERVICE_UNAVAILABLE";

TEST_F(FailureTest, ReaderThatThrowsIsLeftAndTheOthersLoseNothing) {
  broken->throws = true;
  write();
  write();
  EXPECT_EQ(broken->heard, (Heard{kLeft}));
  EXPECT_EQ(first->heard, (Heard{"7#1", "7#2"}));
  EXPECT_EQ(last->heard, (Heard{"7#1", "7#2"}));
  EXPECT_EQ(hub->counts().subscriptions, 2U);
}

TEST_F(FailureTest, ReaderThatThrowsWhileItIsRefilledIsLeft) {
  broken->room_for = 0;
  write();
  broken->room_for = 10;
  broken->throws = true;
  hub->drained(*broken);
  reads->settle();
  EXPECT_EQ(broken->heard, (Heard{kLeft}));
  EXPECT_EQ(first->heard, (Heard{"7#1"}));
}

TEST_F(FailureTest, EventThatCannotBeEncodedEndsTheRoomForItsDialectOnly) {
  NumberEncoder other;
  Reader of_other(other, user_id(4));
  join_and_settle(of_other);
  of_other.heard.clear();
  encoder.fails_at = 1;
  write();
  EXPECT_EQ(first->heard, (Heard{kLeft}));
  EXPECT_EQ(last->heard, (Heard{kLeft}));
  EXPECT_EQ(encoder.encoded, 1) << "it is not tried for every reader";
  EXPECT_EQ(of_other.heard, (Heard{"7#1"}));
  join_and_settle(*first);
  write();
  EXPECT_EQ(first->heard, (Heard{kLeft, "joined", "7#2"}));
  EXPECT_EQ(of_other.heard, (Heard{"7#1", "7#2"}));
  hub->remove(*first);
  hub->remove(of_other);
  EXPECT_EQ(hub->counts().rooms, 0U) << "nothing of the failed walk is left";
}

TEST_F(FailureTest, JoinWhoseAnswerThrowsDoesNotKeepTheOthersOfItsBatchWaiting) {
  std::vector<std::unique_ptr<Reader>> many;
  for (int i = 10; i < 30; ++i) {
    many.push_back(reader(i));
    join_and_settle(*many.back(), kTalkTarget);  // introduced: their next joins share reads
    many.back()->heard.clear();
  }
  int answered = 0;
  for (auto& one : many) {
    hub->join(*one, kRoomTarget, [&answered](core::Result<Joined>) {
      if (++answered % 3 == 1) throw std::runtime_error("cannot be told");
    });
  }
  reads->settle();
  EXPECT_EQ(answered, 20);
}

TEST_F(FailureTest, PageOfALogIsSmallerTheMoreReadersItGoesTo) {
  std::vector<std::unique_ptr<Reader>> many;
  for (int i = 100; i < 600; ++i) {
    many.push_back(reader(i));
    join_and_settle(*many.back());
    many.back()->heard.clear();
  }
  for (int i = 0; i < 300; ++i) world.append(kRoom);
  hub->on_hint();
  int pages = 0;
  while (!reads->calls.empty()) {
    const auto call = reads->calls.front();
    const auto before = many.front()->heard.size();
    reads->answer(call);
    const auto got = many.front()->heard.size() - before;
    EXPECT_LE(got * (many.size() + 3), 50'000U) << "in one piece";
    if (call->kind == ReadKind::kPage) ++pages;
  }
  EXPECT_EQ(many.front()->heard.size(), 300U);
  EXPECT_EQ(many.back()->heard, many.front()->heard);
  EXPECT_GE(pages, 4);
}

}  // namespace
}  // namespace belfry::realtime::testing
