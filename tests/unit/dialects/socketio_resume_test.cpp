#include "unit/dialects/socketio_fixture.hpp"

namespace belfry::dialects::testing {
namespace {

using ::testing::StartsWith;

/// What a stock client would have kept of what it was told.
struct Kept {
  std::string sid;
  std::string pid;
  std::string offset;
};

class SocketIoResumeTest : public SocketIoTest {
 protected:
  void keep(Kept& kept, const std::vector<std::string>& said) const {
    if (const auto greeting = connected(said); greeting.is_object()) {
      kept.sid = greeting.at("sid");
      kept.pid = greeting.at("pid");
    }
    for (const auto& text : said) {
      const auto array = event(text);
      if (array.is_array() && array.back().is_string() && array.size() > 1) kept.offset = array.back();
    }
  }
  /// A client in these rooms whose connection ends.
  Kept leave_behind(std::initializer_list<int> rooms) {
    Kept kept;
    const auto socket = enter();
    keep(kept, socket->sink.take());
    for (const int room : rooms) keep(kept, join(*socket, room));
    lose(*socket);
    return kept;
  }
  std::unique_ptr<Socket> come_back(const Kept& kept, const std::string& token = "one") {
    return enter(token, kept.pid, kept.offset);
  }
};

TEST_F(SocketIoResumeTest, WhatWasMissedComesOnceAndBeforeWhatIsNew) {
  happens(5);
  const auto kept = leave_behind({7, 5, 6});
  std::vector<std::string> missed;
  const auto first = happens(5);
  const auto second = happens(7);
  const auto third = happens(5);
  const auto socket = come_back(kept);
  const auto said = socket->sink.take();
  EXPECT_EQ(connected(said).at("pid"), kept.pid);
  EXPECT_EQ(connected(said).at("sid"), kept.sid);
  EXPECT_THAT(event_ids(said), ElementsAre(id_of(first), id_of(third), id_of(second)));
  const auto live = happens(6);
  EXPECT_THAT(event_ids(socket->sink.take()), ElementsAre(id_of(live)));
  EXPECT_EQ(metrics.socketio_recovered.value(), 1U);
}

TEST_F(SocketIoResumeTest, EachMissedEventMovesThePosition) {
  auto kept = leave_behind({7, 5});
  happens(5);
  const auto second = happens(5);
  auto socket = come_back(kept);
  auto said = socket->sink.take();
  lose(*socket);
  said.pop_back();  // the connection ended in front of the last one
  keep(kept, said);
  socket = come_back(kept);
  EXPECT_THAT(event_ids(socket->sink.take()), ElementsAre(id_of(second)));
}

TEST_F(SocketIoResumeTest, ALeftRoomStaysLeft) {
  Kept kept;
  auto socket = enter();
  keep(kept, socket->sink.take());
  keep(kept, join(*socket, 7));
  keep(kept, join(*socket, 5));
  keep(kept, say(*socket, R"(42["communication:leave_channel_posts",{"channelId":7}])"));
  lose(*socket);
  happens(7);
  const auto missed = happens(5);
  socket = come_back(kept);
  EXPECT_THAT(event_ids(socket->sink.take()), ElementsAre(id_of(missed)));
  happens(7);
  EXPECT_THAT(event_ids(socket->sink.take()), IsEmpty());
}

TEST_F(SocketIoResumeTest, ARoomWhoseRightIsGoneIsLeftOutAndTheOthersGoOn) {
  work.vips.insert(user_id(1));
  const auto kept = leave_behind({8, 5});
  work.vips.clear();
  happens(8);
  const auto missed = happens(5);
  const auto socket = come_back(kept);
  const auto said = socket->sink.take();
  EXPECT_EQ(connected(said).at("pid"), kept.pid);
  ASSERT_GE(said.size(), 3U);
  EXPECT_EQ(event(said[1])[0], "communication:room_left");
  EXPECT_EQ(event(said[1])[1].at("room"), "communication:channel:8:posts");
  EXPECT_EQ(event(said[2])[0], "communication:position");
  EXPECT_THAT(event_ids(said), ElementsAre(id_of(missed)));
  happens(8);
  EXPECT_THAT(event_ids(socket->sink.take()), IsEmpty());
}

TEST_F(SocketIoResumeTest, WhatHappensMeanwhileComesBehindWhatWasMissed) {
  const auto kept = leave_behind({7});
  const auto missed = happens(7);
  auto socket = open_line();
  socket->sink.take();
  socket->session->on_text("40" + Json({{"token", "one"}, {"pid", kept.pid}, {"offset", kept.offset}}).dump(), [] {});
  std::vector<domain::SharedEvent> meanwhile;
  while (database.waiting() > 0) {
    meanwhile.push_back(post_event(7));
    tell(meanwhile.back());
    database.settle();
  }
  settle();
  std::vector<std::string> expected{id_of(missed)};
  for (const auto& one : meanwhile) expected.push_back(id_of(one));
  const auto said = socket->sink.take();
  EXPECT_EQ(connected(said).at("pid"), kept.pid);
  EXPECT_EQ(event_ids(said), expected);
}

TEST_F(SocketIoResumeTest, WhatHappensAtTheLastMomentComesBehindWhatWasMissed) {
  const auto kept = leave_behind({7});
  const auto missed = happens(7);
  const auto socket = open_line();
  socket->sink.take();
  socket->session->on_text("40" + Json({{"token", "one"}, {"pid", kept.pid}, {"offset", kept.offset}}).dump(), [] {});
  database.settle();  // the rooms are joined and read; the client is not in yet
  const auto live = post_event(7);
  tell(live);
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  settle();
  EXPECT_THAT(event_ids(socket->sink.take()), ElementsAre(id_of(missed), id_of(live)));
}

TEST_F(SocketIoResumeTest, WhatCannotBeProvedIsNotRecovered) {
  auto kept = leave_behind({7, 5});
  happens(7);
  const auto theirs = [&] {
    Kept other;
    const auto socket = enter("two");
    keep(other, socket->sink.take());
    lose(*socket);
    return other;
  }();
  struct Case {
    std::string name;
    Kept shown;
    std::string token = "one";
  };
  auto forged = kept;
  forged.offset.back() = forged.offset.back() == 'A' ? 'B' : 'A';
  auto forged_pid = kept;
  forged_pid.pid[10] = forged_pid.pid[10] == 'A' ? 'B' : 'A';
  const std::vector<Case> cases{
      {"no offset", {kept.sid, kept.pid, ""}},
      {"no pid", {kept.sid, "", kept.offset}},
      {"a changed offset", forged},
      {"a changed pid", forged_pid},
      {"the pid of another user", {kept.sid, theirs.pid, kept.offset}},
      {"another user with both", kept, "two"},
      {"the sign for too many rooms", {kept.sid, kept.pid, "-"}},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    const auto socket = come_back(test.shown, test.token);
    const auto said = socket->sink.take();
    ASSERT_EQ(said.size(), 1U);
    EXPECT_NE(connected(said).at("pid"), kept.pid);
    EXPECT_NE(connected(said).at("sid"), kept.sid);
    EXPECT_EQ(hub.counts().subscriptions, 0U);
    lose(*socket);
  }
}

TEST_F(SocketIoResumeTest, ARefusedOffsetIsNotTakenUnderTheNewPidEither) {
  auto kept = leave_behind({7});
  const auto good = kept;
  kept.offset = leave_behind({5}).offset;
  auto stolen = Kept{kept.sid, "", good.offset};
  auto socket = come_back(stolen);  // an offset alone proves nothing
  const auto renewed = connected(socket->sink.take());
  lose(*socket);
  socket = come_back({"", renewed.at("pid"), good.offset});
  EXPECT_NE(connected(socket->sink.take()).at("pid"), renewed.at("pid"));
}

TEST_F(SocketIoResumeTest, MoreThanTheLimitIsNotRecovered) {
  const auto kept = leave_behind({7});
  for (int i = 0; i < 501; ++i) post_event(7);
  const auto socket = come_back(kept);
  const auto said = socket->sink.take();
  EXPECT_EQ(said.size(), 1U);
  EXPECT_NE(connected(said).at("pid"), kept.pid);
  EXPECT_EQ(metrics.socketio_not_recovered.value(), 1U);
}

TEST_F(SocketIoResumeTest, AnEventThatTheRoomNeverHadIsAGap) {
  const auto kept = leave_behind({7});
  happens(7);
  auto again = leave_behind({7});
  work.logs[domain::posts_room({7})].clear();  // another history
  work.append(domain::posts_room({7}), domain::EventType::kPostCreated, domain::PostPayload{});
  hub.on_database_restored();
  settle();
  const auto socket = come_back(again);
  EXPECT_NE(connected(socket->sink.take()).at("pid"), again.pid);
}

TEST_F(SocketIoResumeTest, WhatWasNotTakenIsMissed) {
  for (const auto& rooms : {std::vector{7}, std::vector{7, 5}}) {
    Kept kept;
    auto socket = enter();
    keep(kept, socket->sink.take());
    for (const int room : rooms) keep(kept, join(*socket, room));
    socket->sink.takes = false;
    const auto missed = happens(7);
    socket->sink.takes = true;
    keep(kept, say(*socket, R"(42["communication:leave_channel_posts",{"channelId":6}])"));
    keep(kept, join(*socket, 4));  // says the position anew
    lose(*socket);
    socket = come_back(kept);
    EXPECT_THAT(event_ids(socket->sink.take()), ElementsAre(id_of(missed)));
    lose(*socket);
  }
}

TEST_F(SocketIoResumeTest, ARoomThatEndsOnTheWayInIsNoProof) {
  work.vips.insert(user_id(1));
  const auto kept = leave_behind({8, 5});
  const auto socket = open_line();
  socket->sink.take();
  socket->session->on_text("40" + Json({{"token", "one"}, {"pid", kept.pid}, {"offset", kept.offset}}).dump(), [] {});
  database.settle();
  ASSERT_EQ(hub.counts().subscriptions, 2U);
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  work.vips.clear();
  tell(work.append(domain::posts_room({8}), domain::EventType::kControl,
                   domain::ControlPayload{{}, domain::ControlKind::kPolicy, {}}));
  settle();
  EXPECT_NE(connected(socket->sink.take()).at("pid"), kept.pid);
  EXPECT_EQ(hub.counts().subscriptions, 0U);
}

TEST_F(SocketIoResumeTest, WhatWasMissedIsNotDeliveredOnceTheRightToItHasEnded) {
  work.vips.insert(user_id(1));
  work.vips_until = clock.now() + seconds{60};
  const auto kept = leave_behind({8, 5});
  happens(8);
  const auto socket = open_line();
  socket->sink.take();
  socket->session->on_text("40" + Json({{"token", "one"}, {"pid", kept.pid}, {"offset", kept.offset}}).dump(), [] {});
  database.settle();
  ASSERT_EQ(hub.counts().subscriptions, 2U);
  clock.pass(seconds{60});  // and nobody has told the hub yet
  settle();
  const auto said = socket->sink.take();
  EXPECT_THAT(event_ids(said), IsEmpty());
  EXPECT_NE(connected(said).at("pid"), kept.pid);
}

TEST_F(SocketIoResumeTest, WhatCannotBeDecidedAtTheMomentIsWaitedFor) {
  const auto kept = leave_behind({7, 5});
  const auto missed = happens(7);
  database.away = true;
  const auto socket = come_back(kept);
  pass(seconds{3});
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  database.away = false;
  pass(seconds{1});
  const auto said = socket->sink.take();
  EXPECT_EQ(connected(said).at("pid"), kept.pid);
  EXPECT_THAT(event_ids(said), ElementsAre(id_of(missed)));
}

TEST_F(SocketIoResumeTest, WhatStaysUndecidedIsNotRecovered) {
  const auto kept = leave_behind({7});
  database.away = true;
  const auto socket = come_back(kept);
  for (int i = 0; i < 40; ++i) pass(milliseconds{250});
  EXPECT_NE(connected(socket->sink.take()).at("pid"), kept.pid);
}

TEST_F(SocketIoResumeTest, ATokenThatEndsOnTheWayInEndsTheWay) {
  const auto kept = leave_behind({7});
  happens(7);
  authenticator.know("short", 1, seconds{60});
  const auto socket = open_line();
  socket->sink.take();
  socket->session->on_text("40" + Json({{"token", "short"}, {"pid", kept.pid}, {"offset", kept.offset}}).dump(), [] {});
  database.settle();
  clock.pass(seconds{61});
  settle();
  EXPECT_THAT(event_ids(socket->sink.take()), IsEmpty());
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
}

TEST_F(SocketIoResumeTest, WithoutADatabaseNobodyIsLetInNorSentAwayForGood) {
  const auto kept = leave_behind({7});
  happens(7);
  const auto before = std::exchange(socketio, make_dialect(options()));  // a server that has just begun
  database.away = true;
  const auto socket = come_back(kept);
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  EXPECT_EQ(socket->sink.closed, CloseCode::kGoingAway);
}

}  // namespace
}  // namespace belfry::dialects::testing
