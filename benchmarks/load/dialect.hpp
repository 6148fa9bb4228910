#pragma once

#include <string>
#include <string_view>

namespace bench {

enum class Protocol { kNative, kSocketIo, kRaw };
Protocol protocol_named(const std::string& name);

struct ClientPlan;

/// What subscribers say and hear differently, from one protocol to another. Keeps nothing: one object serves all. What
/// it returns are bytes for the wire, frames with their heads.
class Dialect {
 public:
  virtual ~Dialect() = default;
  /// The HTTP request for a WebSocket; empty where none is needed.
  virtual std::string upgrade(const ClientPlan& plan) const = 0;
  /// What is sent once the connection stands; empty when it is the server who begins.
  virtual std::string opening(const ClientPlan& plan) const { return join(plan); }
  virtual std::string join(const ClientPlan& plan) const = 0;
  /// Empty when nothing is to be said to that text.
  virtual std::string answer(std::string_view /*text*/, const ClientPlan& /*plan*/) const { return {}; }
  /// Tells an event from the reply to the join.
  virtual bool is_event(std::string_view text) const = 0;
};

const Dialect& dialect_of(Protocol protocol);

}  // namespace bench
