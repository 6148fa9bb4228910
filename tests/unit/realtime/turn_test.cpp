#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

/// Counts pieces beside what they say.
class Socket final : public Subscriber {
 public:
  Socket(const Encoder& encoder, UserId id) : encoder_(encoder) {
    actor_.type = domain::ActorType::kUser;
    actor_.id = id;
  }
  const domain::Actor& actor() const override { return actor_; }
  const Encoder& encoder() const override { return encoder_; }
  bool writable() const override { return room_for > 0; }
  bool deliver(const SharedFrame& frame, core::TimePoint) override {
    if (!writable()) return false;
    --room_for;
    std::string piece;
    for (std::size_t i = 0; i < frame->count(); ++i) piece += (i > 0 ? " " : "") + std::string(frame->text(i));
    heard.push_back(piece);
    return true;
  }
  void room_left(const RoomKey&, core::Reason reason) override {
    heard.push_back("left " + std::string(core::reason_name(reason)));
  }

  int room_for = 1'000'000;
  std::vector<std::string> heard;

 private:
  const Encoder& encoder_;
  domain::Actor actor_;
};

/// As long as its event's number says, in KiB.
class LongEncoder final : public Encoder {
 public:
  SharedFrame encode(const domain::Event& event) const override {
    return make_frame(std::string(static_cast<std::size_t>(event.seq) * 1024, 'x'));
  }
  telemetry::EventDialect dialect() const override { return telemetry::EventDialect::kNative; }
};

class TurnTest : public HubTest {
 protected:
  TurnTest() : HubTest(HubOptions{.at_turn_end = [this](std::function<void()> hook) { end_turn = std::move(hook); }}) {
    hub->hook_turn_end();
    start();
    enter(*alice);
    enter(*bob);
  }
  void enter(Subscriber& who) {
    hub->join(who, kRoomTarget, [](const core::Result<Joined>& joined) { EXPECT_TRUE(joined); });
    reads->settle();
  }

  std::function<void()> end_turn;
  std::unique_ptr<Socket> alice = std::make_unique<Socket>(encoder, user_id(1));
  std::unique_ptr<Socket> bob = std::make_unique<Socket>(encoder, user_id(2));
};

TEST_F(TurnTest, EventsOfOneTurnLeaveAsOneFrameAtItsEnd) {
  tell({world.append(kRoom)});
  tell({world.append(kRoom), world.append(kRoom)});
  EXPECT_EQ(alice->heard, Heard{});
  end_turn();
  EXPECT_EQ(alice->heard, (Heard{"7#1 7#2 7#3"}));
  EXPECT_EQ(bob->heard, alice->heard);
  EXPECT_EQ(encoder.encoded, 3) << "once for everybody";
  EXPECT_EQ(metrics.deliveries.value(), 6U);
  end_turn();
  EXPECT_EQ(alice->heard.size(), 1U);
}

TEST_F(TurnTest, ControlRecordLetsWhatWasBeforeItGoFirst) {
  tell({world.append(kRoom), world.ban(kRoom, user_id(1)), world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
  end_turn();
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "left DISCUSSION_BANNED"}));
  EXPECT_EQ(bob->heard, (Heard{"7#1", "7#3"}));
}

TEST_F(TurnTest, RevocationLetsWhatWasBeforeItGoFirst) {
  tell({world.append(kRoom)});
  tell({world.revoke(user_id(1))});
  tell({world.append(kRoom)});
  end_turn();
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "left ENTITLEMENT_REQUIRED"}));
  EXPECT_EQ(bob->heard, (Heard{"7#1", "7#2"}));
}

TEST_F(TurnTest, WhoIsSuspendedWithinTheTurnIsRefilledFromBeforeIt) {
  tell({world.append(kRoom), world.append(kRoom)});
  hub->actor_changed(*alice);
  end_turn();
  EXPECT_EQ(alice->heard, Heard{});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
  EXPECT_EQ(bob->heard, (Heard{"7#1 7#2"}));
}

TEST_F(TurnTest, WhoJoinsWithinTheTurnGetsOnlyWhatIsAfterTheirHead) {
  Socket carol(encoder, user_id(3));
  tell({world.append(kRoom)});
  enter(carol);
  tell({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(carol.heard, (Heard{"7#2"}));
  EXPECT_EQ(alice->heard, (Heard{"7#1 7#2"}));
  hub->remove(carol);
}

TEST_F(TurnTest, WhoJoinsAgainWithinTheTurnHearsTheirOwnPosition) {
  const auto first = world.append(kRoom);
  tell({first});
  end_turn();
  tell({world.append(kRoom)});
  std::optional<core::EventId> last;
  hub->join(*alice, kRoomTarget, [&](core::Result<Joined> joined) { last = joined->last_event_id; });
  EXPECT_EQ(last, first->id) << "the second event is still to come";
  end_turn();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
}

TEST_F(TurnTest, WhoLeavesWithinTheTurnHearsNoMore) {
  tell({world.append(kRoom)});
  hub->leave(*alice, kRoom);
  end_turn();
  EXPECT_EQ(alice->heard, Heard{});
  EXPECT_EQ(bob->heard, (Heard{"7#1"}));
}

TEST_F(TurnTest, RightThatEndsAmongTheEventsOfATurnCutsThemThere) {
  Socket carol(encoder, user_id(3));
  world.valid_until[user_id(3)] = clock.now() + milliseconds{100};
  enter(carol);
  const auto early = world.append(kRoom);
  pass(milliseconds{10});
  auto late = world.append(kRoom);
  // Written when the right had ended, by the clock of the database, which is ahead of ours.
  const auto id = core::Uuid::v7_after(early->id.value, clock.now() + milliseconds{200});
  std::const_pointer_cast<domain::Event>(late)->id = core::EventId{id};
  tell({early, late});
  end_turn();
  EXPECT_EQ(carol.heard, (Heard{"7#1"}));
  EXPECT_EQ(alice->heard, (Heard{"7#1 7#2"}));
  hub->remove(carol);
}

TEST_F(TurnTest, OneEventThatCannotBeToldEndsTheStayBehindThoseBeforeIt) {
  encoder.fails_at = 2;
  tell({world.append(kRoom), world.append(kRoom), world.append(kRoom)});
  end_turn();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "left SERVICE_UNAVAILABLE"}));
}

TEST_F(TurnTest, LongTurnLeavesInPiecesSoThatAFullSocketIsNoticed) {
  const LongEncoder longer;
  Socket carol(longer, user_id(3));
  carol.room_for = 1;
  hub->remove(*alice);
  hub->remove(*bob);
  enter(carol);
  std::vector<SharedEvent> events;
  for (int i = 0; i < 20; ++i) events.push_back(world.append(kRoom));
  tell(events);
  end_turn();
  ASSERT_EQ(carol.heard.size(), 1U);
  EXPECT_GE(carol.heard.front().size(), 64U * 1024);
  EXPECT_LT(carol.heard.front().size(), 100U * 1024);
  carol.room_for = 1000;
  hub->drained(carol);
  reads->settle();
  std::size_t all = 0;
  for (const auto& piece : carol.heard) all += piece.size();
  EXPECT_GE(all, 210U * 1024);
  hub->remove(carol);
}

/// A room of a hundred: one more write to each of them takes half a millisecond.
class CrowdTest : public HubTest {
 protected:
  CrowdTest()
      : HubTest(HubOptions{.soon =
                               [this](std::chrono::microseconds delay, std::function<void()> call) {
                                 asked = delay;
                                 wake = std::move(call);
                               },
                           .at_turn_end = [this](std::function<void()> hook) { end_turn = std::move(hook); },
                           .last_pass = [this] { return pass_over_sockets; }}) {
    hub->hook_turn_end();
    start();
    for (int number = 1; number <= 100; ++number) {
      crowd.push_back(std::make_unique<Socket>(encoder, user_id(number)));
      hub->join(*crowd.back(), kRoomTarget, [](const core::Result<Joined>& joined) { EXPECT_TRUE(joined); });
    }
    reads->settle();
  }
  void tell_of_more(std::vector<SharedEvent> events) {
    domain::CommitNotice notice{.rooms = {{kRoom, std::move(events)}}};
    notice.more = true;
    hub->on_commit(notice);
  }
  Heard heard() const { return crowd.front()->heard; }

  std::function<void()> end_turn;
  SendPass pass_over_sockets;
  std::chrono::microseconds asked{};
  std::function<void()> wake;
  std::vector<std::unique_ptr<Socket>> crowd;
};

TEST_F(CrowdTest, WaitsForTheNextCommitOfItsWriter) {
  tell_of_more({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard(), Heard{});
  EXPECT_EQ(asked, std::chrono::microseconds{500}) << "as long as the writes would take";
  tell({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard(), (Heard{"7#1 7#2"}));
}

TEST_F(CrowdTest, KnowsFromTheLastPassWhatAWriteTakes) {
  pass_over_sockets = {.number = 1, .took = milliseconds{20}, .sockets = 1000};
  tell_of_more({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(asked, milliseconds{2});
  tell({world.append(kRoom)});
  end_turn();
  pass_over_sockets = {.number = 2, .took = std::chrono::seconds{1}, .sockets = 1000};
  wake();
  tell_of_more({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(asked, milliseconds{12}) << "and no longer, however long that was";
}

TEST_F(CrowdTest, DoesNotWaitLongerThanTheWritesWouldTake) {
  tell_of_more({world.append(kRoom)});
  end_turn();
  pass(milliseconds{1});
  tell_of_more({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard(), (Heard{"7#1 7#2"}));
}

TEST_F(CrowdTest, WaitsForThePassThatRunsAndAsLongAgain) {
  pass_over_sockets.running = true;
  tell({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard(), Heard{});
  wake();
  pass_over_sockets = {.running = false, .ended = wheel.now(), .took = milliseconds{3}};
  pass(milliseconds{2});
  tell({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard(), Heard{});
  EXPECT_EQ(asked, milliseconds{1});
  pass(milliseconds{1});
  end_turn();
  EXPECT_EQ(heard(), (Heard{"7#1 7#2"}));
  tell({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard().size(), 2U) << "no pass runs, nothing is waited for";
}

TEST_F(CrowdTest, ThePassOfAnotherRoomThatComesNextIsNotWaitedFor) {
  pass_over_sockets = {.number = 1, .running = true};
  tell({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard(), Heard{});
  pass_over_sockets = {.number = 2, .running = true};
  end_turn();
  EXPECT_EQ(heard(), (Heard{"7#1"}));
}

TEST_F(CrowdTest, APassThatDoesNotEndIsNotWaitedFor) {
  pass_over_sockets.running = true;
  tell({world.append(kRoom)});
  end_turn();
  pass(milliseconds{50});
  end_turn();
  EXPECT_EQ(heard(), (Heard{"7#1"}));
}

TEST_F(CrowdTest, WhoLosesARightWhileTheRoomWaitsHasHadWhatWasBefore) {
  pass_over_sockets.running = true;
  tell({world.append(kRoom)});
  end_turn();
  tell({world.ban(kRoom, user_id(1))});
  tell({world.append(kRoom)});
  pass(milliseconds{50});
  end_turn();
  reads->settle();
  EXPECT_EQ(heard(), (Heard{"7#1", "left DISCUSSION_BANNED"}));
  EXPECT_EQ(crowd.back()->heard, (Heard{"7#1", "7#3"}));
}

TEST_F(CrowdTest, SmallRoomsDoNotWait) {
  for (int number = 51; number <= 100; ++number) hub->remove(*crowd[static_cast<std::size_t>(number - 1)]);
  pass_over_sockets.running = true;
  tell_of_more({world.append(kRoom)});
  end_turn();
  EXPECT_EQ(heard(), (Heard{"7#1"}));
}

}  // namespace
}  // namespace belfry::realtime::testing
