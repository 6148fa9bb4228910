#pragma once

#include <memory>
#include <optional>
#include <random>

#include "storage/engine.hpp"
#include "storage/link.hpp"

namespace belfry::storage {

/// Runs jobs of one queue one after the other on one connection, until the queue is closed.
class JobThread {
 public:
  JobThread(Engine& engine, JobQueue<Job>& queue);
  void run();

 private:
  /// What one try of a job came to; empty: try again.
  using Answer = std::optional<core::Result<void>>;

  std::shared_ptr<Job> next();
  /// With nothing to follow, the last read's transaction is ended by itself.
  void end_transaction();
  void finish(const std::shared_ptr<Job>& job);
  /// Empty also when the provider is being asked; then `parked` is true.
  Answer attempt(const std::shared_ptr<Job>& job, bool& parked);
  Answer run_once(Job& job, bool& begun);
  Answer settle(const CommitInDoubt& doubt, Job& job);
  Answer judge(const Failure& failure, const Job& job, bool begun);
  void pause();

  Engine& engine_;
  JobQueue<Job>& queue_;
  Link link_;
  std::shared_ptr<const domain::CommitNotice> notice_;  ///< of the try that runs
  int tries_ = 0;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace belfry::storage
