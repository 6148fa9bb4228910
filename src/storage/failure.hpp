#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "belfry/core/uuid.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The database cannot be reached now.
struct Unreachable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The connection died while COMMIT was on its way: nobody knows yet whether it happened.
struct CommitInDoubt {
  std::string xid;
  std::int64_t room_id = 0;              ///< of the last event, 0 when nothing was appended
  std::optional<core::Uuid> last_event;  ///< present in the log exactly when the transaction committed
  std::string journalled_at = {};  ///< when nothing was appended: of its row in the journal, as the server wrote it
};

/// COMMIT happened on this server, with a warning: it gave up waiting for the standbys that are to have it, and a
/// failover may take it back. (One that is stopped at once at that moment warns, too.) Those who asked are not told
/// that it is done.
struct CommitNotReplicated {
  std::string warning;  ///< the server's words
};

/// Records were to be written into days that have no partition: the clock was wrong, or nobody kept house for long.
struct PartitionMissing : std::runtime_error {
  explicit PartitionMissing(std::set<std::chrono::sys_days> asked)
      : std::runtime_error("no partition of events for a day"), days(std::move(asked)) {}
  std::set<std::chrono::sys_days> days;
};

enum class FailureKind {
  kUnreachable,       ///< no connection could be made
  kBroken,            ///< the connection died before COMMIT was sent
  kConflict,          ///< serialization failure or deadlock: run it again
  kLockTimeout,       ///< a lock was not had in time
  kStatementTimeout,  ///< the statement ran too long
  kData,              ///< SQLSTATE class 22 or 23
  kReadOnly,          ///< a standby answered
  kSchema,            ///< a table or column is missing
  kNoPartition,       ///< housekeeping has to make one first
  kExhausted,         ///< disk, memory or connections of the server
  kOther,
};

struct Failure {
  FailureKind kind = FailureKind::kOther;
  std::string sqlstate;
  std::string text;                      ///< for the log only
  std::set<std::chrono::sys_days> days;  ///< of kNoPartition
};

/// What an exception out of a transaction means; `connection` tells whether it lives (null: none was made).
Failure classify(const std::exception_ptr& error, Connection* connection);

}  // namespace belfry::storage
