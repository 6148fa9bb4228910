#include "swarm.hpp"

#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "process.hpp"

namespace bench {

Swarm::Swarm(Loop& loop, SwarmPlan plan, OnFrame on_frame, OnJoined on_joined)
    : loop_(loop), plan_(std::move(plan)), on_frame_(std::move(on_frame)), on_joined_(std::move(on_joined)) {
  if (plan_.rooms.empty()) throw std::runtime_error("no rooms");
  clients_.reserve(static_cast<std::size_t>(plan_.clients));
}

void Swarm::gather(std::int64_t deadline_ns) {
  while (joined_ < plan_.clients) {
    while (static_cast<int>(clients_.size()) < plan_.clients &&
           static_cast<int>(clients_.size()) - joined_ < plan_.under_way) {
      start_next();
    }
    retries_.run([](Client& client) { client.join(); });
    loop_.turn(100'000'000);
    if (now_ns() > deadline_ns) {
      throw std::runtime_error(fmt::format("only {} of {} clients joined in time", joined_, plan_.clients));
    }
  }
}

void Swarm::start_next() {
  const auto index = clients_.size();
  ClientPlan plan{plan_.protocol, plan_.port, static_cast<int>(index), {}, plan_.rooms[index % plan_.rooms.size()]};
  if (!plan_.tokens.empty()) plan.token = plan_.tokens[index % plan_.tokens.size()];
  clients_.push_back(std::make_unique<Client>(loop_, *this, std::move(plan)));
  clients_.back()->start();
}

void Swarm::joined(Client& client) {
  ++joined_;
  if (on_joined_) on_joined_(client);
}

void Swarm::frame(Client& client, std::string_view payload, std::size_t wire_bytes) {
  on_frame_(client, payload, wire_bytes);
}

}  // namespace bench
