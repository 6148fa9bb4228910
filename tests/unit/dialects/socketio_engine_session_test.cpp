#include "dialects/socketio/engine_session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belfry::dialects::socketio {

/// For readable failures.
void PrintTo(const Action& action, std::ostream* out) {
  static constexpr std::array kNames{"AnswerGet",  "RefuseGet", "AnswerPost", "LetPostGo", "RefusePost", "SendText",
                                     "SendBinary", "CloseLine", "Promote",    "Deliver",   "Writable",   "Over"};
  *out << kNames.at(action.index());
  if (const auto* answer = std::get_if<AnswerGet>(&action)) *out << " " << testing::PrintToString(answer->body);
  if (const auto* refusal = std::get_if<RefusePost>(&action)) *out << " " << refusal->status;
  if (const auto* sent = std::get_if<SendText>(&action)) {
    *out << " " << static_cast<int>(sent->line) << " " << testing::PrintToString(sent->text);
  }
  if (const auto* closed = std::get_if<CloseLine>(&action)) {
    *out << " " << static_cast<int>(closed->line) << " " << static_cast<int>(closed->code);
  }
  if (const auto* given = std::get_if<Deliver>(&action)) *out << " " << testing::PrintToString(given->message.data);
  if (const auto* over = std::get_if<Over>(&action)) *out << " " << static_cast<int>(over->why);
}

namespace {

using namespace std::chrono_literals;
using namespace testing;
using enum EngineEnd;
using enum EngineTransport;
using enum Line;

const EngineSession::TimePoint kStart{1h};

EngineOptions short_times() {
  EngineOptions options;
  options.ping_interval = 300ms;
  options.ping_timeout = 200ms;
  options.upgrade_timeout = 1000ms;
  options.noop_interval = 100ms;
  options.linger = 400ms;
  options.max_payload = 100;
  options.max_buffered = 20;
  return options;
}

Deliver text_of(std::string text) { return {message_packet(std::move(text))}; }

/// A session and a clock that only moves when told.
class EngineSessionTest : public Test {
 protected:
  EngineSession polling() {
    EngineSession session(short_times(), "the-sid", kPolling, kStart);
    (void)session.open();
    return session;
  }
  EngineSession websocket() {
    EngineSession session(short_times(), "the-sid", kWebSocket, kStart);
    (void)session.open();
    return session;
  }
  /// Polling, with a probe that is answered.
  EngineSession upgrading() {
    auto session = polling();
    session.probe_opened(now());
    EXPECT_THAT(session.text(kProbe, "2probe", now()), ElementsAre(SendText{kProbe, "3probe"}));
    return session;
  }
  EngineSession::TimePoint now() const { return now_; }
  void after(std::chrono::milliseconds time) { now_ += time; }
  static EngineSession::TimePoint at(std::chrono::milliseconds time) { return kStart + time; }
  /// Whatever is tried, nothing happens any more.
  void expect_over(EngineSession& session) {
    EXPECT_TRUE(session.over());
    EXPECT_FALSE(session.may_probe());
    EXPECT_FALSE(session.direct());
    EXPECT_THAT(session.get(now()), ElementsAre(RefuseGet{}));
    EXPECT_THAT(session.post("4a", now()), ElementsAre(RefusePost{400}));
    EXPECT_THAT(session.text(kMain, "4a", now()), IsEmpty());
    EXPECT_THAT(session.binary(kMain, "a"), IsEmpty());
    EXPECT_THAT(session.text(kProbe, "2probe", now()), IsEmpty());
    EXPECT_THAT(session.send(message_packet("a")), IsEmpty());
    EXPECT_THAT(session.flush(), IsEmpty());
    EXPECT_THAT(session.line_closed(kMain), IsEmpty());
    EXPECT_THAT(session.get_abandoned(), IsEmpty());
    EXPECT_THAT(session.close(CloseCode::kNormal, now()), IsEmpty());
    EXPECT_THAT(session.tick(now() + 24h, false), IsEmpty());
    EXPECT_EQ(session.next_deadline(), EngineSession::TimePoint::max());
  }

 private:
  EngineSession::TimePoint now_ = kStart;
};

TEST_F(EngineSessionTest, OpenPacketSaysHowToGoOn) {
  EngineSession poll(short_times(), "a\"b", kPolling, kStart);
  EXPECT_THAT(poll.open(), ElementsAre(AnswerGet{R"(0{"sid":"a\"b","upgrades":["websocket"],"pingInterval":300,)"
                                                 R"("pingTimeout":200,"maxPayload":100})"}));
  EngineSession socket(short_times(), "s", kWebSocket, kStart);
  EXPECT_THAT(socket.open(),
              ElementsAre(SendText{
                  kMain, R"(0{"sid":"s","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":100})"}));
  EXPECT_TRUE(socket.direct());
  EXPECT_FALSE(poll.direct());
}

// --- Polling.

TEST_F(EngineSessionTest, GetWaitsForWhatIsSentAndTakesAllOfATurn) {
  auto session = polling();
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.flush(), IsEmpty());
  EXPECT_THAT(session.send(message_packet("a")), IsEmpty());
  EXPECT_THAT(session.send(binary_packet("\x01\x02\x03\x04")), IsEmpty());
  EXPECT_THAT(session.flush(), ElementsAre(AnswerGet{"4a\x1e"
                                                     "bAQIDBA=="}));
  EXPECT_THAT(session.flush(), IsEmpty());
  EXPECT_THAT(session.send(message_packet("b")), IsEmpty());
  EXPECT_THAT(session.flush(), IsEmpty());  // nobody waits
  EXPECT_THAT(session.get(now()), ElementsAre(AnswerGet{"4b"}));
}

TEST_F(EngineSessionTest, PostDeliversInOrderAndIsThenAnswered) {
  auto session = polling();
  EXPECT_THAT(session.post("4a\x1e"
                           "bAQI=\x1e"
                           "4b",
                           now()),
              ElementsAre(text_of("a"), Deliver{binary_packet("\x01\x02")}, text_of("b"), AnswerPost{}));
  session.post_done();
  EXPECT_THAT(session.post("6", now()), ElementsAre(AnswerPost{}));
  EXPECT_FALSE(session.over());
}

TEST_F(EngineSessionTest, SecondGetEndsTheSession) {
  auto session = polling();
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.get(now()), ElementsAre(RefuseGet{}, AnswerGet{"1"}, Over{kOverlap}));
  expect_over(session);
}

TEST_F(EngineSessionTest, SecondPostEndsTheSession) {
  auto session = polling();
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.post("4a", now()), ElementsAre(text_of("a"), AnswerPost{}));
  EXPECT_THAT(session.post("4b", now()), ElementsAre(RefusePost{400}, AnswerGet{"1"}, Over{kOverlap}));
  expect_over(session);
}

TEST_F(EngineSessionTest, GetThatIsGivenUpEndsTheSession) {
  auto session = polling();
  EXPECT_THAT(session.get_abandoned(), IsEmpty());  // none was waiting
  EXPECT_FALSE(session.over());
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.send(message_packet("lost")), IsEmpty());
  EXPECT_THAT(session.get_abandoned(), ElementsAre(Over{kGetAbandoned}));
  expect_over(session);
}

TEST_F(EngineSessionTest, WhatClientsMayNotPostEndsTheSession) {
  struct Case {
    std::string body;
    Actions expected;
  };
  const Case cases[] = {
      {"abc", {RefusePost{400}, Over{kMalformed}}},
      {"", {RefusePost{400}, Over{kMalformed}}},
      {"4a\x1e", {RefusePost{400}, Over{kMalformed}}},
      {"4\xff", {RefusePost{400}, Over{kMalformed}}},
      {"0{}", {RefusePost{400}, Over{kMalformed}}},
      {"2", {RefusePost{400}, Over{kMalformed}}},
      {"2probe", {RefusePost{400}, Over{kMalformed}}},
      {"5", {RefusePost{400}, Over{kMalformed}}},
      {"4a\x1e"
       "2\x1e"
       "4b",
       {text_of("a"), RefusePost{400}, Over{kMalformed}}},
      {"4a\x1e"
       "x",
       {RefusePost{400}, Over{kMalformed}}},
      {"4" + std::string(100, 'x'), {RefusePost{413}, Over{kTooLarge}}},
      {"1", {AnswerPost{}, Over{kClosedByClient}}},
      {"4a\x1e"
       "1\x1e"
       "4b",
       {text_of("a"), AnswerPost{}, Over{kClosedByClient}}},
  };
  for (const auto& [body, expected] : cases) {
    auto session = polling();
    EXPECT_EQ(session.post(body, now()), expected) << body;
    expect_over(session);
  }
  auto session = polling();
  EXPECT_THAT(session.post("4" + std::string(99, 'x'), now()),
              ElementsAre(text_of(std::string(99, 'x')), AnswerPost{}));
}

TEST_F(EngineSessionTest, ClientThatClosesGetsItsGetBack) {
  auto session = polling();
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.post("1", now()), ElementsAre(AnswerPost{}, AnswerGet{"6"}, Over{kClosedByClient}));
  expect_over(session);

  auto busy = polling();
  EXPECT_THAT(busy.get(now()), IsEmpty());
  EXPECT_THAT(busy.send(message_packet("a")), IsEmpty());
  EXPECT_THAT(busy.post("1", now()), ElementsAre(AnswerPost{}, AnswerGet{"4a"}, Over{kClosedByClient}));
}

TEST_F(EngineSessionTest, EndCarriesWhatWasSentBefore) {
  auto session = polling();
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.send(message_packet("a")), IsEmpty());
  EXPECT_THAT(session.post("x", now()), ElementsAre(RefusePost{400},
                                                    AnswerGet{"4a\x1e"
                                                              "1"},
                                                    Over{kMalformed}));
}

TEST_F(EngineSessionTest, UnreadBufferIsBoundedByNotBeingWritable) {
  auto session = polling();
  EXPECT_THAT(session.send(message_packet(std::string(15, 'x'))), IsEmpty());
  EXPECT_TRUE(session.writable());  // 17 of 20
  EXPECT_THAT(session.send(message_packet("y")), IsEmpty());
  EXPECT_FALSE(session.writable());
  EXPECT_THAT(session.get(now()), ElementsAre(AnswerGet{"4" + std::string(15, 'x') +
                                                        "\x1e"
                                                        "4y"},
                                              Writable{}));
  EXPECT_TRUE(session.writable());
  // Nobody asked meanwhile, so nobody is told.
  EXPECT_THAT(session.send(message_packet(std::string(30, 'x'))), IsEmpty());
  EXPECT_THAT(session.get(now()), ElementsAre(AnswerGet{"4" + std::string(30, 'x')}));
  // The bytes were taken off again: 19 of 20.
  EXPECT_THAT(session.send(message_packet(std::string(17, 'x'))), IsEmpty());
  EXPECT_TRUE(session.writable());
}

TEST_F(EngineSessionTest, ServersCloseIsFetchedByTheNextGet) {
  auto session = polling();
  EXPECT_THAT(session.send(message_packet("bye")), IsEmpty());
  EXPECT_THAT(session.close(CloseCode::kRestart, now()), IsEmpty());
  EXPECT_FALSE(session.over());
  EXPECT_FALSE(session.may_probe());
  EXPECT_THAT(session.close(CloseCode::kRestart, now()), IsEmpty());
  EXPECT_THAT(session.post("4a", now()), ElementsAre(RefusePost{400}));
  EXPECT_THAT(session.send(message_packet("late")), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(400ms));
  EXPECT_THAT(session.tick(at(399ms), false), IsEmpty());
  EXPECT_THAT(session.get(at(399ms)), ElementsAre(AnswerGet{"4bye\x1e"
                                                            "1"},
                                                  Over{kClosedByServer}));
  expect_over(session);

  auto unread = polling();
  EXPECT_THAT(unread.close(CloseCode::kRestart, now()), IsEmpty());
  EXPECT_THAT(unread.tick(at(400ms), false), ElementsAre(Over{kClosedByServer}));
  expect_over(unread);

  auto waiting = polling();
  EXPECT_THAT(waiting.get(now()), IsEmpty());
  EXPECT_THAT(waiting.close(CloseCode::kRestart, now()), ElementsAre(AnswerGet{"1"}, Over{kClosedByServer}));
  expect_over(waiting);
}

TEST_F(EngineSessionTest, ClosingIsNotCutShortByAPingThatWasOut) {
  auto session = polling();
  EXPECT_THAT(session.tick(at(300ms), false), IsEmpty());
  EXPECT_THAT(session.close(CloseCode::kNormal, at(400ms)), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(800ms));
  EXPECT_THAT(session.get(at(700ms)), ElementsAre(AnswerGet{"2\x1e"
                                                            "1"},
                                                  Over{kClosedByServer}));
}

// --- Heartbeat.

TEST_F(EngineSessionTest, PingsFollowPongs) {
  auto session = polling();
  EXPECT_EQ(session.next_deadline(), at(300ms));
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.tick(at(299ms), false), IsEmpty());
  EXPECT_THAT(session.tick(at(300ms), false), ElementsAre(AnswerGet{"2"}));
  EXPECT_EQ(session.next_deadline(), at(500ms));
  EXPECT_THAT(session.tick(at(301ms), false), IsEmpty());
  EXPECT_THAT(session.post("3", at(450ms)), ElementsAre(AnswerPost{}));
  EXPECT_EQ(session.next_deadline(), at(750ms));
  EXPECT_THAT(session.tick(at(750ms), false), IsEmpty());  // kept, since nobody waits
  EXPECT_THAT(session.get(at(760ms)), ElementsAre(AnswerGet{"2"}));
  EXPECT_EQ(session.next_deadline(), at(950ms));
}

TEST_F(EngineSessionTest, PongThatNobodyAskedForPutsNothingOff) {
  auto session = websocket();
  EXPECT_THAT(session.text(kMain, "3", at(200ms)), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(300ms));
  EXPECT_THAT(session.tick(at(300ms), false), ElementsAre(SendText{kMain, "2"}));
  EXPECT_THAT(session.text(kMain, "4still here", at(499ms)), ElementsAre(text_of("still here")));
  EXPECT_THAT(session.text(kMain, "3", at(499ms)), IsEmpty());
  EXPECT_THAT(session.text(kMain, "3", at(600ms)), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(799ms));
}

TEST_F(EngineSessionTest, MissingPongEndsTheSession) {
  auto socket = websocket();
  EXPECT_THAT(socket.tick(at(300ms), false), ElementsAre(SendText{kMain, "2"}));
  EXPECT_THAT(socket.text(kMain, "4no pong", at(480ms)), ElementsAre(text_of("no pong")));
  EXPECT_THAT(socket.tick(at(499ms), false), IsEmpty());
  EXPECT_THAT(socket.tick(at(500ms), false), ElementsAre(CloseLine{kMain, CloseCode::kGoingAway}, Over{kPingTimeout}));
  expect_over(socket);

  auto waiting = polling();
  EXPECT_THAT(waiting.get(now()), IsEmpty());
  EXPECT_THAT(waiting.tick(at(300ms), false), ElementsAre(AnswerGet{"2"}));
  EXPECT_THAT(waiting.get(at(301ms)), IsEmpty());
  EXPECT_THAT(waiting.tick(at(500ms), false), ElementsAre(AnswerGet{"1"}, Over{kPingTimeout}));

  // A timer that is late does not prolong a life.
  for (const bool asks : {true, false}) {
    auto late = polling();
    EXPECT_THAT(late.tick(at(300ms), false), IsEmpty());
    EXPECT_EQ(asks ? late.get(at(500ms)) : late.post("3", at(500ms)),
              (Actions{asks ? Action{RefuseGet{}} : Action{RefusePost{400}}, Over{kPingTimeout}}));
    expect_over(late);
  }
}

// --- WebSocket.

TEST_F(EngineSessionTest, WebSocketCarriesMessagesBothWays) {
  auto session = websocket();
  EXPECT_THAT(session.text(kMain, "4hello", now()), ElementsAre(text_of("hello")));
  EXPECT_THAT(session.text(kMain, "4", now()), ElementsAre(text_of("")));
  EXPECT_THAT(session.binary(kMain, "\x01\x02"), ElementsAre(Deliver{binary_packet("\x01\x02")}));
  EXPECT_THAT(session.text(kMain, "6", now()), IsEmpty());
  EXPECT_THAT(session.send(message_packet("hello")), ElementsAre(SendText{kMain, "4hello"}));
  EXPECT_THAT(session.send(binary_packet("\x01")), ElementsAre(SendBinary{"\x01"}));
  EXPECT_THAT(session.send(message_packet(std::string(1000, 'x'))), SizeIs(1));
  EXPECT_TRUE(session.writable());
  EXPECT_THAT(session.flush(), IsEmpty());
  EXPECT_THAT(session.line_closed(kMain), ElementsAre(Over{kLineGone}));
  expect_over(session);
}

TEST_F(EngineSessionTest, WhatClientsMayNotSendClosesTheWebSocket) {
  struct Case {
    std::string text;
    EngineEnd why;
    CloseCode code;
  };
  const Case cases[] = {
      {"abc", kMalformed, CloseCode::kProtocolError},    {"", kMalformed, CloseCode::kProtocolError},
      {"0{}", kMalformed, CloseCode::kProtocolError},    {"2", kMalformed, CloseCode::kProtocolError},
      {"2probe", kMalformed, CloseCode::kProtocolError}, {"5", kMalformed, CloseCode::kProtocolError},
      {"1x", kMalformed, CloseCode::kProtocolError},     {"bAQI=", kMalformed, CloseCode::kProtocolError},
      {"1", kClosedByClient, CloseCode::kNormal},        {"4" + std::string(100, 'x'), kTooLarge, CloseCode::kTooBig},
  };
  for (const auto& [text, why, code] : cases) {
    auto session = websocket();
    EXPECT_THAT(session.text(kMain, text, now()), ElementsAre(CloseLine{kMain, code}, Over{why})) << text;
    expect_over(session);
  }
  auto session = websocket();
  EXPECT_THAT(session.text(kMain, "4" + std::string(99, 'x'), now()), ElementsAre(text_of(std::string(99, 'x'))));
  EXPECT_THAT(session.binary(kMain, std::string(100, 'x')), SizeIs(1));
  EXPECT_THAT(session.binary(kMain, std::string(101, 'x')),
              ElementsAre(CloseLine{kMain, CloseCode::kTooBig}, Over{kTooLarge}));
}

TEST_F(EngineSessionTest, WebSocketSessionKnowsNoPolling) {
  auto session = websocket();
  EXPECT_FALSE(session.may_probe());
  EXPECT_THAT(session.get(now()), ElementsAre(RefuseGet{}));
  EXPECT_THAT(session.post("4a", now()), ElementsAre(RefusePost{400}));
  EXPECT_THAT(session.text(kProbe, "2probe", now()), IsEmpty());
  EXPECT_FALSE(session.over());
  EXPECT_THAT(session.close(CloseCode::kRestart, now()),
              ElementsAre(CloseLine{kMain, CloseCode::kRestart}, Over{kClosedByServer}));
  expect_over(session);
}

// --- Upgrade.

TEST_F(EngineSessionTest, UpgradeLetsTheGetGoAndMovesEverything) {
  auto session = polling();
  EXPECT_TRUE(session.may_probe());
  session.probe_opened(now());
  EXPECT_FALSE(session.may_probe());
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.text(kProbe, "2probe", now()), ElementsAre(SendText{kProbe, "3probe"}, AnswerGet{"6"}));
  EXPECT_FALSE(session.direct());
  EXPECT_THAT(session.send(message_packet("a")), IsEmpty());
  EXPECT_THAT(session.send(binary_packet("b")), IsEmpty());
  EXPECT_THAT(session.flush(), IsEmpty());
  EXPECT_THAT(session.text(kProbe, "5", now()), ElementsAre(Promote{}, SendText{kMain, "4a"}, SendBinary{"b"}));
  EXPECT_TRUE(session.direct());
  EXPECT_FALSE(session.may_probe());
  EXPECT_THAT(session.get(now()), ElementsAre(RefuseGet{}));
  EXPECT_THAT(session.post("4late", now()), ElementsAre(RefusePost{400}));
  EXPECT_THAT(session.text(kMain, "4hello", now()), ElementsAre(text_of("hello")));
  EXPECT_THAT(session.send(message_packet("hello")), ElementsAre(SendText{kMain, "4hello"}));
  // No deadline of the upgrade is left, only the next ping.
  EXPECT_EQ(session.next_deadline(), at(300ms));
}

TEST_F(EngineSessionTest, PollingGoesOnUntilTheUpgrade) {
  auto session = upgrading();
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.send(message_packet("a")), IsEmpty());
  EXPECT_THAT(session.flush(), ElementsAre(AnswerGet{"4a"}));
  EXPECT_THAT(session.post("4b", now()), ElementsAre(text_of("b"), AnswerPost{}, LetPostGo{}));
  EXPECT_THAT(session.send(message_packet("c")), IsEmpty());
  EXPECT_THAT(session.get(now()), ElementsAre(AnswerGet{"4c"}));
  EXPECT_THAT(session.text(kProbe, "5", now()), ElementsAre(Promote{}));
}

TEST_F(EngineSessionTest, NoGetIsHeldDuringAnUpgrade) {
  auto session = upgrading();
  EXPECT_THAT(session.get(at(10ms)), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(100ms));
  EXPECT_THAT(session.tick(at(99ms), false), IsEmpty());
  EXPECT_THAT(session.tick(at(100ms), false), ElementsAre(AnswerGet{"6"}));
  EXPECT_EQ(session.next_deadline(), at(300ms));  // nobody waits
  EXPECT_THAT(session.get(at(150ms)), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(200ms));
  EXPECT_THAT(session.tick(at(200ms), false), ElementsAre(AnswerGet{"6"}));
  EXPECT_THAT(session.get(at(290ms)), IsEmpty());
  EXPECT_THAT(session.tick(at(300ms), false), ElementsAre(AnswerGet{"2"}));  // the ping lets it go as well
  EXPECT_THAT(session.get(at(310ms)), ElementsAre(AnswerGet{"6"}));          // due long ago
}

TEST_F(EngineSessionTest, GetThatStillWaitsAtTheUpgradeTakesNothingAlong) {
  auto session = upgrading();
  EXPECT_THAT(session.get(now()), IsEmpty());
  EXPECT_THAT(session.send(message_packet("a")), IsEmpty());
  EXPECT_THAT(session.text(kProbe, "5", now()), ElementsAre(AnswerGet{"6"}, Promote{}, SendText{kMain, "4a"}));
}

TEST_F(EngineSessionTest, UpgradeMakesAFullSessionWritable) {
  auto session = upgrading();
  const std::string much(30, 'x');
  EXPECT_THAT(session.send(message_packet(much)), IsEmpty());
  EXPECT_FALSE(session.writable());
  EXPECT_THAT(session.text(kProbe, "5", now()), ElementsAre(Promote{}, SendText{kMain, "4" + much}, Writable{}));
  EXPECT_TRUE(session.writable());
}

TEST_F(EngineSessionTest, ProbeThatSaysSomethingElseCostsOnlyItself) {
  for (const char* text : {"2", "2other", "3probe", "5", "4a", "abc", "", "6", "1"}) {
    auto session = polling();
    session.probe_opened(now());
    EXPECT_THAT(session.text(kProbe, text, now()), ElementsAre(CloseLine{kProbe, CloseCode::kProtocolError})) << text;
    EXPECT_TRUE(session.may_probe());
    EXPECT_EQ(session.next_deadline(), at(300ms));
    EXPECT_THAT(session.get(now()), IsEmpty());
  }
  for (const char* text : {"2probe", "4a", "5x", "abc", "3", "1"}) {
    auto session = upgrading();
    EXPECT_THAT(session.text(kProbe, text, now()), ElementsAre(CloseLine{kProbe, CloseCode::kProtocolError})) << text;
    EXPECT_TRUE(session.may_probe());
    EXPECT_THAT(session.get(now()), IsEmpty());
    EXPECT_EQ(session.next_deadline(), at(300ms));  // GETs are held again
  }
  auto session = upgrading();
  EXPECT_THAT(session.binary(kProbe, "x"), ElementsAre(CloseLine{kProbe, CloseCode::kProtocolError}));
  EXPECT_THAT(session.binary(kProbe, "x"), IsEmpty());
  EXPECT_THAT(session.text(kProbe, "2probe", now()), IsEmpty());
}

TEST_F(EngineSessionTest, ProbeThatIsSlowOrGoneCostsOnlyItself) {
  EngineOptions options = short_times();
  options.ping_interval = 1h;
  EngineSession slow(options, "s", kPolling, kStart);
  slow.probe_opened(at(50ms));
  EXPECT_EQ(slow.next_deadline(), at(1050ms));
  EXPECT_THAT(slow.text(kProbe, "2probe", at(900ms)), ElementsAre(SendText{kProbe, "3probe"}));
  EXPECT_EQ(slow.next_deadline(), at(1050ms));
  EXPECT_THAT(slow.tick(at(1049ms), false), IsEmpty());
  EXPECT_THAT(slow.tick(at(1050ms), false), ElementsAre(CloseLine{kProbe, CloseCode::kGoingAway}));
  EXPECT_EQ(slow.next_deadline(), at(1h));
  EXPECT_TRUE(slow.may_probe());

  auto gone = upgrading();
  EXPECT_THAT(gone.line_closed(kProbe), IsEmpty());
  EXPECT_TRUE(gone.may_probe());
  EXPECT_THAT(gone.get(at(200ms)), IsEmpty());
  EXPECT_EQ(gone.next_deadline(), at(300ms));
}

TEST_F(EngineSessionTest, SessionThatEndsTakesItsProbeAlong) {
  auto overlap = upgrading();
  EXPECT_THAT(overlap.get(now()), IsEmpty());
  EXPECT_THAT(overlap.get(now()),
              ElementsAre(RefuseGet{}, AnswerGet{"1"}, CloseLine{kProbe, CloseCode::kProtocolError}, Over{kOverlap}));
  expect_over(overlap);

  auto closed = upgrading();
  EXPECT_THAT(closed.close(CloseCode::kRestart, now()), ElementsAre(CloseLine{kProbe, CloseCode::kNormal}));
  EXPECT_THAT(closed.text(kProbe, "5", now()), IsEmpty());
  EXPECT_THAT(closed.get(now()), ElementsAre(AnswerGet{"1"}, Over{kClosedByServer}));
}

// A client upgrades once none of its requests is under way.
TEST_F(EngineSessionTest, PostIsLetGoForTheUpgradeBeforeItsCommandsAreDone) {
  auto session = polling();
  EXPECT_THAT(session.post("4slow", now()), ElementsAre(text_of("slow"), AnswerPost{}));
  session.probe_opened(now());
  EXPECT_THAT(session.text(kProbe, "2probe", now()), ElementsAre(SendText{kProbe, "3probe"}, LetPostGo{}));
  EXPECT_THAT(session.text(kProbe, "5", now()), ElementsAre(Promote{}));
  session.post_done();
  EXPECT_FALSE(session.over());
}

TEST_F(EngineSessionTest, OnePostAtATimeIsLetGo) {
  auto session = upgrading();
  EXPECT_THAT(session.post("4a", now()), ElementsAre(text_of("a"), AnswerPost{}, LetPostGo{}));
  // Its probe failed: the client polls on, and is no faster than its commands.
  EXPECT_THAT(session.line_closed(kProbe), IsEmpty());
  EXPECT_THAT(session.post("4b", now()), ElementsAre(text_of("b"), AnswerPost{}));
  session.probe_opened(now());
  EXPECT_THAT(session.text(kProbe, "2probe", now()), ElementsAre(SendText{kProbe, "3probe"}));
  auto impatient = session;
  EXPECT_THAT(impatient.post("4c", now()),
              ElementsAre(RefusePost{400}, CloseLine{kProbe, CloseCode::kProtocolError}, Over{kOverlap}));
  session.post_done();  // that of a
  session.post_done();
  EXPECT_THAT(session.post("4c", now()), ElementsAre(text_of("c"), AnswerPost{}, LetPostGo{}));
}

TEST_F(EngineSessionTest, PingOvertakesWhatIsKept) {
  auto session = polling();
  EXPECT_THAT(session.send(message_packet("much")), IsEmpty());
  EXPECT_THAT(session.tick(at(300ms), false), IsEmpty());
  EXPECT_THAT(session.get(at(301ms)), ElementsAre(AnswerGet{"2\x1e"
                                                            "4much"}));
}

TEST_F(EngineSessionTest, PongOfAWebSocketThatIsNotReadIsWaitedFor) {
  auto session = upgrading();
  EXPECT_THAT(session.text(kProbe, "5", now()), ElementsAre(Promote{}));
  EXPECT_THAT(session.tick(at(300ms), false), ElementsAre(SendText{kMain, "2"}));
  EXPECT_THAT(session.tick(at(500ms), true), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(700ms));
  EXPECT_THAT(session.text(kMain, "3", at(650ms)), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(950ms));
}

TEST_F(EngineSessionTest, CommandThatRunsAtTheUpgradeIsFinished) {
  auto session = upgrading();
  EXPECT_THAT(session.post("4slow", now()), ElementsAre(text_of("slow"), AnswerPost{}, LetPostGo{}));
  EXPECT_THAT(session.text(kProbe, "5", now()), ElementsAre(Promote{}));
  EXPECT_THAT(session.send(message_packet("done")), ElementsAre(SendText{kMain, "4done"}));
  session.post_done();
  EXPECT_FALSE(session.over());
}

TEST_F(EngineSessionTest, PingIsKeptForWhicheverTransportComes) {
  auto session = upgrading();
  EXPECT_THAT(session.tick(at(300ms), false), IsEmpty());
  EXPECT_THAT(session.text(kProbe, "5", at(310ms)), ElementsAre(Promote{}, SendText{kMain, "2"}));
  EXPECT_EQ(session.next_deadline(), at(500ms));
  EXPECT_THAT(session.text(kMain, "3", at(400ms)), IsEmpty());
  EXPECT_EQ(session.next_deadline(), at(700ms));
}

}  // namespace
}  // namespace belfry::dialects::socketio
