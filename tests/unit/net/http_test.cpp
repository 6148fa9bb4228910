#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "harness.hpp"

namespace belfry::net::testing {
namespace {

using std::chrono::seconds;

class HttpTest : public ServerTest {};

std::string get(std::string_view target, std::string_view more = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(more) + "\r\n";
}

TEST_F(HttpTest, AnswersOnAKeptConnectionUntilTheClientLeaves) {
  start();
  {
    RawClient client(port);
    for (int i = 0; i < 3; ++i) {
      client.send(get("/a?b=c"));
      const auto answer = client.answer();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 200);
      EXPECT_EQ(answer->body, "GET /a b=c ");
      EXPECT_EQ(answer->headers.at("x-request-id"), "id-" + std::to_string(i + 1));
      EXPECT_FALSE(answer->headers.contains("connection"));
    }
    on_loop([&] { EXPECT_EQ(metrics.http_connections.value(), 1); });
  }
  expect_baseline();
}

TEST_F(HttpTest, AThousandPipelinedRequestsAreAnsweredInOrder) {
  start();
  RawClient client(port);
  std::string all;
  for (int i = 0; i < 1000; ++i) all += get("/" + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 1000; ++i) {
    const auto answer = client.answer();
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->body, "GET /" + std::to_string(i) + "  ");
  }
}

TEST_F(HttpTest, ASlowAnswerHoldsTheNextOneBack) {
  start();
  RawClient client(port);
  client.send(get("/hold") + get("/next"));
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1; }));
  on_loop([&] {
    EXPECT_EQ(service.requests.size(), 1u);
    service.release();
  });
  EXPECT_EQ(client.answer().value().body, "released");
  EXPECT_EQ(client.answer().value().body, "GET /next  ");
}

TEST_F(HttpTest, ReadsBodiesByLengthAndInChunks) {
  start();
  RawClient client(port);
  client.send("POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(client.answer().value().body, "POST /x  hello");
  client.send(
      "POST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nAuthorization: "
      "no\r\n\r\n");
  EXPECT_EQ(client.answer().value().body, "POST /x  abcde");
  on_loop([&] { EXPECT_FALSE(service.requests.back().header("authorization")); });
}

TEST_F(HttpTest, SaysContinueWhenTheClientWaitsForIt) {
  start();
  RawClient client(port);
  client.send("POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.answer().value().status, 100);
  client.send("hello");
  EXPECT_EQ(client.answer().value().body, "POST /x  hello");
}

TEST_F(HttpTest, RefusesATooBigBodyBeforeItIsSent) {
  start();
  RawClient client(port);
  client.send("POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 262145\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.answer().value().status, 413);
}

TEST_F(HttpTest, AnOldClientGetsItsAnswerAndTheEnd) {
  start();
  RawClient client(port);
  client.send("GET /a HTTP/1.0\r\n\r\n");
  const auto answer = client.answer();
  EXPECT_EQ(answer->headers.at("connection"), "close");
  client.close();
  RawClient keeper(port);
  keeper.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(keeper.answer().value().headers.at("connection"), "keep-alive");
  keeper.send("GET /b HTTP/1.0\r\n\r\n");
  EXPECT_EQ(keeper.answer().value().body, "GET /b  ");
  EXPECT_EQ(keeper.rest(), "");
}

TEST_F(HttpTest, HeadHasTheLengthButNoBody) {
  start();
  RawClient client(port);
  client.send("HEAD /big HTTP/1.1\r\nHost: t\r\n\r\n" + get("/after"));
  const auto head = client.answer(true);
  EXPECT_EQ(head->headers.at("content-length"), "100000");
  EXPECT_EQ(client.answer().value().body, "GET /after  ");
}

TEST_F(HttpTest, PacksBigAnswersForWhoAcceptsGzip) {
  start();
  RawClient client(port);
  client.send(get("/big", "Accept-Encoding: br, gzip;q=0.5\r\n"));
  const auto packed = client.answer();
  EXPECT_EQ(packed->headers.at("content-encoding"), "gzip");
  EXPECT_EQ(packed->headers.at("vary"), "Accept-Encoding");
  EXPECT_LT(packed->body.size(), 2000u);
  std::string plain(100'000, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 31), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed->body.data()));
  stream.avail_in = static_cast<uInt>(packed->body.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  EXPECT_EQ(plain, std::string(100'000, 'x'));
  client.send(get("/big", "Accept-Encoding: gzip;q=0\r\n"));
  const auto refused = client.answer();
  EXPECT_FALSE(refused->headers.contains("content-encoding"));
  EXPECT_EQ(refused->headers.at("vary"), "Accept-Encoding");
  client.send(get("/small", "Accept-Encoding: gzip\r\n"));
  EXPECT_FALSE(client.answer().value().headers.contains("content-encoding"));
}

TEST_F(HttpTest, EachLimitHasItsAnswerAndClosesTheConnection) {
  start();
  struct Case {
    std::string name;
    std::string bytes;
    int status;
    std::string code;
  };
  const std::vector<Case> cases{
      {"request line", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: t\r\n\r\n", 414, "VALIDATION_ERROR"},
      {"request line without end", "GET /" + std::string(9000, 'a'), 414, "VALIDATION_ERROR"},
      {"headers", get("/", "X: " + std::string(17000, 'a') + "\r\n"), 431, "VALIDATION_ERROR"},
      {"headers without end", "GET / HTTP/1.1\r\nX: " + std::string(17000, 'a'), 431, "VALIDATION_ERROR"},
      {"declared body", "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 262145\r\n\r\n", 413, "PAYLOAD_TOO_LARGE"},
      {"chunked body", "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n", 413,
       "PAYLOAD_TOO_LARGE"},
      {"no HTTP", "\x16\x03\x01 hello\r\n\r\n", 400, "VALIDATION_ERROR"},
      {"both lengths", "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400,
       "VALIDATION_ERROR"},
  };
  for (const auto& test : cases) {
    RawClient client(port);
    client.try_send(test.bytes);
    const auto answer = client.answer();
    ASSERT_TRUE(answer) << test.name;
    EXPECT_EQ(answer->status, test.status) << test.name;
    EXPECT_NE(answer->body.find(test.code), std::string::npos) << test.name << answer->body;
    EXPECT_EQ(answer->headers.at("connection"), "close") << test.name;
    EXPECT_TRUE(answer->headers.contains("x-request-id")) << test.name;
    EXPECT_EQ(client.rest(), "") << test.name;
  }
  expect_baseline();
}

TEST_F(HttpTest, AClientThatPushesTenMegabytesOfHeaderStillGetsItsAnswer) {
  start();
  RawClient client(port);
  client.try_send("GET / HTTP/1.1\r\nX: " + std::string(10 << 20, 'a'));
  const auto answer = client.answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 431);
}

TEST_F(HttpTest, ASlowHeaderAndASlowBodyAreAnsweredWith408) {
  start();
  for (const std::string_view begun :
       {"G", "GET / HTTP/1.1\r\nHost: t\r\n", "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nabc"}) {
    RawClient client(port);
    client.send(begun);
    // A timer of the phase that the bytes began, besides nothing else: then the clock may go on.
    ASSERT_TRUE(eventually([&] { return server->connections() == 1 && wheel.size() == 1; }));
    std::optional<Answer> answer;
    // The first jumps may meet the idle phase, when the bytes are not read yet.
    for (int second = 0; second < 22; ++second) jump(seconds(1));
    answer = client.answer();
    ASSERT_TRUE(answer) << begun;
    EXPECT_EQ(answer->status, 408) << begun;
    EXPECT_EQ(client.rest(), "");
    client.close();
    EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  }
}

TEST_F(HttpTest, AClientThatTricklesItsHeaderIsNotKeptByEachByte) {
  start();
  RawClient client(port);
  std::string header = "GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(100, 'x');
  std::size_t sent = 0;
  while (sent < 30 && client.try_send(header.substr(sent, 1))) {
    ++sent;
    jump(seconds(1));
  }
  const auto answer = client.answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
}

TEST_F(HttpTest, AnIdleConnectionIsClosedWithoutAWord) {
  start();
  RawClient client(port);
  ASSERT_TRUE(eventually([&] { return wheel.size() == 1; }));
  jump(seconds(74));
  on_loop([&] { EXPECT_EQ(server->connections(), 1u); });
  jump(seconds(2));
  EXPECT_EQ(client.rest(), "");
  client.close();
  expect_baseline();
}

TEST_F(HttpTest, AReaderThatTakesNothingIsCutAndTheOthersAreServed) {
  start();
  RawClient stuck(port, 4096);
  stuck.send(get("/huge"));
  ASSERT_TRUE(eventually([&] { return service.requests.size() == 1; }));
  RawClient other(port);
  other.send(get("/a"));
  EXPECT_EQ(other.answer().value().status, 200);
  other.close();
  ASSERT_TRUE(eventually([&] { return server->connections() == 1; }));
  jump(seconds(31));
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  expect_baseline();
}

TEST_F(HttpTest, AHugeAnswerArrivesWhole) {
  start();
  RawClient client(port);
  client.send(get("/huge"));
  const auto answer = client.answer();
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->body.size(), 4u << 20);
  for (std::size_t i = 0; i < answer->body.size(); ++i) {
    ASSERT_EQ(answer->body[i], static_cast<char>((i * 2654435761u) >> 13)) << i;
  }
}

TEST_F(HttpTest, TheLastAnswerArrivesWholeThoughItsClientSentMoreThanWasRead) {
  start();
  RawClient client(port, 4096);
  client.send("GET /huge HTTP/1.0\r\n\r\n" + std::string(64 * 1024, 'x'));
  const auto answer = client.answer();
  ASSERT_TRUE(answer) << "closing with unread bytes is a reset, which takes back what was not yet received";
  EXPECT_EQ(answer->body.size(), 4u << 20);
}

TEST_F(HttpTest, AClientThatHalfClosesGetsItsAnswer) {
  start();
  RawClient client(port);
  client.send(get("/a"));
  client.shutdown_send();
  EXPECT_EQ(client.answer().value().status, 200);
  EXPECT_EQ(client.rest(), "");
  expect_baseline();
}

TEST_F(HttpTest, ResetsAtAnyPointLeaveNothingBehind) {
  start();
  for (const std::string bytes :
       {"", "G", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nabc"}) {
    RawClient client(port);
    if (!bytes.empty()) client.send(bytes);
    client.reset();
  }
  RawClient waiting(port);
  waiting.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1; }));
  waiting.reset();
  on_loop([&] { service.release(); });
  expect_baseline();
}

TEST_F(HttpTest, AServiceThatForgetsARequestCostsA500NotAHang) {
  start();
  RawClient client(port);
  client.send(get("/drop"));
  const auto answer = client.answer();
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(client.rest(), "");
}

TEST_F(HttpTest, BeyondTheMostConnectionsANewOneIsToldToComeLater) {
  start([](Limits& limits) { limits.max_connections = 2; });
  RawClient first(port);
  RawClient second(port);
  ASSERT_TRUE(eventually([&] { return server->connections() == 2; }));
  RawClient third(port);
  third.send(get("/a"));
  const auto answer = third.answer();
  EXPECT_EQ(answer->status, 503);
  EXPECT_TRUE(answer->headers.contains("retry-after"));
  EXPECT_EQ(third.rest(), "");
  second.close();
  ASSERT_TRUE(eventually([&] { return server->connections() == 1; }));
  RawClient fourth(port);
  fourth.send(get("/a"));
  EXPECT_EQ(fourth.answer().value().status, 200);
}

TEST_F(HttpTest, ThoseBeyondTheMostConnectionsAreToldToComeOneAfterTheOther) {
  start([](Limits& limits) {
    limits.max_connections = 1;
    limits.handshakes_per_second = 1;
  });
  RawClient first(port);
  ASSERT_TRUE(eventually([&] { return server->connections() == 1; }));
  int last = 0;
  for (int i = 0; i < 5; ++i) {
    RawClient refused(port);
    const auto answer = refused.answer();
    ASSERT_EQ(answer.value().status, 503);
    const int wait = std::stoi(answer->headers.at("retry-after"));
    EXPECT_GT(wait, last);
    last = wait;
  }
}

TEST_F(HttpTest, WithoutFreeDescriptorsItWaitsAndThenAcceptsAgain) {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "the sanitizer needs a descriptor of its own to look at a virtual call";
#endif
#endif
  start();
  RawClient served(port);
  served.send(get("/a"));
  EXPECT_EQ(served.answer().value().status, 200);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(0);
  ::close(next);
  {
    // The client has its descriptor before they run out; the server's side of it is one too many.
    RawClient waiting(port, 0, [&] {
      rlimit none = before;
      none.rlim_cur = static_cast<rlim_t>(next) + 2;
      ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    });
    waiting.send(get("/b"));
    ASSERT_TRUE(eventually([&] { return wheel.size() == 2; }));  // the idle connection and the pause
    served.send(get("/c"));
    EXPECT_EQ(served.answer().value().status, 200);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    jump(seconds(1));
    EXPECT_EQ(waiting.answer().value().status, 200);
  }
  served.close();
  expect_baseline();
}

TEST_F(HttpTest, EveryAnswerIsDated) {
  dialect.plainly = true;
  start([](Limits& limits) { limits.max_connections = 1; });
  const std::string upgrade =
      "GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const std::map<int, std::string> asked{{200, get("/a")}, {400, "no HTTP\r\n\r\n"}, {101, upgrade}};
  const auto dated = [](std::optional<Answer> answer, int status) {
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status);
    EXPECT_TRUE(answer->headers.at("date").ends_with(" GMT")) << status;
  };
  for (const auto& [status, bytes] : asked) {
    RawClient client(port);
    client.send(bytes);
    dated(client.answer(), status);
    RawClient refused(port);
    dated(refused.answer(), 503);
    client.close();
    ASSERT_TRUE(eventually([&] { return server->connections() == 0; }));
  }
  RawClient client(port);
  client.send(get("/ws?now"));
  dated(client.answer(), 200);
}

TEST_F(HttpTest, ListenSaysWhyItCannot) {
  start();
  on_loop([&] {
    const auto taken = server->listen({.address = "127.0.0.1", .port = port});
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, core::ErrorCode::kUnavailable);
    EXPECT_NE(taken.error().message.find("in use"), std::string::npos) << taken.error().message;
    EXPECT_FALSE(server->listen({.address = "localhost", .port = 0}));
    EXPECT_TRUE(server->listen({.address = "::1", .port = 0}));
  });
}

TEST_F(HttpTest, DrainEndsIdleConnectionsAtOnceAndBusyOnesAfterTheirAnswer) {
  start();
  RawClient idle(port);
  RawClient busy(port);
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1 && server->connections() == 2; }));
  bool drained = false;
  on_loop([&] { server->drain({.reconnect_within = std::chrono::seconds(1)}, [&] { drained = true; }); });
  EXPECT_EQ(idle.rest(), "");
  // The idle client keeps its side open, which nobody waits for.
  EXPECT_TRUE(eventually([&] { return server->connections() == 1; }));
  on_loop([&] {
    EXPECT_FALSE(drained);
    service.release();
  });
  const auto answer = busy.answer();
  EXPECT_EQ(answer->headers.at("connection"), "close");
  EXPECT_EQ(busy.rest(), "");
  busy.close();
  EXPECT_TRUE(eventually([&] { return drained; }));
  idle.close();
  expect_baseline();
}

TEST_F(HttpTest, ARequestThatNobodyAnswersEndsInTime) {
  start();
  RawClient client(port);
  client.send("GET /hold HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1; }));
  for (int i = 0; i < 31; ++i) jump(std::chrono::seconds(1));
  const auto answer = client.answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(answer->headers.at("x-request-id"), "mine");
  EXPECT_EQ(client.rest(), "");
  client.close();
  on_loop([&] { service.release(); });  // too late; nobody may be hurt
  expect_baseline();
}

TEST_F(HttpTest, DrainCutsWhatDoesNotEnd) {
  start();
  RawClient busy(port);
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1; }));
  bool drained = false;
  on_loop([&] { server->drain({.reconnect_within = std::chrono::seconds(1)}, [&] { drained = true; }); });
  jump(seconds(11));
  jump(seconds(1));
  EXPECT_TRUE(eventually([&] { return drained; }));
  on_loop([&] { service.release(); });
  expect_baseline();
}

TEST_F(HttpTest, AServerThatWentOnARunningLoopServesNothingMore) {
  start();
  RawClient client(port);
  client.send(get("/hold") + get("/next"));
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1; }));
  on_loop([&] { server.reset(); });
  on_loop([&] { service.release(); });
  on_loop([&] { EXPECT_EQ(service.requests.size(), 1u); });
  EXPECT_FALSE(client.answer());
}

TEST_F(HttpTest, TheServerMayGoWhileRequestsAndConnectionsAreOpen) {
  start();
  RawClient idle(port);
  RawClient half(port);
  half.send("GET / HT");
  RawClient busy(port);
  busy.send(get("/hold"));
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1 && server->connections() == 3; }));
  stop();
  service.release();  // too late; nobody may be hurt
  EXPECT_EQ(metrics.http_connections.value(), 0);
}

}  // namespace
}  // namespace belfry::net::testing
