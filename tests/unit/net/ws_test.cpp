#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ws_client.hpp"

namespace belfry::net::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class WebSocketTest : public ServerTest {};

std::string upgrade_request(std::string_view more = {}) {
  return "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
         std::string(more) + "\r\n";
}

/// A masked client frame with a zero mask, so that the payload stays readable.
std::string masked(unsigned char first, std::string_view payload) {
  std::string frame{static_cast<char>(first), static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0};
  return frame.append(payload);
}

TEST_F(WebSocketTest, EchoesAndLeavesNothingBehindWhenTheClientCloses) {
  start();
  WsClient client(port);
  ASSERT_EQ(client.connect("/ws?ticket=x", "Bearer y", "chat, other"), 101);
  EXPECT_EQ(client.handshake().count("Sec-WebSocket-Protocol"), 0u);
  EXPECT_EQ(client.handshake().count("Sec-WebSocket-Extensions"), 0u);
  for (const auto size : {1u, 125u, 126u, 5000u, 65536u}) {
    const std::string text(size, 'a');
    client.send(text);
    EXPECT_EQ(client.read(), text);
  }
  on_loop([&] {
    EXPECT_EQ(dialect.handshakes.at(0).query, "ticket=x");
    EXPECT_EQ(dialect.handshakes.at(0).authorization, "Bearer y");
    EXPECT_EQ(metrics.ws_connections.value(), 1);
    EXPECT_EQ(metrics.http_connections.value(), 0);
    EXPECT_GE(metrics.ws_bytes_sent.value(), 65536u);
  });
  client.close(1000);
  expect_baseline();
}

TEST_F(WebSocketTest, AnswersTheHandshakeOfTheStandardAndAgreesOnNothingElse) {
  start();
  RawClient client(port);
  client.send(upgrade_request("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"));
  const auto answer = client.answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 101);
  const std::map<std::string, std::string> expected{{"date", answer->headers.at("date")},
                                                    {"upgrade", "websocket"},
                                                    {"connection", "upgrade"},
                                                    {"sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};
  EXPECT_EQ(answer->headers, expected);
}

TEST_F(WebSocketTest, APlainGetIsToldToUpgrade) {
  start();
  RawClient client(port);
  client.send("GET /ws HTTP/1.1\r\nHost: t\r\n\r\n");
  const auto answer = client.answer();
  EXPECT_EQ(answer->status, 426);
  EXPECT_EQ(answer->headers.at("upgrade"), "websocket");
  EXPECT_EQ(answer->headers.at("connection"), "upgrade, close");
  EXPECT_NE(answer->body.find("VALIDATION_ERROR"), std::string::npos);
  EXPECT_EQ(client.rest(), "");
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, OtherMethodsAreToldThatOnlyGetIsThere) {
  start();
  RawClient client(port);
  client.send("PUT /ws HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n");
  const auto answer = client.answer();
  EXPECT_EQ(answer->status, 405);
  EXPECT_EQ(answer->headers.at("allow"), "GET");
  EXPECT_NE(answer->body.find("METHOD_NOT_ALLOWED"), std::string::npos);
}

TEST_F(WebSocketTest, ABadHandshakeIsRefused) {
  start();
  RawClient client(port);
  client.send(
      "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n");
  EXPECT_EQ(client.answer().value().status, 400);
  RawClient old(port);
  old.send(
      "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  const auto answer = old.answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 426);
  EXPECT_EQ(answer->headers.at("sec-websocket-version"), "13");
}

TEST_F(WebSocketTest, ARefusedTokenIsAnHttpStatusBeforeTheUpgrade) {
  start();
  dialect.refuse = core::Error::unauthorized(core::Reason::kTokenInvalid, "No.");
  WsClient client(port);
  EXPECT_EQ(client.connect(), 401);
  EXPECT_NE(client.handshake().body().find("UNAUTHORIZED"), std::string::npos);
  on_loop([&] { EXPECT_TRUE(dialect.sessions.empty()); });
}

TEST_F(WebSocketTest, HandshakesAboveTheRateAreRefusedBeforeAnybodyIsAsked) {
  start([](Limits& limits) { limits.handshakes_per_second = 1; });
  std::vector<std::unique_ptr<WsClient>> clients;
  const auto connect = [&] {
    clients.push_back(std::make_unique<WsClient>(port));
    return clients.back()->connect();
  };
  EXPECT_EQ(connect(), 101);
  EXPECT_EQ(connect(), 101);
  EXPECT_EQ(connect(), 503);
  const auto& refusal = clients.back()->handshake();
  EXPECT_GE(std::stoi(std::string(refusal["Retry-After"])), 1);
  EXPECT_NE(refusal.body().find("SERVICE_UNAVAILABLE"), std::string::npos);
  on_loop([&] { EXPECT_EQ(dialect.handshakes.size(), 2U); });
  EXPECT_EQ(metrics.ws_handshakes_refused.value(), 1U);
  jump(seconds(1));
  EXPECT_EQ(connect(), 101);
  EXPECT_EQ(connect(), 503);
}

TEST_F(WebSocketTest, HandshakesThatWaitForTheirDecisionAreBounded) {
  start([](Limits& limits) { limits.max_handshakes_in_flight = 1; });
  dialect.hold_authorize = true;
  RawClient first(port);
  first.send(upgrade_request());
  ASSERT_TRUE(eventually([&] { return dialect.held.size() == 1; }));
  WsClient second(port);
  EXPECT_EQ(second.connect(), 503);
  on_loop([&] {
    dialect.hold_authorize = false;
    dialect.held.at(0)(dialect.entrance());
  });
  EXPECT_EQ(first.answer().value().status, 101);
  on_loop([&] { dialect.refuse = core::Error::unauthorized(core::Reason::kTokenInvalid, "No."); });
  RawClient refused(port);
  refused.send(upgrade_request());
  EXPECT_EQ(refused.answer().value().status, 401);
  on_loop([&] { dialect.refuse.reset(); });
  WsClient third(port);
  EXPECT_EQ(third.connect(), 101) << "the refused one, still open, is under way no more";
}

TEST_F(WebSocketTest, HandshakesThatADrainOvertakesAreToldMomentsOfTheirOwn) {
  start();
  const auto request = upgrade_request();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(port));
    // With an answer to what stands in front of it, the half has been read.
    clients.back()->send("GET /a HTTP/1.1\r\nHost: t\r\n\r\n" + request.substr(0, request.size() / 2));
    ASSERT_EQ(clients.back()->answer().value().status, 200);
  }
  on_loop([&] { server->drain({.reconnect_within = seconds(30)}, [] {}); });
  std::set<int> waits;
  for (auto& client : clients) {
    client->send(request.substr(request.size() / 2));
    const auto answer = client->answer();
    ASSERT_EQ(answer.value().status, 503);
    waits.insert(std::stoi(answer->headers.at("retry-after")));
  }
  EXPECT_GT(waits.size(), 5U);
  EXPECT_GE(*waits.begin(), 1);
  EXPECT_LE(*waits.rbegin(), 30);
}

TEST_F(WebSocketTest, FramesSentRightBehindTheHandshakeAreNotLost) {
  start();
  RawClient client(port);
  client.send(upgrade_request() + masked(0x81, "one") + masked(0x81, "two"));
  EXPECT_EQ(client.answer().value().status, 101);
  const auto state = session();
  ASSERT_TRUE(eventually([&] { return state->texts.size() == 2; }));
  EXPECT_EQ(client.read(10), "\x81\x03one\x81\x03two");
}

TEST_F(WebSocketTest, FramesOfOneTurnLeaveTogetherAndInOrder) {
  start();
  dialect.on_open = [](SessionState& state) {
    for (int i = 0; i < 1000; ++i) state.sink->send(realtime::make_frame("frame " + std::to_string(i)));
  };
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(client.read(), "frame " + std::to_string(i));
  on_loop([&] { EXPECT_LE(metrics.ws_writes.value(), 3u); });
}

TEST_F(WebSocketTest, TheNextMessageWaitsUntilTheLastOneIsDone) {
  start();
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] { state->hold_done = true; });
  client.send("one");
  client.send("two");
  EXPECT_EQ(client.read(), "one");
  ASSERT_TRUE(eventually([&] { return state->owed.size() == 1; }));
  // Asks the loop often enough that a message would have been read.
  for (int i = 0; i < 100; ++i) on_loop([&] { ASSERT_EQ(state->texts.size(), 1u); });
  on_loop([&] {
    auto owed = std::move(state->owed);
    state->owed.clear();
    owed.at(0)();
  });
  EXPECT_EQ(client.read(), "two");
  on_loop([&] {
    auto owed = std::exchange(state->owed, {});
    owed.at(0)();
  });
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, ASessionThatOwesADoneHearsOfTheEndAtOnceAndLivesUntilItCame) {
  start();
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] { state->hold_done = true; });
  client.send("one");
  ASSERT_TRUE(eventually([&] { return state->owed.size() == 1; }));
  client.reset();
  // Nothing reads while a message is worked on: the next frame meets the reset.
  ASSERT_TRUE(eventually([&] {
    if (state->closed == 0) state->sink->send(realtime::make_frame("x"));
    return state->closed == 1;
  }));
  on_loop([&] {
    EXPECT_EQ(state->destroyed, 0);
    auto owed = std::exchange(state->owed, {});
    owed.at(0)();
  });
  expect_baseline();
}

TEST_F(WebSocketTest, ACommandThatIsNeverDoneClosesTheConnection) {
  start();
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] { state->hold_done = true; });
  client.send("one");
  EXPECT_EQ(client.read(), "one");
  ASSERT_TRUE(eventually([&] { return state->owed.size() == 1; }));
  for (int i = 0; i < 29; ++i) jump(seconds(1));
  on_loop([&] { EXPECT_EQ(server->connections(), 1u); });
  jump(seconds(2));
  EXPECT_EQ(client.close_code(), 1011);
  ASSERT_TRUE(eventually([&] { return server->connections() == 0; }));
  on_loop([&] {
    EXPECT_EQ(state->closed, 1);
    auto owed = std::exchange(state->owed, {});
    owed.at(0)();  // too late; nobody may be hurt
  });
  expect_baseline();
}

TEST_F(WebSocketTest, AnAnswerLongerThanTheWholeQueueReachesASlowReader) {
  start();
  WsClient client(port, 4096);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  const std::string huge(5'000'000, '.');
  on_loop([&] { state->sink->send(realtime::make_frame(huge)); });
  on_loop([&] {
    EXPECT_GT(metrics.ws_queued_bytes.value(), 5 << 18) << "the kernel took too much for this test";
    state->sink->send(realtime::make_frame("last"));
  });
  EXPECT_EQ(client.read(), huge);
  EXPECT_EQ(client.read(), "last");
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, CommandsWaitWhileTheirReaderDoesNot) {
  start();
  WsClient client(port, 4096);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  const std::string answer(3'000'000, '.');
  on_loop([&] {
    state->on_text = [&](SessionState& of, std::string_view) { of.sink->send(realtime::make_frame(answer)); };
  });
  for (int i = 0; i < 20; ++i) client.send("more");
  std::size_t most = 0;
  for (int i = 0; i < 20; ++i) {
    on_loop([&] { most = std::max(most, static_cast<std::size_t>(metrics.ws_queued_bytes.value())); });
    ASSERT_EQ(client.read(), answer);
  }
  EXPECT_LT(most, answer.size() + limits.max_queued_bytes);
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, ASlowReaderBecomesUnwritableAndWritableAgainAndLosesNothing) {
  start();
  int sent = 0;
  const auto pump = [&](SessionState& state) {
    while (state.sink->writable() && sent < 2000) {
      state.sink->send(realtime::make_frame(std::to_string(sent++) + std::string(5000, '.')));
    }
  };
  dialect.on_open = pump;
  WsClient client(port, 4096);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] {
    state->on_writable = pump;
    pump(*state);
    EXPECT_FALSE(state->sink->writable());
    EXPECT_LT(sent, 2000);
    EXPECT_GT(metrics.ws_queued_bytes.value(), 0);
    EXPECT_LT(metrics.ws_queued_bytes.value(), 300'000);
  });
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.read(), std::to_string(i) + std::string(5000, '.'));
  on_loop([&] { EXPECT_GE(state->writable_calls, 1); });
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, AStuckReaderIsClosedWith4008AndCut) {
  const auto turns = std::make_shared<int>(0);  // the loop outlives this function
  loop->at_turn_end([turns] { ++*turns; });
  start();
  const auto pump = [](SessionState& state) {
    while (state.sink->writable()) state.sink->send(realtime::make_frame(std::string(60'000, '.')));
  };
  dialect.on_open = pump;
  WsClient client(port, 4096);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  int before = 0;
  on_loop([&] {
    state->on_writable = pump;
    before = *turns;
  });
  ASSERT_TRUE(eventually([&] { return *turns > before; })) << "that the kernel is full is seen at the turn's end";
  // The kernel's buffers may still take some at first: the seconds count from the last byte that moved.
  int still = 0;
  bool closed = false;
  std::uint64_t moved = 0;
  for (int second = 0; second < 200 && !closed; ++second) {
    jump(seconds(1));
    on_loop([&] {
      const auto sent = metrics.ws_bytes_sent.value();
      still = sent == moved ? still + 1 : 0;
      moved = sent;
      closed = metrics.ws_closed_stuck.value() == 1;
    });
  }
  EXPECT_TRUE(closed);
  EXPECT_GE(still, 29);
  EXPECT_LE(still, 31);
  on_loop([&] { EXPECT_LT(metrics.ws_queued_bytes.value(), 65'000); });
  for (int i = 0; i < 7; ++i) jump(seconds(1));
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  EXPECT_EQ(state->closed, 1);
  expect_baseline();
}

TEST_F(WebSocketTest, AQueueBeyondEveryBoundIsClosedWith4008ThatArrives) {
  start();
  WsClient client(port, 4096);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] {
    const auto frame = realtime::make_frame(std::string(50'000, '.'));
    for (int i = 0; i < 1000; ++i) state->sink->send(frame);
    EXPECT_EQ(metrics.ws_closed_stuck.value(), 1u);
  });
  on_loop([&] { EXPECT_LT(metrics.ws_queued_bytes.value(), 100'000); });
  EXPECT_EQ(client.close_code(), 4008);
  expect_baseline();
}

TEST_F(WebSocketTest, MessagesMayEndDifferentlyForOneSocket) {
  start();
  dialect.on_open = [](SessionState& state) {
    const auto frame = realtime::join_frames({
        realtime::make_frame(realtime::FrameParts{.head = "<", .body = "one", .tail = " of all>", .mark = {}}),
        realtime::make_frame(realtime::FrameParts{.head = "<", .body = "two", .tail = ">", .mark = {}}),
    });
    const std::vector<std::string_view> tails{" of mine>", ""};
    EXPECT_TRUE(state.sink->offer(frame, tails));
    EXPECT_TRUE(state.sink->offer(frame));
  };
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  for (const std::string text : {"<one of mine>", "<two", "<one of all>", "<two>"}) EXPECT_EQ(client.read(), text);
}

// The client finds the close frame only if what began before it is whole.
TEST_F(WebSocketTest, AMessageInPartsIsNotCutWhenTheReaderIsGivenUp) {
  start();
  WsClient client(port, 4096);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] {
    const std::string body(50'000, '.');
    const auto frame =
        realtime::make_frame(realtime::FrameParts{.head = {}, .body = body, .tail = " of all", .mark = {}});
    const std::string_view tail = " of mine";
    while (state->sink->offer(frame, std::span(&tail, 1))) continue;
    for (int i = 0; i < 1000; ++i) state->sink->send(frame);
    EXPECT_EQ(metrics.ws_closed_stuck.value(), 1u);
  });
  on_loop([&] { EXPECT_LT(metrics.ws_queued_bytes.value(), 100'000); });
  EXPECT_EQ(client.close_code(), 4008);
  expect_baseline();
}

TEST_F(WebSocketTest, TheSessionsCloseArrivesBehindItsFramesAndNothingFollows) {
  start();
  dialect.on_open = [](SessionState& state) {
    state.on_text = [](SessionState& self, std::string_view) {
      self.sink->send(realtime::make_frame("last"));
      self.sink->close(dialects::CloseCode::kTooManyCommands, "Slower, please.");
      self.sink->send(realtime::make_frame("late"));
      self.sink->close(dialects::CloseCode::kNormal, "");
    };
  };
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  client.send("x");
  EXPECT_EQ(client.read(), "last");
  EXPECT_EQ(client.close_code(), 4029);
  expect_baseline();
}

TEST_F(WebSocketTest, NoByteFollowsTheCloseFrame) {
  start();
  dialect.on_open = [](SessionState& state) {
    state.on_text = [](SessionState& self, std::string_view) {
      self.sink->send(realtime::make_frame("last"));
      self.sink->close(dialects::CloseCode::kTooManyCommands, "");
      self.sink->send(realtime::make_frame("late"));
    };
  };
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  client.send(masked(0x81, "x"));
  auto got = client.read(10);
  client.send(masked(0x88, std::string("\x0f\xbd", 2)));
  const auto rest = client.rest();
  ASSERT_TRUE(rest);
  EXPECT_EQ(got + *rest, "\x81\x04last" + std::string("\x88\x02\x0f\xbd", 4));
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, EachBadFrameHasItsCloseCode) {
  start();
  struct Case {
    std::string name;
    std::string bytes;
    int code;
  };
  const std::string big(65'537, 'a');
  const std::vector<Case> cases{
      {"binary", masked(0x82, "x"), 1003},
      {"invalid UTF-8", masked(0x81, "\xff\xfe"), 1007},
      {"too big", std::string("\x81\xff\0\0\0\0\0\1\0\1\0\0\0\0", 14) + big, 1009},
      {"unmasked", "\x81\x01x", 1002},
      {"reserved bit", masked(0xc1, "x"), 1002},
      {"binary in parts", masked(0x02, "x") + masked(0x80, "y"), 1003},
      {"unknown opcode", masked(0x83, "x"), 1002},
      {"continuation of nothing", masked(0x80, "x"), 1002},
  };
  for (const auto& test : cases) {
    RawClient client(port);
    client.send(upgrade_request());
    ASSERT_EQ(client.answer().value().status, 101) << test.name;
    client.try_send(test.bytes);
    const auto frame = client.read(4);
    ASSERT_GE(frame.size(), 4u) << test.name;
    EXPECT_EQ(static_cast<unsigned char>(frame[0]), 0x88) << test.name;
    EXPECT_EQ(static_cast<unsigned char>(frame[2]) << 8 | static_cast<unsigned char>(frame[3]), test.code) << test.name;
    client.try_send(masked(0x88, std::string("\x03\xe8", 2)));
    EXPECT_TRUE(client.rest()) << test.name;
    client.close();
    EXPECT_TRUE(eventually([&] { return server->connections() == 0; })) << test.name;
  }
  expect_baseline();
}

TEST_F(WebSocketTest, BinaryGoesBothWaysForASessionThatTakesIt) {
  start();
  dialect.on_open = [](SessionState& state) { state.takes_binary = true; };
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  const std::string bytes("\xff\x00\xfe", 3);
  const std::string big(65'536, '\xe2');
  client.send(masked(0x82, bytes) + masked(0x81, "text") + masked(0x02, "\xff") + masked(0x80, "\xfe") +
              std::string("\x82\xff\0\0\0\0\0\1\0\0\0\0\0\0", 14) + big);
  const auto expected =
      "\x82\x03" + bytes + "\x81\x04text" + "\x82\x02\xff\xfe" + std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10) + big;
  EXPECT_EQ(client.read(expected.size()), expected);
  EXPECT_EQ(session()->texts, (std::vector<std::string>{bytes, "text", "\xff\xfe", big}));
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, BinaryWaitsForTheCommandBeforeItAndTheNextOneForIt) {
  start();
  dialect.on_open = [](SessionState& state) {
    state.takes_binary = true;
    state.hold_done = true;
  };
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  client.send("one");
  client.send("two", true);
  client.send("three", true);
  client.send("four");
  const auto state = session();
  for (const std::string expected : {"one", "two", "three", "four"}) {
    ASSERT_TRUE(eventually([&] { return state->owed.size() == 1; })) << expected;
    EXPECT_EQ(client.read(), expected);
    on_loop([&] {
      EXPECT_EQ(state->texts.back(), expected);
      auto done = std::move(state->owed.front());
      state->owed.clear();
      done();
    });
  }
  on_loop([&] { EXPECT_EQ(state->texts.size(), 4u); });
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, BinaryToAStuckReaderIsBoundedAsTextIs) {
  start();
  WsClient client(port, 4096);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] {
    const std::string bytes(50'000, 'b');
    while (state->sink->writable()) state->sink->send_binary(bytes);
    for (int i = 0; i < 1000; ++i) state->sink->send_binary(bytes);
    EXPECT_EQ(metrics.ws_closed_stuck.value(), 1u);
  });
  on_loop([&] { EXPECT_LT(metrics.ws_queued_bytes.value(), 100'000); });
  EXPECT_EQ(client.close_code(), 4008);
  expect_baseline();
}

TEST_F(WebSocketTest, AFragmentedMessageArrivesAsOne) {
  start();
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  client.send(masked(0x01, "ab") + masked(0x89, "p") + masked(0x00, "cd") + masked(0x80, "ef"));
  EXPECT_EQ(client.read(11),
            "\x8a\x01p\x81\x06"
            "abcdef");
}

TEST_F(WebSocketTest, AFrameThatComesByteByByteIsOne) {
  start();
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  for (int i = 0; i < 2; ++i) {
    for (const char byte : masked(0x89, "p") + masked(0x81, "tide")) client.send({&byte, 1});
    EXPECT_EQ(client.read(9), "\x8a\x01p\x81\x04tide");
  }
}

TEST_F(WebSocketTest, ManyFramesInOnePieceAreAnsweredInOrder) {
  start();
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  std::string sent;
  std::string expected;
  for (int i = 1000; i < 6000; ++i) {
    const auto number = std::to_string(i);
    sent += masked(0x81, number) + masked(0x89, number);
    expected += "\x81\x04" + number + "\x8a\x04" + number;
  }
  client.send(sent);
  EXPECT_EQ(client.read(expected.size()), expected);
}

TEST_F(WebSocketTest, WhatCameBehindACommandWaitsForItsEnd) {
  start();
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  const auto state = session();
  on_loop([&] { state->hold_done = true; });
  const auto frames = masked(0x81, "one") + masked(0x89, "p") + masked(0x81, "two") + masked(0x88, "");
  client.send(frames.substr(0, frames.size() - 1));
  EXPECT_EQ(client.read(5), "\x81\x03one");
  const auto answer = [&] {
    ASSERT_TRUE(eventually([&] { return state->owed.size() == 1; }));
    on_loop([&] {
      auto owed = std::exchange(state->owed, {});
      owed.at(0)();
    });
  };
  answer();
  EXPECT_EQ(client.read(8), "\x8a\x01p\x81\x03two");
  client.send(frames.substr(frames.size() - 1));
  answer();
  EXPECT_EQ(client.rest(), std::string("\x88\x02\x03\xe8"));
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, AnswersACloseWithItsCodeAndThenEnds) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "\x88\x02\x03\xe8"},
      {std::string("\x03\xe9", 2), "\x88\x02\x03\xe9"},
      {std::string("\x0f\xa0\x62ye", 5), "\x88\x02\x0f\xa0"},
      {std::string("\x03\xed", 2), "\x88\x02\x03\xea"},
      {std::string("\x03\xe8\xff", 3), "\x88\x02\x03\xea"},
  };
  for (const auto& [payload, expected] : cases) {
    RawClient client(port);
    client.send(upgrade_request());
    ASSERT_EQ(client.answer().value().status, 101);
    client.send(masked(0x88, payload) + masked(0x81, "late"));
    EXPECT_EQ(client.rest(), expected);
    client.close();
  }
  for (const auto& state : dialect.sessions) EXPECT_TRUE(state->texts.empty());
  expect_baseline();
}

TEST_F(WebSocketTest, BehindItsCloseFrameTheServerOnlyWaitsForTheClients) {
  start();
  dialect.on_open = [](SessionState& state) { state.sink->close(dialects::CloseCode::kRestart, ""); };
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  client.send(masked(0x81, "text") + masked(0x82, "binary") + masked(0x89, "ping") + masked(0x88, "\x03\xf4"));
  EXPECT_EQ(client.rest(), "\x88\x02\x03\xf4");
  EXPECT_TRUE(session()->texts.empty());
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, PingsAnIdleClientAndKeepsOneThatAnswers) {
  start();
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 26; ++i) jump(seconds(1));
    on_loop([&] { state->sink->send(realtime::make_frame("mark")); });
    ASSERT_EQ(client.read(), "mark");
    // The pong is on its way when the echo of this message is back.
    client.send("x");
    ASSERT_EQ(client.read(), "x");
  }
  EXPECT_GE(client.pings(), 7);
  on_loop([&] { EXPECT_EQ(server->connections(), 1u); });
}

TEST_F(WebSocketTest, AnswersAPing) {
  start();
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  client.ping();
  client.send("x");
  EXPECT_EQ(client.read(), "x");
  EXPECT_EQ(client.pongs(), 1);
}

TEST_F(WebSocketTest, PingsOfASlowReaderHoldNoCommandBack) {
  start();
  dialect.on_open = [](SessionState& state) { state.on_text = [](SessionState&, std::string_view) {}; };
  RawClient client(port, 4096);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  const auto state = session();
  const auto huge = realtime::make_frame(std::string(5'000'000, '.'));
  on_loop([&] { state->sink->send(huge); });
  std::string frames, pongs;
  for (int i = 10; i < 100; ++i) {
    frames += masked(0x89, std::to_string(i));
    pongs += "\x8a\x02" + std::to_string(i);
  }
  client.send(frames + masked(0x81, "leave"));
  ASSERT_TRUE(eventually([&] { return state->texts.size() == 1; }));
  on_loop([&] { EXPECT_GT(metrics.ws_queued_bytes.value(), 5 << 18) << "the kernel took too much for this test"; });
  EXPECT_EQ(client.read(huge->wire().size() + pongs.size()).substr(huge->wire().size()), pongs);
  client.close();
  expect_baseline();
}

TEST_F(WebSocketTest, ASilentClientIsClosedAndThenCut) {
  start();
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  const auto state = session();
  for (int i = 0; i < 59; ++i) jump(seconds(1));
  on_loop([&] { EXPECT_EQ(server->connections(), 1u); });
  for (int i = 0; i < 8; ++i) jump(seconds(1));
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  EXPECT_EQ(state->closed, 1);
  expect_baseline();
}

TEST_F(WebSocketTest, AClientThatFloodsPingsAndNeverReadsIsBounded) {
  start();
  RawClient client(port, 4096);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  const auto state = session();
  std::string pings;
  for (int i = 0; i < 400'000; ++i) pings += masked(0x89, std::string(100, 'p'));
  std::jthread flood([&] { client.try_send(pings); });
  // The pongs fill the kernel's buffers, then our queue, and then the server stops reading.
  ASSERT_TRUE(eventually([&] { return metrics.ws_queued_bytes.value() > 0; }));
  for (int i = 0; i < 200; ++i) on_loop([&] { ASSERT_LT(metrics.ws_queued_bytes.value(), 40'000); });
  for (int i = 0; i < 50; ++i) jump(seconds(1));
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  flood.join();
  expect_baseline();
}

TEST_F(WebSocketTest, ASessionThatThrowsCostsItsOwnConnectionOnly) {
  start();
  WsClient other(port);
  ASSERT_EQ(other.connect(), 101);
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session(1);
  on_loop([&] { state->throw_on_text = true; });
  client.send("x");
  EXPECT_EQ(client.close_code(), 1011);
  other.send("y");
  EXPECT_EQ(other.read(), "y");
}

TEST_F(WebSocketTest, DrainTellsEachClientADelayOfItsOwnAndClosesWith1012) {
  start();
  std::vector<std::unique_ptr<WsClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<WsClient>(port));
    ASSERT_EQ(clients.back()->connect(), 101);
  }
  session(3);
  bool drained = false;
  on_loop([&] { server->drain({.reconnect_within = milliseconds(4000)}, [&] { drained = true; }); });
  for (auto& client : clients) {
    EXPECT_EQ(client->read(), "draining");
    EXPECT_EQ(client->close_code(), 1012);
  }
  EXPECT_TRUE(eventually([&] { return drained; }));
  std::vector<bool> slices(4);
  for (const auto& state : dialect.sessions) {
    ASSERT_TRUE(state->draining);
    ASSERT_LT(state->draining->count(), 4000);
    slices[static_cast<std::size_t>(state->draining->count() / 1000)] = true;
  }
  EXPECT_EQ(slices, std::vector<bool>(4, true));
  expect_baseline();
}

TEST_F(WebSocketTest, DrainTellsAllAtOnceAndClosesThemOneAfterAnother) {
  constexpr std::size_t kClients = 8;
  start();
  std::vector<std::unique_ptr<WsClient>> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<WsClient>(port));
    ASSERT_EQ(clients.back()->connect(), 101);
    session(i);
  }
  bool drained = false;
  on_loop([&] { server->drain({seconds(80), seconds(4)}, [&] { drained = true; }); });
  for (auto& client : clients) EXPECT_EQ(client->read(), "draining");
  // Half of the time, and a tick of the wheel that may close the next one as well.
  jump(milliseconds(2050));
  std::vector<WsClient*> staying;
  std::vector<WsClient*> next;
  for (std::size_t i = 0; i < kClients; ++i) {
    milliseconds delay{0};
    on_loop([&] { delay = dialect.sessions[i]->draining.value(); });
    if (delay < seconds(40)) {
      EXPECT_EQ(clients[i]->close_code(), 1012);
    } else {
      (delay < seconds(42) ? next : staying).push_back(clients[i].get());
    }
  }
  EXPECT_EQ(staying.size() + next.size(), kClients / 2);
  for (auto* client : staying) {
    client->send("still here");
    EXPECT_EQ(client->read(), "still here");
  }
  jump(milliseconds(2050));
  for (auto* client : staying) EXPECT_EQ(client->close_code(), 1012);
  for (auto* client : next) EXPECT_EQ(client->close_code(), 1012);
  EXPECT_TRUE(eventually([&] { return drained; }));
  expect_baseline();
}

TEST_F(WebSocketTest, DrainCutsAClientThatDoesNotClose) {
  start();
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_EQ(client.answer().value().status, 101);
  session();
  bool drained = false;
  on_loop([&] { server->drain({.reconnect_within = milliseconds(100)}, [&] { drained = true; }); });
  for (int i = 0; i < 12; ++i) jump(seconds(1));
  EXPECT_TRUE(eventually([&] { return drained; }));
  expect_baseline();
}

TEST_F(WebSocketTest, AnUpgradeThatIsAuthorizedWhileDrainingIsToldLikeTheOthers) {
  start();
  dialect.hold_authorize = true;
  RawClient client(port);
  client.send(upgrade_request());
  ASSERT_TRUE(eventually([&] { return dialect.held.size() == 1; }));
  on_loop([&] {
    server->drain({.reconnect_within = milliseconds(100)}, [] {});
    dialect.held.at(0)(dialect.entrance());
  });
  EXPECT_EQ(client.answer().value().status, 101) << "its ticket is used up already";
}

TEST_F(WebSocketTest, ResetsOfManyClientsAtAnyPointLeaveNothingBehind) {
  start();
  dialect.on_open = [](SessionState& state) { state.sink->send(realtime::make_frame(std::string(100'000, '.'))); };
  for (int i = 0; i < 50; ++i) {
    RawClient client(port, i % 2 ? 4096 : 0);
    client.send(upgrade_request());
    if (i % 3 > 0) client.answer();
    if (i % 3 > 1) client.send(masked(0x81, "hello").substr(0, static_cast<std::size_t>(i % 11)));
    client.reset();
  }
  ASSERT_TRUE(eventually([&] { return server->connections() == 0; }));
  expect_baseline();
}

TEST_F(WebSocketTest, ASessionGoesWithItsServerThoughItsHandlerStaysInTheLoop) {
  start();
  WsClient client(port);
  ASSERT_EQ(client.connect(), 101);
  const auto state = session();
  on_loop([&] {
    server.reset();
    EXPECT_EQ(state->closed, 1);
    EXPECT_EQ(state->destroyed, 1);
  });
}

TEST_F(WebSocketTest, TheServerMayGoWhileSessionsAreOpenAndOwing) {
  start();
  WsClient idle(port);
  ASSERT_EQ(idle.connect(), 101);
  WsClient busy(port);
  ASSERT_EQ(busy.connect(), 101);
  const auto state = session(1);
  on_loop([&] { state->hold_done = true; });
  busy.send("x");
  ASSERT_TRUE(eventually([&] { return state->owed.size() == 1; }));
  stop();
  EXPECT_EQ(metrics.ws_connections.value(), 0);
  EXPECT_EQ(state->closed, 1);
  EXPECT_EQ(state->destroyed, 0);
  EXPECT_EQ(dialect.sessions.at(0)->destroyed, 1);
  auto owed = std::exchange(state->owed, {});
  owed.at(0)();
  owed.clear();
  EXPECT_EQ(state->destroyed, 1);
}

}  // namespace
}  // namespace belfry::net::testing
