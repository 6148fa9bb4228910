#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "belfry/storage/postgres.hpp"
#include "storage/session.hpp"
#include "storage/watchdog.hpp"

namespace belfry::storage {

/// Makes the event partitions from yesterday to two weeks ahead. Within the caller's hands: any transaction state but
/// open.
void make_partitions(Connection& connection);

/// Runs `housekeep` at start and every minute on a thread of its own; failures are logged and tried again.
class Housekeeper {
 public:
  Housekeeper(const DatabaseOptions& options, Watchdog& watchdog) : options_(options), watchdog_(watchdog) {}
  ~Housekeeper() { stop(); }
  void start();
  void stop();

 private:
  void run();

  DatabaseOptions options_;
  Watchdog& watchdog_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace belfry::storage
