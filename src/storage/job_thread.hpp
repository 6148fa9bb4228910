#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>

#include "storage/engine.hpp"
#include "storage/link.hpp"

namespace belfry::storage {

/// Runs jobs of one kind one after the other on one connection, until their queue is closed. Without a connection it
/// leaves them to threads that have one, and refuses them only when none has.
class JobThread {
 public:
  JobThread(Engine& engine, domain::JobMode mode);
  ~JobThread();
  void run();

 private:
  /// What one try of a job came to; empty: try again.
  using Answer = std::optional<core::Result<void>>;

  void await_connection();
  void count_connection();
  /// It broke, or nobody knows.
  void lose_connection();
  bool others_connected() const { return connected_ > (counted_ ? 1 : 0); }
  std::shared_ptr<Job> next();
  /// With nothing to follow, the last read's transaction is ended by itself.
  void end_transaction();
  void finish(const std::shared_ptr<Job>& job);
  /// Empty also when the job left this thread and comes back to some; then `parked` is true.
  Answer attempt(const std::shared_ptr<Job>& job, bool& parked);
  Answer run_once(Job& job, bool& begun);
  void record_callers(Connection& connection, const Job& job);
  Answer settle(const CommitInDoubt& doubt, Job& job);
  /// The same.
  Answer judge(const Failure& failure, const std::shared_ptr<Job>& job, bool begun, bool& parked);
  std::chrono::milliseconds jittered(std::chrono::milliseconds most);

  Engine& engine_;
  JobQueue<Job>& queue_;
  std::atomic<int>& connected_;  ///< threads of this kind, this one included while `counted_`
  bool counted_ = false;
  Link link_;
  std::shared_ptr<domain::CommitNotice> notice_;  ///< of the try that runs
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace belfry::storage
