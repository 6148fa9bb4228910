#include "belfry/realtime/nats_bus.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include <nats/nats.h>

namespace belfry::realtime {
namespace {

/// A server in memory, in place of the library's functions below: it sends every heartbeat back at once.
struct FakeServer {
  struct Handler {
    natsMsgHandler call;
    void* closure;
  };
  /// Two of them are one life of the bus.
  struct Connection {
    std::map<std::string, Handler> subjects;
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Connection>> connections;  ///< all that were ever made
  std::set<std::string> refused;                         ///< subjects that cannot be subscribed to, once each

  template <class Condition>
  bool eventually(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds{10}, condition);
  }
  bool subscribed(std::size_t connection, const std::string& subject) const {
    return connections.size() > connection && connections[connection]->subjects.contains(subject);
  }
};

FakeServer* server = nullptr;

FakeServer::Connection* of(natsConnection* connection) { return reinterpret_cast<FakeServer::Connection*>(connection); }

class NatsBusTest : public ::testing::Test {
 protected:
  NatsBusTest() { server = &fake; }
  ~NatsBusTest() override {
    bus->stop();
    server = nullptr;
  }
  static NatsOptions options() {
    NatsOptions options;
    options.servers = {"nats://127.0.0.1:4222"};
    options.deployment = [] { return NatsDeployment{"1-2", "key"}; };
    return options;
  }

  FakeServer fake;
  telemetry::Metrics metrics;
  std::vector<std::move_only_function<void()>> posted;
  std::unique_ptr<domain::Bus> bus = make_nats_bus(
      options(),
      [this](std::move_only_function<void()> task) {
        const std::lock_guard lock(fake.mutex);
        posted.push_back(std::move(task));
        fake.changed.notify_all();
      },
      metrics);
};

TEST_F(NatsBusTest, ARoomThatCannotBeSubscribedToIsFollowedOverAnotherConnection) {
  bus->start();
  ASSERT_TRUE(fake.eventually([&] { return metrics.bus_alive.value() == 1; }));
  {
    const std::lock_guard lock(fake.mutex);
    ASSERT_EQ(fake.connections.size(), 2U);
    fake.refused.insert("belfry.1-2.room.1.42");
  }
  bool ready = false;
  bus->follow({domain::RoomKind::kPosts, 42}, [&] { ready = true; });
  EXPECT_TRUE(fake.eventually([&] { return fake.subscribed(2, "belfry.1-2.room.1.42"); }));
  EXPECT_TRUE(fake.eventually([&] { return metrics.bus_alive.value() == 1; }));
  bus->stop();
  EXPECT_TRUE(fake.subscribed(2, "belfry.1-2.room.0.0"));
  for (auto& task : posted) task();
  EXPECT_TRUE(ready) << "whoever joins does not wait for that";
}

}  // namespace
}  // namespace belfry::realtime

// What the linker finds here, it does not take from the library.
using belfry::realtime::of;
using belfry::realtime::server;

extern "C" {

natsStatus natsConnection_Connect(natsConnection** connection, natsOptions*) {
  const std::lock_guard lock(server->mutex);
  server->connections.push_back(std::make_unique<belfry::realtime::FakeServer::Connection>());
  *connection = reinterpret_cast<natsConnection*>(server->connections.back().get());
  return NATS_OK;
}

natsStatus natsConnection_Subscribe(natsSubscription** subscription, natsConnection* connection, const char* subject,
                                    natsMsgHandler handler, void* closure) {
  *subscription = nullptr;
  const std::lock_guard lock(server->mutex);
  if (server->refused.erase(subject) > 0) return NATS_NO_MEMORY;
  of(connection)->subjects[subject] = {handler, closure};
  *subscription = reinterpret_cast<natsSubscription*>(connection);
  server->changed.notify_all();
  return NATS_OK;
}

natsStatus natsConnection_PublishRequestString(natsConnection* connection, const char*, const char* reply,
                                               const char* text) {
  belfry::realtime::FakeServer::Handler handler{};
  {
    const std::lock_guard lock(server->mutex);
    handler = of(connection)->subjects.at(reply);
  }
  natsMsg* message = nullptr;
  natsMsg_Create(&message, reply, nullptr, text, static_cast<int>(std::char_traits<char>::length(text)));
  handler.call(connection, nullptr, message, handler.closure);
  return NATS_OK;
}

bool natsConnection_IsClosed(natsConnection*) { return false; }
natsStatus natsConnection_Publish(natsConnection*, const char*, const void*, int) { return NATS_OK; }
natsStatus natsConnection_FlushTimeout(natsConnection*, std::int64_t) { return NATS_OK; }
std::int64_t natsConnection_GetMaxPayload(natsConnection*) { return 1 << 20; }
void natsConnection_Close(natsConnection*) {}
void natsConnection_Destroy(natsConnection*) {}
void natsSubscription_Destroy(natsSubscription*) {}
}
