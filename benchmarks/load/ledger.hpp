#pragma once

#include <cstdint>
#include <vector>

#include "stamp.hpp"

namespace bench {

/// Who got what: each subscriber of a room must get the same messages in the same order, each once. Throws if not.
class Ledger {
 public:
  /// `ordered`: false for servers that do not promise an order; then only loss and doubles are looked for.
  Ledger(int rooms, int clients, bool ordered);

  /// True when everybody in the room has the message now.
  bool received(int client, const Stamp& stamp, std::int64_t now);
  /// Forgets the latencies, not the order.
  void clear_latencies() { latencies_us_.clear(); }
  /// In milliseconds; sorts in place.
  double percentile(double part);
  std::size_t deliveries() const { return latencies_us_.size(); }

 private:
  struct Entry {
    int message = 0;
    int count = 0;
  };

  Entry& expect_next(int client, int message);
  void note_new(int message);
  Entry& expect_any(int client, int message);

  int rooms_;
  bool ordered_;
  std::vector<std::vector<Entry>> order_;  ///< by room; by place, or by message / rooms when not ordered
  std::vector<std::size_t> next_;          ///< by client
  std::vector<bool> known_;                ///< by message, when ordered
  std::vector<std::vector<bool>> seen_;    ///< by client, when not ordered
  std::vector<int> members_;               ///< by room
  std::vector<std::uint32_t> latencies_us_;
};

}  // namespace bench
