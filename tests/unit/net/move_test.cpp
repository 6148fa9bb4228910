#include <array>
#include <string>
#include <vector>

#include "harness.hpp"

/// Connections whose requests belong to a conversation on another server's loop.
namespace belfry::net::testing {
namespace {

using std::chrono::seconds;

std::string get(const std::string& target, const std::string& more = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n";
}

/// Shard 1, on a loop with a thread of its own; shard 0 is the one that accepts.
class MoveTest : public ServerTest {
 protected:
  struct Other {
    FakeService service;
    FakeDialect dialect;
    telemetry::Metrics metrics;
    std::unique_ptr<runtime::Loop> loop = std::make_unique<runtime::Loop>();
    runtime::Wheel wheel;
    Limits limits;
    std::unique_ptr<Server> server;
    std::thread thread;
  };

  MoveTest() { dialect.plainly = other.dialect.plainly = true; }
  ~MoveTest() override {
    stop();
    stop_other();
    other.server.reset();
    other.loop.reset();
  }
  void before_listen() override {
    other.server = std::make_unique<Server>(*other.loop, other.wheel, other.limits, other.service,
                                            std::vector<dialects::Dialect*>{&other.dialect}, other.metrics);
    const std::vector<Server*> all{server.get(), other.server.get()};
    for (auto* each : all) each->share_sessions(all);
    other.thread =
        std::thread([this] { other.loop->run([](std::exception_ptr) { ADD_FAILURE() << "a handler threw"; }); });
  }
  void stop_other() {
    if (other.loop) other.loop->stop();
    if (other.thread.joinable()) other.thread.join();
  }
  void on_other(std::move_only_function<void()> task) {
    std::promise<void> ran;
    other.loop->post([&] {
      task();
      ran.set_value();
    });
    ran.get_future().wait();
  }
  bool there_eventually(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    bool held = false;
    while (!held && std::chrono::steady_clock::now() < end) {
      on_other([&] { held = holds(); });
      std::this_thread::yield();
    }
    return held;
  }
  /// On which server so many connections are, and what both say of that to the operator.
  bool come_to(std::size_t here, std::size_t there) {
    const auto counted = [](const Server& server, const telemetry::Metrics& metrics, std::size_t wanted) {
      return server.connections() == wanted && metrics.http_connections.value() == static_cast<std::int64_t>(wanted);
    };
    return eventually([&] { return counted(*server, metrics, here); }) &&
           there_eventually([&] { return counted(*other.server, other.metrics, there); });
  }

  Other other;
};

TEST_F(MoveTest, ARequestIsAnsweredWhereItsConversationLives) {
  start();
  RawClient client(port);
  client.send(get("/ws?now0"));
  EXPECT_EQ(client.answer().value().body, "GET now0 ");
  EXPECT_TRUE(come_to(1, 0));
  client.send(get("/ws?now1&shard=1"));
  EXPECT_EQ(client.answer().value().body, "GET now1&shard=1 ");
  EXPECT_TRUE(come_to(0, 1));
  client.send(get("/ws?now2&shard=1") + get("/a") + get("/ws?now3"));
  EXPECT_EQ(client.answer().value().body, "GET now2&shard=1 ");
  EXPECT_EQ(client.answer().value().body, "GET /a  ");
  EXPECT_EQ(client.answer().value().body, "GET now3 ");
  EXPECT_TRUE(come_to(0, 1));
  client.send(get("/ws?now4&shard=0"));
  EXPECT_EQ(client.answer().value().body, "GET now4&shard=0 ");
  EXPECT_TRUE(come_to(1, 0));
  on_loop([&] {
    EXPECT_EQ(dialect.plain.size(), 2u);
    EXPECT_EQ(service.requests.size(), 0u);
  });
  on_other([&] {
    EXPECT_EQ(other.dialect.plain.size(), 3u);
    EXPECT_EQ(other.service.requests.size(), 1u);
  });
  client.close();
  EXPECT_TRUE(come_to(0, 0));
  expect_baseline();
}

TEST_F(MoveTest, WhatWasReadBehindARequestMovesWithItWhateverTheCuts) {
  start();
  RawClient client(port);
  constexpr std::size_t kRequests = 300;
  std::string all;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const auto query = "now" + std::to_string(i) + "&shard=" + std::to_string(i / 3 % 2);
    const std::string body(i % 7 * 500, 'b');
    all += "POST /ws?" + query + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
    expected.push_back("POST " + query + " " + body);
  }
  for (std::size_t at = 0; at < all.size(); at += 7001) client.send(std::string_view(all).substr(at, 7001));
  for (const auto& body : expected) ASSERT_EQ(client.answer().value().body, body);
  EXPECT_TRUE(come_to(0, 1));
  on_loop([&] { EXPECT_EQ(dialect.plain.size(), kRequests / 2); });
  on_other([&] { EXPECT_EQ(other.dialect.plain.size(), kRequests / 2); });
  client.close();
  EXPECT_TRUE(come_to(0, 0));
  expect_baseline();
}

TEST_F(MoveTest, AnUpgradeMovesTogetherWithTheFramesBehindIt) {
  start();
  RawClient client(port);
  client.send(get("/ws?shard=1",
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") +
              std::string("\x81\x82\0\0\0\0hi", 8));
  EXPECT_EQ(client.answer().value().status, 101);
  EXPECT_EQ(client.read(4), "\x81\x02hi");
  on_other([&] {
    EXPECT_EQ(other.dialect.handshakes.size(), 1u);
    EXPECT_EQ(other.metrics.ws_connections.value(), 1);
    EXPECT_EQ(other.metrics.http_connections.value(), 0);
  });
  client.close();
  EXPECT_TRUE(come_to(0, 0));
  expect_baseline();
}

TEST_F(MoveTest, WhatWasAskedBeforeIsAnsweredAndTakenBefore) {
  start();
  RawClient client(port, 4096);
  client.send(get("/huge") + get("/hold") + get("/ws?now&shard=1"));
  EXPECT_EQ(client.answer().value().body.size(), std::size_t{4} << 20);
  ASSERT_TRUE(eventually([&] { return service.held.size() == 1; }));
  on_other([&] { EXPECT_EQ(other.server->connections(), 0u); });
  on_loop([&] { service.release(); });
  EXPECT_EQ(client.answer().value().body, "released");
  EXPECT_EQ(client.answer().value().body, "GET now&shard=1 ");
  client.close();
  EXPECT_TRUE(come_to(0, 0));
}

TEST_F(MoveTest, WhoHasMovedIsWatchedThere) {
  start();
  RawClient client(port);
  client.send(get("/ws?wait&shard=1") + get("/ws?now&shard=0"));
  ASSERT_TRUE(there_eventually([&] { return other.dialect.plain.size() == 1; }));
  client.close();
  EXPECT_TRUE(there_eventually([&] { return other.dialect.plain.front()->given_up == 1; }));
  EXPECT_TRUE(come_to(0, 0));
  on_loop([&] { EXPECT_TRUE(dialect.plain.empty()); });
}

TEST_F(MoveTest, AShardThatIsNotThereIsNoReasonToMove) {
  start();
  RawClient client(port);
  client.send(get("/ws?now&shard=2"));
  EXPECT_EQ(client.answer().value().body, "GET now&shard=2 ");
  EXPECT_TRUE(come_to(1, 0));
}

TEST_F(MoveTest, WhoMovesIsRefusedWhereItIsFull) {
  other.limits.max_connections = 1;
  start();
  RawClient first(port);
  first.send(get("/ws?now&shard=1"));
  EXPECT_EQ(first.answer().value().status, 200);
  RawClient second(port);
  second.send(get("/ws?now&shard=1"));
  const auto refused = second.answer();
  EXPECT_EQ(refused.value().status, 503);
  EXPECT_TRUE(refused->headers.contains("retry-after"));
  EXPECT_EQ(second.rest(), "");
  EXPECT_TRUE(come_to(0, 1));
}

TEST_F(MoveTest, WhoMovesIsRefusedWhereADrainIsUnderWayOrOver) {
  start();
  on_other([&] { other.server->drain({}, [] {}); });
  RawClient client(port);
  client.send(get("/ws?now&shard=1"));
  EXPECT_EQ(client.answer().value().status, 503);
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(come_to(0, 0));
  on_other([&] { EXPECT_TRUE(other.dialect.plain.empty()); });
}

TEST_F(MoveTest, NobodyMovesOutOfADrain) {
  start();
  std::promise<void> drained;
  dialect.on_shard_of = [&] { server->drain({.reconnect_within = seconds(9)}, [&] { drained.set_value(); }); };
  RawClient client(port);
  client.send(get("/ws?now&shard=1"));
  const auto refused = client.answer();
  EXPECT_EQ(refused.value().status, 503);
  EXPECT_LE(std::stoi(refused->headers.at("retry-after")), 9);
  EXPECT_EQ(client.rest(), "");
  client.close();
  EXPECT_EQ(drained.get_future().wait_for(kPatience), std::future_status::ready);
  on_other([&] { EXPECT_TRUE(other.dialect.plain.empty()); });
}

TEST_F(MoveTest, WhoMovesToAServerThatIsGoneIsClosed) {
  start();
  on_other([&] { other.server.reset(); });
  RawClient client(port);
  client.send(get("/ws?now&shard=1"));
  EXPECT_EQ(client.rest(), "");
  client.close();
  expect_baseline();
}

TEST_F(MoveTest, WhoMovesToALoopThatHasStoppedIsClosedWithIt) {
  start();
  stop_other();
  bool asked = false;
  dialect.on_shard_of = [&] { asked = true; };
  RawClient client(port);
  client.send(get("/ws?now&shard=1"));
  ASSERT_TRUE(eventually([&] { return asked && server->connections() == 0; }));
  other.server.reset();
  other.loop.reset();
  EXPECT_EQ(client.rest(), "");
  client.close();
  expect_baseline();
}

TEST_F(MoveTest, ManyMoveToAndFroAtOnceAndNoneIsLost) {
  start();
  constexpr int kClients = 20;
  constexpr int kRounds = 20;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(std::make_unique<RawClient>(port));
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kClients; ++i) {
      const auto name = std::to_string(i) + "." + std::to_string(round);
      clients[static_cast<std::size_t>(i)]->send(get("/ws?now" + name + "&shard=1") +
                                                 get("/ws?now" + name + "&shard=0"));
    }
    for (int i = 0; i < kClients; ++i) {
      const auto name = std::to_string(i) + "." + std::to_string(round);
      auto& client = *clients[static_cast<std::size_t>(i)];
      ASSERT_EQ(client.answer().value().body, "GET now" + name + "&shard=1 ");
      ASSERT_EQ(client.answer().value().body, "GET now" + name + "&shard=0 ");
    }
  }
  EXPECT_TRUE(come_to(kClients, 0));
  for (auto& client : clients) client->reset();
  EXPECT_TRUE(come_to(0, 0));
  expect_baseline();
}

}  // namespace
}  // namespace belfry::net::testing
