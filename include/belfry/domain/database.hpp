#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/messages.hpp"
#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

enum class JobMode : std::uint8_t {
  kRead,       ///< one REPEATABLE READ, READ ONLY snapshot
  kStatement,  ///< one statement that only reads, its own snapshot: one round trip; a second throws std::logic_error
  kWrite,      ///< READ COMMITTED, lock first; committed when the body returns a value, rolled back on an error
};

struct JobOptions {
  std::string_view name;  ///< static text, for logs and metrics: `posts.list`
  /// First sight of a user is written in a transaction before the job, one for them all. A write job fails if that
  /// cannot be written; a read job goes on, and the next one tries again.
  std::vector<Actor> callers;
  std::chrono::milliseconds deadline{5000};  ///< from submission; past it the answer is kUnavailable
};

/// The way to the database threads. Bodies run on one of them, synchronously; `done` always runs on the I/O thread
/// that this object belongs to, never inside `submit`, exactly once. A body may run more than once (serialization
/// failure, a lock that was not had, a COMMIT that was lost and did not happen, external grants asked; a single
/// statement also after a lost connection): it must have no effect but through its UnitOfWork and the value it returns.
/// A full queue, an unreachable database or a passed deadline is kUnavailable with Retry-After; a throwing body is
/// kInternal and logged. A write is answered only after its COMMIT is known to have happened or not.
class Database {
 public:
  using Body = std::function<core::Result<void>(UnitOfWork&)>;
  using Done = std::move_only_function<void(core::Result<void>)>;
  using MessageDone = std::move_only_function<void(core::Result<CreatedMessage>)>;

  virtual ~Database() = default;

  virtual void submit(JobMode mode, JobOptions options, Body body, Done done) = 0;

  /// The hot command: everything that queued while the last commit ran shares the next transaction.
  virtual void create_message(CreateMessage command, JobOptions options, MessageDone done) = 0;

  /// A job with a value.
  template <class T>
  void run(JobMode mode, JobOptions options, std::function<core::Result<T>(UnitOfWork&)> body,
           std::move_only_function<void(core::Result<T>)> done) {
    auto slot = std::make_shared<std::optional<T>>();
    submit(
        mode, std::move(options),
        [slot, body = std::move(body)](UnitOfWork& work) -> core::Result<void> {
          auto result = body(work);
          if (!result) return core::fail(std::move(result.error()));
          *slot = std::move(*result);
          return {};
        },
        [slot, done = std::move(done)](core::Result<void> outcome) mutable {
          if (!outcome) return done(core::fail(std::move(outcome.error())));
          done(std::move(**slot));
        });
  }
};

/// Answers grant questions that only an external service knows. Calls back on the I/O thread.
class GrantProvider {
 public:
  using Answers = std::vector<std::pair<GrantQuestion, std::optional<Grant>>>;
  virtual ~GrantProvider() = default;
  /// kUnavailable when the service cannot say; never a guess. `fresh`: do not answer from the cache.
  virtual void ask(std::vector<GrantQuestion> questions, bool fresh,
                   std::move_only_function<void(core::Result<Answers>)> done) = 0;
};

}  // namespace belfry::domain
