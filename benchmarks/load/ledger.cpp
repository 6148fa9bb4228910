#include "ledger.hpp"

#include <algorithm>
#include <stdexcept>

#include <fmt/core.h>

namespace bench {

Ledger::Ledger(int rooms, int clients, bool ordered)
    : rooms_(rooms),
      ordered_(ordered),
      order_(static_cast<std::size_t>(rooms)),
      next_(static_cast<std::size_t>(clients)),
      seen_(static_cast<std::size_t>(ordered ? 0 : clients)),
      members_(static_cast<std::size_t>(rooms)) {
  for (int i = 0; i < clients; ++i) ++members_[static_cast<std::size_t>(i % rooms)];
}

bool Ledger::received(int client, const Stamp& stamp, std::int64_t now) {
  if (stamp.message % rooms_ != client % rooms_) {
    throw std::runtime_error(fmt::format("client {} got message {} of another room", client, stamp.message));
  }
  auto& entry = ordered_ ? expect_next(client, stamp.message) : expect_any(client, stamp.message);
  latencies_us_.push_back(static_cast<std::uint32_t>(std::max<std::int64_t>(now - stamp.due_ns, 0) / 1000));
  return ++entry.count == members_[static_cast<std::size_t>(client % rooms_)];
}

Ledger::Entry& Ledger::expect_next(int client, int message) {
  auto& room = order_[static_cast<std::size_t>(client % rooms_)];
  auto& next = next_[static_cast<std::size_t>(client)];
  if (next == room.size()) {
    note_new(message);
    room.push_back({message, 0});
  }
  auto& entry = room[next++];
  if (entry.message != message) {
    throw std::runtime_error(
        fmt::format("order: client {} got message {} where others got {}", client, message, entry.message));
  }
  return entry;
}

void Ledger::note_new(int message) {
  const auto place = static_cast<std::size_t>(message);
  if (place >= known_.size()) known_.resize(place + 1);
  if (known_[place]) throw std::runtime_error(fmt::format("message {} came twice", message));
  known_[place] = true;
}

Ledger::Entry& Ledger::expect_any(int client, int message) {
  auto& room = order_[static_cast<std::size_t>(client % rooms_)];
  auto& seen = seen_[static_cast<std::size_t>(client)];
  const auto place = static_cast<std::size_t>(message / rooms_);
  if (place >= room.size()) room.resize(place + 1);
  if (place >= seen.size()) seen.resize(place + 1);
  if (seen[place]) throw std::runtime_error(fmt::format("client {} got message {} twice", client, message));
  seen[place] = true;
  return room[place];
}

double Ledger::percentile(double part) {
  if (latencies_us_.empty()) return 0;
  const auto place = static_cast<std::size_t>(part * static_cast<double>(latencies_us_.size() - 1));
  std::ranges::nth_element(latencies_us_, latencies_us_.begin() + static_cast<std::ptrdiff_t>(place));
  return latencies_us_[place] / 1e3;
}

}  // namespace bench
