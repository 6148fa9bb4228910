#include "unit/dialects/native_fixture.hpp"

namespace belfry::dialects::testing {
namespace {

constexpr std::string_view kJoin7 = R"({"event":"communication:join_channel_posts","data":{"channelId":7}})";

class NativeIdentityTest : public NativeTest {
 protected:
  std::vector<std::string> authenticate(Socket& socket, const std::string& token) {
    return say(socket, R"({"id":1,"event":"authenticate","data":{"token":")" + token + R"("}})");
  }
};

TEST_F(NativeIdentityTest, WithoutATokenEveryRoomCommandIsUnauthorized) {
  const auto socket = open(std::nullopt);
  for (const std::string event : {"join_channel_posts", "leave_channel_posts", "join_discussion", "leave_discussion",
                                  "sync_channel_posts", "sync_discussion"}) {
    SCOPED_TRACE(event);
    const auto replies = say(*socket, R"({"event":"communication:)" + event + R"(","data":{}})");
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_THAT(replies[0], HasSubstr(R"("code":"UNAUTHORIZED")"));
    EXPECT_THAT(replies[0], HasSubstr(R"("reason":"LOGIN_REQUIRED")"));
  }
  EXPECT_EQ(say(*socket, R"({"event":"ping"})").size(), 1U);
}

TEST_F(NativeIdentityTest, NoTokenForTenSecondsCloses) {
  const auto silent = open(std::nullopt);
  const auto logged_in = open(std::nullopt);
  pass(seconds{9});
  EXPECT_FALSE(silent->sink.closed);
  authenticate(*logged_in, "one");
  pass(seconds{2});
  EXPECT_EQ(silent->sink.closed, CloseCode::kUnauthorized);
  EXPECT_FALSE(logged_in->sink.closed);
}

TEST_F(NativeIdentityTest, FirstFrameMayLogIn) {
  const auto socket = open(std::nullopt);
  EXPECT_THAT(authenticate(*socket, "one"),
              ElementsAre(R"({"id":1,"event":"authenticate","ok":true,"data":{"userId":")" + user_id(1).value.text() +
                          R"(","expiresAt":")" + core::format_iso8601(clock.now() + seconds{3600}) + R"("}})"));
  EXPECT_THAT(say(*socket, kJoin7).front(), HasSubstr(R"("ok":true)"));
}

TEST_F(NativeIdentityTest, BadTokenIsUnauthorizedAndTheOldIdentityGoesOn) {
  const auto socket = open("one");
  EXPECT_THAT(authenticate(*socket, "nonsense").front(), HasSubstr(R"("code":"UNAUTHORIZED")"));
  EXPECT_THAT(say(*socket, kJoin7).front(), HasSubstr(R"("ok":true)"));
}

TEST_F(NativeIdentityTest, TokenOfSomebodyElseIsForbiddenAndTheOldIdentityGoesOn) {
  const auto socket = open("one");
  EXPECT_THAT(authenticate(*socket, "two").front(), HasSubstr(R"("code":"FORBIDDEN")"));
  EXPECT_THAT(say(*socket, kJoin7).front(), HasSubstr(R"("ok":true)"));
}

TEST_F(NativeIdentityTest, ExpiryIsAnnouncedAMinuteBeforeAndThenCloses) {
  authenticator.know("short", 1, seconds{120});
  const auto end = clock.now() + seconds{120};
  const auto socket = open("short");
  pass(seconds{59});
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  pass(seconds{1} + milliseconds{100});
  EXPECT_THAT(socket->sink.take(),
              ElementsAre(R"({"event":"auth:expiring","data":{"expiresAt":")" + core::format_iso8601(end) + R"("}})"));
  pass(seconds{58});
  EXPECT_FALSE(socket->sink.closed);
  pass(seconds{2});
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
  EXPECT_THAT(socket->sink.take(), IsEmpty());
}

TEST_F(NativeIdentityTest, ExpiryThatIsNearIsAnnouncedAtOnceAfterTheReply) {
  authenticator.know("nearly", 1, seconds{20});
  const auto socket = open(std::nullopt);
  EXPECT_THAT(authenticate(*socket, "nearly"),
              ElementsAre(HasSubstr(R"("event":"authenticate","ok":true)"), HasSubstr(R"("event":"auth:expiring")")));
}

TEST_F(NativeIdentityTest, RenewedTokenLivesOnAndIsAnnouncedAgain) {
  authenticator.know("short", 1, seconds{70});
  authenticator.know("longer", 1, seconds{200});
  const auto socket = open("short");
  pass(seconds{15});
  EXPECT_EQ(socket->sink.take().size(), 1U);
  EXPECT_EQ(authenticate(*socket, "longer").size(), 1U);
  pass(seconds{60});
  EXPECT_FALSE(socket->sink.closed);
  pass(seconds{70});
  EXPECT_EQ(socket->sink.take().size(), 1U);
  pass(seconds{60});
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
}

TEST_F(NativeIdentityTest, CommandAtTheVeryEndIsNotRunEvenBeforeTheTimer) {
  authenticator.know("short", 1, seconds{120});
  const auto socket = open("short");
  clock.pass(seconds{120});  // the wheel has not turned
  EXPECT_THAT(say(*socket, kJoin7), IsEmpty());
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
  EXPECT_EQ(socket->dones, 1);
}

TEST_F(NativeIdentityTest, NothingIsDeliveredFromTheTokensLastInstantOn) {
  authenticator.know("short", 1, seconds{120});
  const auto socket = open("short");
  say(*socket, kJoin7);
  clock.pass(seconds{120} - milliseconds{1});
  tell(post_event(7));
  EXPECT_EQ(socket->sink.take().size(), 1U);
  clock.pass(milliseconds{1});  // the wheel has not turned
  tell(post_event(7));
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  // What was withheld is missing: no renewal that was under way brings the connection back.
  EXPECT_THAT(authenticate(*socket, "one"), IsEmpty());
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
}

TEST_F(NativeIdentityTest, AnswerThatComesAfterTheTokensEndIsNotGiven) {
  authenticator.know("short", 1, seconds{120});
  const auto socket = open("short");
  socket->session->on_text(R"({"event":"communication:sync_channel_posts","data":{"channelId":7}})",
                           [&socket] { ++socket->dones; });
  clock.pass(seconds{120});
  database.settle();
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
  EXPECT_EQ(socket->dones, 1);
}

TEST_F(NativeIdentityTest, RenewalVerifiedAfterTheOldTokensEndComesTooLate) {
  authenticator.know("short", 1, seconds{120});
  const auto socket = open("short");
  authenticator.later = true;
  EXPECT_THAT(authenticate(*socket, "one"), IsEmpty());
  clock.pass(seconds{120});  // the wheel has not turned
  authenticator.owed();
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
  EXPECT_EQ(socket->dones, 1);
}

TEST_F(NativeIdentityTest, RenewalThatTakesTheAdminsRoleDecidesItsRoomsAgain) {
  authenticator.know("admin", 1, seconds{3600}, true);
  const auto socket = open("admin");
  EXPECT_THAT(say(*socket, R"({"event":"communication:join_channel_posts","data":{"channelId":8}})").front(),
              HasSubstr(R"("ok":true)"));
  const auto heard = authenticate(*socket, "one");
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_THAT(heard[1], HasSubstr(R"("event":"communication:room_left","room":"communication:channel:8:posts")"));
  EXPECT_THAT(heard[1], HasSubstr("ENTITLEMENT_REQUIRED"));
}

TEST_F(NativeIdentityTest, ExpiryWhileATokenIsVerifiedEndsTheSession) {
  authenticator.know("short", 1, seconds{70});
  auto socket = open("short");
  authenticator.later = true;
  EXPECT_THAT(authenticate(*socket, "one"), IsEmpty());
  pass(seconds{71});
  EXPECT_EQ(socket->sink.closed, CloseCode::kUnauthorized);
  socket->session->on_closed();
  EXPECT_EQ(socket->dones, 1);
  socket->session.reset();
  authenticator.owed();
  EXPECT_EQ(socket->dones, 1);
}

}  // namespace
}  // namespace belfry::dialects::testing
