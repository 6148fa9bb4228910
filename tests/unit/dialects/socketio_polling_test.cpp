#include "unit/dialects/socketio_fixture.hpp"

namespace belfry::dialects::testing {
namespace {

using ::testing::EndsWith;
using ::testing::Not;
using ::testing::StartsWith;

class SocketIoPollingTest : public SocketIoTest {
 protected:
  /// A request, its answer, and what `net` calls when the client is gone.
  struct Asked {
    std::optional<PlainAnswer> answer;
    std::move_only_function<void()> gone;
  };
  using AskedPtr = std::shared_ptr<Asked>;

  AskedPtr ask(const std::string& method, const std::string& query, const std::string& body = {},
               const std::string& origin = {}) {
    auto asked = std::make_shared<Asked>();
    PlainRequest request;
    request.method = method;
    request.query = query;
    request.body = body;
    if (!origin.empty()) request.origin = origin;
    asked->gone = socketio->requests()->handle(std::move(request),
                                               [asked](PlainAnswer answer) { asked->answer = std::move(answer); });
    settle();
    return asked;
  }
  std::string open_session() {
    const auto asked = ask("GET", "EIO=4&transport=polling");
    return Json::parse(asked->answer.value().body.substr(1)).at("sid");
  }
  static std::string polling(const std::string& sid) { return "EIO=4&transport=polling&sid=" + sid; }
  AskedPtr get(const std::string& sid) { return ask("GET", polling(sid)); }
  AskedPtr post(const std::string& sid, const std::string& body) { return ask("POST", polling(sid), body); }
  /// A session whose client has said CONNECT and has read all there is.
  std::string enter_by_polling() {
    auto sid = open_session();
    post(sid, R"(40{"token":"one"})");
    get(sid);
    return sid;
  }
};

TEST_F(SocketIoPollingTest, CommandsComeByPostAndAnswersByGet) {
  const auto sid = open_session();
  EXPECT_EQ(post(sid, R"(40{"token":"one"})")->answer.value().body, "ok");
  EXPECT_THAT(get(sid)->answer.value().body, StartsWith("40{"));
  const auto waiting = get(sid);
  EXPECT_FALSE(waiting->answer);
  post(sid, R"(421["communication:join_channel_posts",{"channelId":7}])");
  ASSERT_TRUE(waiting->answer);
  EXPECT_THAT(waiting->answer->body, StartsWith(R"(42["communication:position",)"));
  EXPECT_THAT(waiting->answer->body, HasSubstr("\x1e"
                                               R"(431[{"ok":true)"));
  happens(7);
  happens(7);
  const auto events = get(sid);
  const auto& body = events->answer.value().body;
  const auto cut = body.find('\x1e');
  EXPECT_EQ(event_ids({body.substr(0, cut), body.substr(cut + 1)}).size(), 2U);
  EXPECT_THAT(events->answer->headers,
              ::testing::Contains(std::pair<std::string, std::string>("Cache-Control", "no-store")));
}

TEST_F(SocketIoPollingTest, APostIsAnsweredWhenItsCommandsAreDone) {
  const auto sid = enter_by_polling();
  auto asked = std::make_shared<Asked>();
  PlainRequest request;
  request.method = "POST";
  request.query = polling(sid);
  request.body = R"(421["communication:join_channel_posts",{"channelId":7}])";
  socketio->requests()->handle(std::move(request), [asked](PlainAnswer answer) { asked->answer = std::move(answer); });
  EXPECT_FALSE(asked->answer);
  settle();
  EXPECT_EQ(asked->answer.value().body, "ok");
}

TEST_F(SocketIoPollingTest, ASecondGetEndsTheSession) {
  const auto sid = enter_by_polling();
  const auto first = get(sid);
  const auto second = get(sid);
  EXPECT_EQ(first->answer.value().body, "1");
  EXPECT_EQ(second->answer.value().status, 400);
  EXPECT_EQ(get(sid)->answer.value().status, 400);
  EXPECT_EQ(metrics.socketio_sessions.value(), 0);
}

TEST_F(SocketIoPollingTest, AClientThatGivesUpItsGetIsGone) {
  const auto sid = enter_by_polling();
  post(sid, R"(42["communication:join_channel_posts",{"channelId":7}])");
  get(sid);
  const auto waiting = get(sid);
  ASSERT_TRUE(waiting->gone);
  EXPECT_EQ(hub.counts().subscriptions, 1U);
  waiting->gone();
  settle();
  EXPECT_EQ(hub.counts().subscriptions, 0U);
  EXPECT_EQ(metrics.socketio_sessions.value(), 0);
}

TEST_F(SocketIoPollingTest, AnAnswerThatWasLostEndsTheSession) {
  const auto sid = enter_by_polling();
  const auto waiting = get(sid);
  post(sid, R"(421["communication:join_channel_posts",{"channelId":7}])");
  ASSERT_TRUE(waiting->answer);
  const auto next = get(sid);
  waiting->gone();
  settle();
  EXPECT_EQ(next->answer.value().body, "1");
  EXPECT_EQ(metrics.socketio_sessions.value(), 0);
}

TEST_F(SocketIoPollingTest, AnUnreadBufferIsBoundedAndNothingIsMissed) {
  const auto sid = enter_by_polling();
  post(sid, R"(42["communication:join_channel_posts",{"channelId":7}])");
  get(sid);
  std::vector<std::string> expected;
  for (int i = 0; i < 2000; ++i) expected.push_back(id_of(happens(7)));
  EXPECT_GT(metrics.ws_queued_bytes.value(), 32'768);
  EXPECT_LT(metrics.ws_queued_bytes.value(), 512 * 1024);
  std::vector<std::string> seen;
  for (int i = 0; i < 100 && seen.size() < expected.size(); ++i) {
    const auto answer = get(sid);
    ASSERT_TRUE(answer->answer) << "after " << seen.size();
    const auto& body = answer->answer->body;
    EXPECT_LT(body.size(), 512U * 1024);
    std::vector<std::string> packets;
    for (std::size_t at = 0; at <= body.size();) {
      const auto end = std::min(body.find('\x1e', at), body.size());
      packets.push_back(body.substr(at, end - at));
      at = end + 1;
    }
    for (auto& id : event_ids(packets)) seen.push_back(std::move(id));
    settle();
  }
  EXPECT_EQ(seen, expected);
  EXPECT_GT(metrics.refills.value(), 0U);
  EXPECT_EQ(metrics.ws_queued_bytes.value(), 0);
}

// A stock client that is about to upgrade takes no GET any more, and waits for its POST.
TEST_F(SocketIoPollingTest, AnUpgradeDoesNotWaitForWhatIsHeldUntilTheClientReads) {
  const auto sid = enter_by_polling();
  post(sid, R"(42["communication:join_channel_posts",{"channelId":7}])");
  get(sid);
  for (int i = 0; i < 2000; ++i) happens(7);
  const auto held = post(sid, R"(421["communication:join_channel_posts",{"channelId":7}])");
  EXPECT_FALSE(held->answer);
  const auto line = open_line(sid);
  EXPECT_THAT(say(*line, "2probe"), ElementsAre("3probe"));
  EXPECT_EQ(line->dones, 1);
  EXPECT_EQ(held->answer.value().body, "ok");
  auto said = say(*line, "5");
  EXPECT_EQ(line->dones, 2);
  const auto reply = std::ranges::find_if(said, [](const std::string& text) { return text.starts_with("431["); });
  ASSERT_NE(reply, said.end());
  said.erase(reply, said.end());
  EXPECT_GT(event_ids(said).size(), 100U) << "what was kept goes first";
}

TEST_F(SocketIoPollingTest, AnUpgradeTakesTheRoomsAlong) {
  const auto sid = enter_by_polling();
  post(sid, R"(42["communication:join_channel_posts",{"channelId":7}])");
  get(sid);
  const auto line = open_line(sid);
  EXPECT_THAT(say(*line, "2probe"), ElementsAre("3probe"));
  const auto first = happens(7);
  EXPECT_THAT(line->sink.take(), IsEmpty());
  EXPECT_GT(metrics.ws_queued_bytes.value(), 0);
  EXPECT_EQ(event_ids(say(*line, "5")), std::vector{id_of(first)});
  EXPECT_EQ(metrics.ws_queued_bytes.value(), 0) << "the WebSocket counts its own";
  const auto second = happens(7);
  EXPECT_EQ(event_ids(line->sink.take()), std::vector{id_of(second)});
  EXPECT_EQ(get(sid)->answer.value().status, 400);
}

TEST_F(SocketIoPollingTest, WhatAnEndedSessionKeptIsNotCountedOn) {
  const auto sid = enter_by_polling();
  post(sid, R"(42["communication:join_channel_posts",{"channelId":7}])");
  get(sid);
  happens(7);
  EXPECT_GT(metrics.ws_queued_bytes.value(), 0);
  for (int i = 0; i < 4; ++i) pass(seconds{30});
  EXPECT_EQ(get(sid)->answer.value().status, 400);
  EXPECT_EQ(metrics.ws_queued_bytes.value(), 0);
}

TEST_F(SocketIoPollingTest, OnlyOneProbeAtATime) {
  const auto sid = enter_by_polling();
  const auto line = open_line(sid);
  EXPECT_EQ(open_line(sid), nullptr);
  lose(*line);
  const auto next = open_line(sid);
  EXPECT_NE(next, nullptr);
}

TEST_F(SocketIoPollingTest, ADrainSaysWhenToComeBack) {
  const auto sid = enter_by_polling();
  const auto waiting = get(sid);
  socketio->drain(seconds{5});
  settle();
  EXPECT_THAT(waiting->answer.value().body, StartsWith(R"(42["server:draining",{"reconnectInMs":)"));
  EXPECT_THAT(waiting->answer->body, EndsWith("\x1e"
                                              "1"));
  EXPECT_EQ(ask("GET", "EIO=4&transport=polling")->answer.value().status, 503);
}

TEST_F(SocketIoPollingTest, AnotherShardsSessionIsNamedByItsSid) {
  auto elsewhere = options();
  elsewhere.shard = 5;
  const auto other = make_dialect(elsewhere);
  std::string sid;
  PlainRequest request;
  request.method = "GET";
  request.query = "EIO=4&transport=polling";
  other->requests()->handle(std::move(request),
                            [&](PlainAnswer answer) { sid = Json::parse(answer.body.substr(1)).at("sid"); });
  EXPECT_EQ(socketio->shard_of(polling(sid)), 5U);
  EXPECT_EQ(socketio->shard_of(polling(open_session())), 0U);
  EXPECT_EQ(socketio->shard_of("EIO=4&transport=polling"), std::nullopt);
}

TEST_F(SocketIoPollingTest, WhatIsNoRequestOfASessionIsRefused) {
  const auto sid = open_session();
  struct Case {
    std::string method;
    std::string query;
    int status;
  };
  const std::string token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
  const std::vector<Case> cases{
      {"GET", "", 400},
      {"GET", "EIO=3&transport=polling", 400},
      {"GET", "EIO=4&transport=carrier-pigeon", 400},
      {"POST", "EIO=4&transport=polling", 400},
      {"PUT", polling(sid), 400},
      {"GET", "EIO=4&transport=websocket", 400},
      {"GET", polling("Aunknown"), 400},
      {"GET", "EIO=4&transport=polling&token=" + token, 403},
      {"OPTIONS", polling(sid), 204},
  };
  for (const auto& test : cases)
    EXPECT_EQ(ask(test.method, test.query)->answer.value().status, test.status) << test.query;
}

TEST_F(SocketIoPollingTest, APongBeforeItsPingHasLeftIsNone) {
  const auto sid = enter_by_polling();
  pass(seconds{26});  // the ping waits for a GET that does not come
  post(sid, "3");
  EXPECT_EQ(metrics.socketio_sessions.value(), 1);
  pass(seconds{21});
  EXPECT_EQ(metrics.socketio_sessions.value(), 0);
}

TEST_F(SocketIoPollingTest, SessionsThatBeginByPollingAreBoundedAndOthersAreNot) {
  auto few = options();
  few.max_sessions = 2;
  socketio = make_dialect(few);
  open_session();
  open_session();
  EXPECT_EQ(ask("GET", "EIO=4&transport=polling")->answer.value().status, 503);
  const auto line = open_line();
  EXPECT_NE(line, nullptr);
  pass(seconds{11});  // nobody said CONNECT
  pass(seconds{11});
  EXPECT_EQ(ask("GET", "EIO=4&transport=polling")->answer.value().status, 200);
}

TEST_F(SocketIoPollingTest, ALongBufferIsReadInParts) {
  const auto sid = enter_by_polling();
  post(sid, R"(42["communication:join_channel_posts",{"channelId":7}])");
  get(sid);
  for (int i = 0; i < 200; ++i) happens(7);
  int answers = 0;
  for (auto asked = get(sid); asked->answer; asked = get(sid)) {
    EXPECT_LT(asked->answer->body.size(), 66U * 1024);
    ++answers;
  }
  EXPECT_GT(answers, 1);
}

TEST_F(SocketIoPollingTest, OnlyKnownOriginsMayRead) {
  const auto headers_for = [&](const std::string& origin) {
    return ask("GET", "EIO=4&transport=polling", {}, origin)->answer.value().headers;
  };
  const std::pair<std::string, std::string> allowed{"Access-Control-Allow-Origin", "https://a"};
  EXPECT_THAT(headers_for("https://a"), ::testing::Contains(allowed));
  EXPECT_THAT(headers_for("https://b"), Not(::testing::Contains(::testing::Key("Access-Control-Allow-Origin"))));
}

}  // namespace
}  // namespace belfry::dialects::testing
