#include <algorithm>
#include <string>
#include <vector>

#include "harness.hpp"

/// Plain requests to a dialect: who is answered, and who hears that nobody was.
namespace belfry::net::testing {
namespace {

using std::chrono::seconds;

std::string request(std::string_view method, std::string_view query, std::string_view more = {},
                    std::string_view body = {}) {
  return std::string(method) + " /ws?" + std::string(query) + " HTTP/1.1\r\nHost: t\r\n" + std::string(more) +
         (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + std::string(body);
}

std::string get(std::string_view query, std::string_view more = {}) { return request("GET", query, more); }

dialects::PlainAnswer text(std::string body) {
  dialects::PlainAnswer answer;
  answer.body = std::move(body);
  return answer;
}

class PlainTest : public ServerTest {
 protected:
  PlainTest() { dialect.plainly = true; }
  void answer(PlainState& state, dialects::PlainAnswer with) {
    on_loop([&] { std::exchange(state.done, nullptr)(std::move(with)); });
  }
  void answer(PlainState& state) { answer(state, echo(state.request)); }
  int given_up(const PlainState& state) {
    int count = 0;
    on_loop([&] { count = state.given_up; });
    return count;
  }
};

TEST_F(PlainTest, TheDialectSeesTheRequestAndTheClientItsAnswer) {
  start();
  RawClient client(port);
  client.send(
      request("POST", "a=b", "Authorization: Bearer x\r\nOrigin: http://o\r\nContent-Type: text/plain\r\n", "hello"));
  const auto state = plain();
  EXPECT_EQ(state->request.method, "POST");
  EXPECT_EQ(state->request.query, "a=b");
  EXPECT_EQ(state->request.authorization, "Bearer x");
  EXPECT_EQ(state->request.origin, "http://o");
  EXPECT_EQ(state->request.body, "hello");
  answer(*state, {.status = 404,
                  .content_type = "application/json",
                  .headers = {{"Access-Control-Allow-Origin", "http://o"}},
                  .body = "{}"});
  const auto got = client.answer();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->status, 404);
  EXPECT_EQ(got->body, "{}");
  EXPECT_EQ(got->headers.at("content-type"), "application/json");
  EXPECT_EQ(got->headers.at("access-control-allow-origin"), "http://o");
  EXPECT_TRUE(got->headers.contains("x-request-id"));
  EXPECT_FALSE(got->headers.contains("connection"));
  on_loop([&] { EXPECT_EQ(metrics.http_responses[4].value(), 1u); });
  client.close();
  expect_baseline();
  EXPECT_EQ(given_up(*state), 0);
}

TEST_F(PlainTest, EveryMethodIsTheDialectsOwnAndTheConnectionIsKept) {
  start();
  RawClient client(port);
  for (const std::string method : {"GET", "POST", "OPTIONS", "PUT", "DELETE"}) {
    client.send(request(method, "now"));
    EXPECT_EQ(client.answer().value().body, method + " now ") << method;
  }
  client.send(request("HEAD", "now") + get("now2"));
  EXPECT_EQ(client.answer(true).value().headers.at("content-length"), "9");
  EXPECT_EQ(client.answer().value().body, "GET now2 ");
  for (const auto& state : dialect.plain) EXPECT_EQ(given_up(*state), 0);
  client.close();
  expect_baseline();
}

TEST_F(PlainTest, WhoAsksForAWebSocketGetsItOrHearsWhyNot) {
  start();
  struct Case {
    std::string headers;
    int status;
  };
  const std::string good =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::vector<Case> cases{
      {good, 101},
      {"Upgrade: WebSocket\r\n", 426},
      {"Connection: Upgrade\r\nUpgrade: websocket\r\n", 426},
      {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n", 400},
      {"Connection: Upgrade\r\nUpgrade: h2c\r\n", 200},
  };
  for (const auto& test : cases) {
    RawClient client(port);
    client.send(get("now", test.headers));
    EXPECT_EQ(client.answer().value().status, test.status) << test.headers;
  }
  expect_baseline();
  EXPECT_EQ(dialect.plain.size(), 1u);
}

TEST_F(PlainTest, ADialectThatSpeaksWebSocketOnlyIsSpared) {
  dialect.plainly = false;
  start();
  RawClient client(port);
  client.send(get("now"));
  EXPECT_EQ(client.answer().value().status, 426);
  EXPECT_TRUE(dialect.plain.empty());
}

TEST_F(PlainTest, WhoLeavesWhileItsAnswerIsPendingIsGivenUpAtOnce) {
  start();
  enum { kClose, kReset, kShutdown };
  for (const int how : {kClose, kReset, kShutdown}) {
    RawClient client(port);
    client.send(get("wait"));
    const auto state = plain(static_cast<std::size_t>(how));
    EXPECT_EQ(given_up(*state), 0);
    if (how == kClose) client.close();
    if (how == kReset) client.reset();
    if (how == kShutdown) client.shutdown_send();
    EXPECT_TRUE(eventually([&] { return state->given_up == 1 && server->connections() == 0; })) << how;
    answer(*state);
    EXPECT_EQ(given_up(*state), 1);
  }
  expect_baseline();
}

TEST_F(PlainTest, WhatIsPipelinedBehindAPendingAnswerWaitsForIt) {
  start();
  RawClient client(port);
  client.send(get("one"));
  const auto one = plain();
  client.send(get("two").substr(0, 10));
  client.send(get("two").substr(10) + request("POST", "three", {}, "body") + "GET /rest HTTP/1.1\r\nHost: t\r\n\r\n");
  on_loop([&] { EXPECT_EQ(dialect.plain.size(), 1u); });
  answer(*one);
  EXPECT_EQ(client.answer().value().body, "GET one ");
  answer(*plain(1));
  EXPECT_EQ(client.answer().value().body, "GET two ");
  answer(*plain(2));
  EXPECT_EQ(client.answer().value().body, "POST three body");
  EXPECT_EQ(client.answer().value().body, "GET /rest  ");
  client.close();
  expect_baseline();
  for (const auto& state : dialect.plain) EXPECT_EQ(state->given_up, 0);
}

TEST_F(PlainTest, APeerThatPipelinesWithoutEndIsNotReadOnAndLosesNothing) {
  start();
  RawClient client(port);
  client.send(get("wait"));
  const auto state = plain();
  constexpr int kRequests = 3000;
  std::string all;
  for (int i = 0; i < kRequests; ++i) all += get("now" + std::to_string(i));
  ASSERT_GT(all.size(), 5 * limits.max_header_bytes);
  client.send(all);
  on_loop([&] { EXPECT_EQ(dialect.plain.size(), 1u); });
  answer(*state);
  EXPECT_EQ(client.answer().value().body, "GET wait ");
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(client.answer().value().body, "GET now" + std::to_string(i) + " ");
  client.close();
  expect_baseline();
}

TEST_F(PlainTest, AnAnswerThatDoesNotComeInTimeIsGivenUpAndNoPollIsHurried) {
  start();
  RawClient client(port);
  client.send(get("wait"));
  const auto state = plain();
  jump(seconds(55));
  EXPECT_EQ(given_up(*state), 0);
  jump(seconds(10));
  EXPECT_EQ(client.answer().value().status, 500);
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(given_up(*state), 1);
  answer(*state);
  client.close();
  expect_baseline();
  EXPECT_EQ(given_up(*state), 1);
}

TEST_F(PlainTest, ADialectThatDropsItsDoneIsAnsweredFor) {
  start();
  RawClient client(port);
  client.send(get("wait", "X-Request-Id: mine\r\n"));
  const auto state = plain();
  on_loop([&] { state->done = nullptr; });
  const auto got = client.answer();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->status, 500);
  EXPECT_EQ(got->headers.at("x-request-id"), "mine");
  client.close();
  expect_baseline();
}

TEST_F(PlainTest, AnAnswerThatCannotBeWrittenIsGivenUpAndOneThatTheKernelHasIsNot) {
  start();
  RawClient slow(port, 4096);
  slow.send(get("wait"));
  const auto lost = plain();
  answer(*lost, text(std::string(32 << 20, 'x')));
  EXPECT_EQ(slow.read(1000).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(given_up(*lost), 0);
  slow.reset();
  EXPECT_TRUE(eventually([&] { return lost->given_up == 1; }));

  RawClient stuck(port, 4096);
  stuck.send(get("wait"));
  const auto late = plain(1);
  answer(*late, text(std::string(32 << 20, 'x')));
  EXPECT_EQ(stuck.read(1000).substr(0, 12), "HTTP/1.1 200");
  jump(limits.write_timeout + seconds(1));
  EXPECT_TRUE(eventually([&] { return late->given_up == 1; }));

  RawClient quick(port);
  quick.send(get("wait"));
  const auto taken = plain(2);
  answer(*taken, text(std::string(4 << 20, 'y')));
  EXPECT_EQ(quick.answer().value().body.size(), std::size_t{4} << 20);
  quick.reset();
  expect_baseline();
  EXPECT_EQ(given_up(*taken), 0);
}

TEST_F(PlainTest, ADrainTellsTheDialectWhichAnswersWhoWaits) {
  start();
  RawClient client(port);
  client.send(get("wait"));
  const auto state = plain();
  RawClient idle(port);
  idle.send(get("now"));
  EXPECT_EQ(idle.answer().value().status, 200);
  std::promise<void> drained;
  on_loop([&] {
    dialect.on_drain = [&] {
      EXPECT_EQ(server->connections(), 2u);
      std::exchange(state->done, nullptr)(text("draining"));
    };
    server->drain({.reconnect_within = seconds(7)}, [&] { drained.set_value(); });
  });
  const auto got = client.answer();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->body, "draining");
  EXPECT_EQ(got->headers.at("connection"), "close");
  EXPECT_EQ(client.rest(), "");
  client.close();
  idle.close();
  EXPECT_EQ(drained.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(dialect.drained, seconds(7));
  expect_baseline();
  EXPECT_EQ(given_up(*state), 0);
}

TEST_F(PlainTest, ADrainTellsTheDialectThoughNobodyIsConnected) {
  start();
  std::promise<void> drained;
  on_loop([&] { server->drain({.reconnect_within = seconds(3)}, [&] { drained.set_value(); }); });
  EXPECT_EQ(drained.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(dialect.drained, seconds(3));
}

TEST_F(PlainTest, WhoIsCutByADrainIsGivenUp) {
  start();
  RawClient quiet(port);
  quiet.send(get("wait"));
  const auto watched = plain();
  RawClient full(port);
  full.send(get("wait"));
  const auto unwatched = plain(1);
  full.send(std::string(4 * limits.max_header_bytes, 'x'));
  on_loop([&] { server->drain({}, [] {}); });
  jump(limits.drain_timeout + seconds(1));
  EXPECT_TRUE(eventually([&] { return watched->given_up == 1 && unwatched->given_up == 1; }));
  jump(seconds(1));
  expect_baseline();
}

TEST_F(PlainTest, TheServerMayGoWhileAnswersArePendingOrBeingWritten) {
  start();
  RawClient client(port);
  client.send(get("wait"));
  const auto pending = plain();
  RawClient slow(port, 4096);
  slow.send(get("wait"));
  const auto written = plain(1);
  answer(*written, text(std::string(32 << 20, 'x')));
  EXPECT_EQ(slow.read(1000).substr(0, 12), "HTTP/1.1 200");
  stop();
  EXPECT_EQ(pending->given_up, 1);
  EXPECT_EQ(written->given_up, 1);
  pending->done(echo(pending->request));
  EXPECT_EQ(metrics.http_connections.value(), 0);
}

}  // namespace
}  // namespace belfry::net::testing
