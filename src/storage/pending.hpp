#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "belfry/domain/database.hpp"

namespace belfry::storage {

using SteadyTime = std::chrono::steady_clock::time_point;

/// What was asked of the database and not answered yet.
struct Pending {
  explicit Pending(const domain::JobOptions& asked)
      : options(asked), submitted(std::chrono::steady_clock::now()), deadline(submitted + asked.deadline) {}
  virtual ~Pending() = default;
  /// Answers with a failure. Only the first answer counts; any thread.
  virtual void fail(core::Error error) = 0;
  /// What the caller handed in to be run; it goes back to the I/O thread that asked with the answer, to be destroyed
  /// there.
  virtual domain::Database::Body take_body() { return {}; }

  domain::JobOptions options;
  SteadyTime submitted;
  SteadyTime deadline;
  domain::GrantProvider::Answers answers;  ///< of the entitlement provider, gathered over the rounds
  int rounds = 0;                          ///< times the provider was asked
  int tries = 0;                           ///< times it was run again
  int rests = 0;                           ///< times it made way for others while somebody held a lock
  std::atomic<bool> answered{false};
};

struct Job final : Pending {
  Job(domain::JobMode job_mode, const domain::JobOptions& asked, domain::Database::Body job_body)
      : Pending(asked), mode(job_mode), body(std::move(job_body)) {}
  void fail(core::Error error) override { answer(core::fail(std::move(error))); }
  domain::Database::Body take_body() override { return std::move(body); }

  domain::JobMode mode;
  domain::Database::Body body;
  std::function<void(core::Result<void>)> answer;  ///< posts to the I/O thread that asked, once
};

struct MessageJob final : Pending {
  MessageJob(domain::CreateMessage asked_command, const domain::JobOptions& asked)
      : Pending(asked), command(std::move(asked_command)) {}
  void fail(core::Error error) override { answer(core::fail(std::move(error))); }

  domain::CreateMessage command;
  std::function<void(core::Result<domain::CreatedMessage>)> answer;
};

}  // namespace belfry::storage
