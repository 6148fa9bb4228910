#include "dialect.hpp"

#include <stdexcept>

#include <fmt/core.h>

#include "client.hpp"
#include "websocket.hpp"

namespace bench {
namespace {

constexpr std::string_view kJoin = "communication:join_discussion";

class Native final : public Dialect {
 public:
  std::string upgrade(const ClientPlan& plan) const override { return upgrade_request("/ws", plan.token); }
  std::string join(const ClientPlan& plan) const override {
    return client_frame(fmt::format(R"({{"event":"{}","data":{{"channelId":{}}}}})", kJoin, plan.room));
  }
  bool is_event(std::string_view text) const override { return text.starts_with(R"({"event":"communication.)"); }
};

/// Socket.IO 5 over Engine.IO 4, by WebSocket from the start. Belfry says in front of a join's acknowledgement, in an
/// event, which position to come back with.
class SocketIo final : public Dialect {
 public:
  std::string upgrade(const ClientPlan& /*plan*/) const override {
    return upgrade_request("/socket.io/?EIO=4&transport=websocket", {});
  }
  std::string opening(const ClientPlan& /*plan*/) const override { return {}; }
  std::string join(const ClientPlan& plan) const override {
    return client_frame(fmt::format(R"(420["{}",{{"channelId":{}}}])", kJoin, plan.room));
  }
  std::string answer(std::string_view text, const ClientPlan& plan) const override {
    if (text == "2") return client_frame("3");
    if (text.starts_with("0{")) return client_frame(fmt::format(R"(40{{"token":"{}"}})", plan.token));
    if (text.starts_with("40{")) return join(plan);
    return {};
  }
  bool is_event(std::string_view text) const override { return text.starts_with("42["); }
};

/// The floors (raw_server.cpp).
class Raw final : public Dialect {
 public:
  std::string upgrade(const ClientPlan& /*plan*/) const override { return {}; }
  std::string join(const ClientPlan& plan) const override { return "J" + plan.room + "\n"; }
  bool is_event(std::string_view text) const override { return text.starts_with(R"({"body":)"); }
};

}  // namespace

Protocol protocol_named(const std::string& name) {
  if (name == "native") return Protocol::kNative;
  if (name == "socketio") return Protocol::kSocketIo;
  if (name == "raw") return Protocol::kRaw;
  throw std::runtime_error("no such protocol: " + name);
}

const Dialect& dialect_of(Protocol protocol) {
  static const Native native;
  static const SocketIo socket_io;
  static const Raw raw;
  switch (protocol) {
    case Protocol::kNative:
      return native;
    case Protocol::kSocketIo:
      return socket_io;
    case Protocol::kRaw:
      return raw;
  }
  throw std::logic_error("no dialect");
}

}  // namespace bench
