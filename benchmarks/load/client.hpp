#pragma once

#include <string>
#include <string_view>

#include "dialect.hpp"
#include "loop.hpp"

namespace bench {

/// A refusal that says: try again.
bool says_busy(std::string_view reply);

struct ClientPlan {
  Protocol protocol = Protocol::kNative;
  int port = 0;
  int index = 0;      ///< among all clients; also chooses the source address
  std::string token;  ///< of its own; empty with `raw`
  std::string room;   ///< channel id, or the room's number with `raw`
};

class Client;

class ClientEvents {
 public:
  virtual void joined(Client& client) = 0;
  /// The join was answered SERVICE_UNAVAILABLE; `join()` tries again.
  virtual void busy(Client& client) = 0;
  /// A text frame after the join's reply; `wire_bytes` with its head.
  virtual void frame(Client& client, std::string_view payload, std::size_t wire_bytes) = 0;

 protected:
  ~ClientEvents() = default;
};

/// One subscriber: connects, authenticates, joins one room, and then hands over what it hears. Any
/// refusal throws, but for being told to try again.
class Client final : public Handler {
 public:
  Client(Loop& loop, ClientEvents& events, ClientPlan plan);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void start();
  void join();
  void ready() override;
  void send_text(std::string_view text);
  int index() const { return plan_.index; }

 private:
  enum class Phase { kUpgrading, kJoining, kJoined };

  /// How many bytes were used.
  std::size_t use(std::string_view bytes);
  std::size_t use_upgrade(std::string_view bytes);
  void opened();
  void use_text(std::string_view text, std::size_t wire_bytes);
  void use_reply(std::string_view text);
  [[noreturn]] void refuse(std::string_view why) const;

  Loop& loop_;
  ClientEvents& events_;
  ClientPlan plan_;
  const Dialect& dialect_;
  Phase phase_ = Phase::kUpgrading;
  int fd_ = -1;
  std::string rest_;  ///< of a frame that is not complete
};

}  // namespace bench
