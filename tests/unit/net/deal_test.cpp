#include <array>

#include "harness.hpp"

namespace belfry::net::testing {
namespace {

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

/// Two more servers, each on a loop with a thread of its own, that accept nothing themselves.
class DealTest : public ServerTest {
 protected:
  struct Other {
    FakeService service;
    telemetry::Metrics metrics;
    runtime::Loop loop;
    runtime::Wheel wheel;
    std::unique_ptr<Server> server;
    std::thread thread;
  };

  void start_dealing(const Limits& all = {}) {
    start([&](Limits& mine) { mine = share(all, 3); });
  }
  void before_listen() override {
    std::vector<Server*> servers{server.get()};
    for (auto& other : others) {
      other.server = std::make_unique<Server>(other.loop, other.wheel, limits, other.service,
                                              std::vector<dialects::Dialect*>{}, other.metrics);
      servers.push_back(other.server.get());
      other.thread =
          std::thread([&other] { other.loop.run([](std::exception_ptr) { ADD_FAILURE() << "a handler threw"; }); });
    }
    server->deal_to(servers);
  }
  ~DealTest() override {
    stop();
    for (auto& other : others) {
      other.loop.stop();
      if (other.thread.joinable()) other.thread.join();
      other.server.reset();
    }
  }
  std::array<std::size_t, 3> counts() {
    std::array<std::size_t, 3> found{};
    on_loop([&] { found[0] = server->connections(); });
    for (std::size_t i = 0; i < others.size(); ++i) {
      std::promise<std::size_t> count;
      others[i].loop.post([&] { count.set_value(others[i].server->connections()); });
      found[i + 1] = count.get_future().get();
    }
    return found;
  }
  bool come_to(const std::array<std::size_t, 3>& wanted) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (counts() != wanted) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::array<Other, 2> others;
};

TEST_F(DealTest, ConnectionsAreDealtOutInTurnAndServedWhereTheyAre) {
  start_dealing();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 7; ++i) {
    clients.push_back(std::make_unique<RawClient>(port));
    clients.back()->send(get("/client" + std::to_string(i)));
    EXPECT_EQ(clients.back()->answer().value().status, 200);
  }
  EXPECT_EQ(counts(), (std::array<std::size_t, 3>{3, 2, 2}));
  EXPECT_EQ(service.requests.size(), 3U);
  for (const auto& other : others) EXPECT_EQ(other.service.requests.size(), 2U);
  clients.clear();
  EXPECT_TRUE(come_to({0, 0, 0}));
}

TEST_F(DealTest, TheMostConnectionsAreDivided) {
  Limits all;
  all.max_connections = 6;
  start_dealing(all);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(std::make_unique<RawClient>(port));
  ASSERT_TRUE(come_to({2, 2, 2}));
  for (int i = 0; i < 3; ++i) {
    RawClient more(port);
    more.send(get("/a"));
    EXPECT_EQ(more.answer().value().status, 503);
  }
}

TEST_F(DealTest, AConnectionForAServerThatIsGoneIsClosed) {
  start_dealing();
  std::promise<void> gone;
  others[0].loop.post([&] {
    others[0].server.reset();
    gone.set_value();
  });
  gone.get_future().wait();
  RawClient first(port);
  first.send(get("/a"));
  EXPECT_EQ(first.answer().value().status, 200);
  RawClient second(port);
  EXPECT_EQ(second.rest(), "");
  RawClient third(port);
  third.send(get("/a"));
  EXPECT_EQ(third.answer().value().status, 200);
}

TEST(Share, DividesWhatIsOfTheProcessAndLeavesWhatIsOfAConnection) {
  Limits all;
  all.max_connections = 1000;
  all.handshakes_per_second = 10;
  all.max_handshakes_in_flight = 2;
  const auto part = share(all, 4);
  EXPECT_EQ(part.max_connections, 250U);
  EXPECT_EQ(part.handshakes_per_second, 2);
  EXPECT_EQ(part.max_handshakes_in_flight, 1U);
  EXPECT_EQ(part.max_queued_bytes, all.max_queued_bytes);
  EXPECT_EQ(share(all, 1).max_connections, 1000U);
}

}  // namespace
}  // namespace belfry::net::testing
