#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"
#include "retries.hpp"

namespace bench {

struct SwarmPlan {
  Protocol protocol = Protocol::kNative;
  int port = 0;
  std::vector<std::string> rooms;
  std::vector<std::string> tokens;
  int clients = 0;      ///< client i is in room i % rooms
  int under_way = 128;  ///< joins at the same time
};

/// All subscribers of a run.
class Swarm final : public ClientEvents {
 public:
  using OnFrame = std::function<void(Client&, std::string_view payload, std::size_t wire_bytes)>;
  using OnJoined = std::function<void(Client&)>;

  Swarm(Loop& loop, SwarmPlan plan, OnFrame on_frame, OnJoined on_joined = {});

  /// Connects and joins all; throws after `deadline_ns`.
  void gather(std::int64_t deadline_ns);
  std::vector<std::unique_ptr<Client>>& clients() { return clients_; }
  /// Joins that had to be tried again.
  int retried() const { return retries_.count(); }

 private:
  void joined(Client& client) override;
  void busy(Client& client) override { retries_.add(client); }
  void frame(Client& client, std::string_view payload, std::size_t wire_bytes) override;
  void start_next();

  Loop& loop_;
  SwarmPlan plan_;
  OnFrame on_frame_;
  OnJoined on_joined_;
  std::vector<std::unique_ptr<Client>> clients_;
  Retries retries_;
  int joined_ = 0;
};

}  // namespace bench
