#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "client.hpp"
#include "process.hpp"

namespace bench {

/// Clients that were told to come again, and do after a moment.
class Retries {
 public:
  void add(Client& client) {
    waiting_.emplace_back(now_ns() + kDelay, &client);
    ++count_;
  }
  void run(const std::function<void(Client&)>& again) {
    while (!waiting_.empty() && waiting_.front().first <= now_ns()) {
      auto* client = waiting_.front().second;
      waiting_.pop_front();
      again(*client);
    }
  }
  /// How often anybody was told so.
  int count() const { return count_; }

 private:
  static constexpr std::int64_t kDelay = 500'000'000;

  std::deque<std::pair<std::int64_t, Client*>> waiting_;
  int count_ = 0;
};

}  // namespace bench
