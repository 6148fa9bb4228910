#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "belfry/storage/postgres.hpp"
#include "storage/session.hpp"
#include "storage/watchdog.hpp"

namespace belfry::storage {

/// Makes the event partitions from yesterday to two weeks ahead. Within the caller's hands: any transaction state but
/// open.
void make_partitions(Connection& connection);

/// Runs `housekeep` at start, every minute and when a day is wanted, on a thread of its own; failures are logged and
/// tried again.
class Housekeeper {
 public:
  Housekeeper(const DatabaseOptions& options, Watchdog& watchdog) : options_(options), watchdog_(watchdog) {}
  ~Housekeeper() { stop(); }
  void start();
  void stop();
  /// Makes the partitions of these days too, soon. Any thread.
  void want(const std::set<std::chrono::sys_days>& days);

 private:
  void run();

  DatabaseOptions options_;
  Watchdog& watchdog_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::chrono::sys_days> wanted_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace belfry::storage
