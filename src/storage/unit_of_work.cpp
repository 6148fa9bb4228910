#include "storage/unit_of_work.hpp"

#include <stdexcept>

#include "storage/fence.hpp"

namespace belfry::storage {
namespace {

// One round trip for both; in a read job the second statement takes the snapshot that all others share.
constexpr const char* kBeginRead =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
constexpr const char* kBeginWrite =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// One statement is a snapshot of its own only outside of any other.
pqxx::connection& ended(Connection& connection, domain::JobMode mode) {
  if (mode == domain::JobMode::kStatement) connection.end_transaction();
  return connection.raw();
}

}  // namespace

PgUnitOfWork::PgUnitOfWork(Connection& connection, domain::JobMode mode, std::chrono::milliseconds retention,
                           const domain::GrantProvider::Answers* external, HeldRooms* held)
    : connection_(connection),
      mode_(mode),
      transaction_(ended(connection, mode)),
      session_(connection, transaction_,
               mode == domain::JobMode::kStatement ? Session::Length::kOneStatement : Session::Length::kAny),
      writer_(session_, held),
      log_(session_, retention, [this] { return now(); }),
      channels_(session_),
      posts_(session_),
      threads_(session_),
      messages_(session_),
      memberships_(session_),
      read_states_(session_),
      grants_(session_, external),
      sanctions_(session_),
      users_(session_),
      tickets_(session_),
      audit_(session_),
      idempotency_(session_) {
  if (mode == domain::JobMode::kStatement) return;
  connection_.sent();
  try {
    const auto rows = transaction_.exec(std::string(connection.end_of_last()) +
                                        (mode == domain::JobMode::kRead ? kBeginRead : kBeginWrite));
    began_at_ = core::TimePoint(std::chrono::milliseconds(rows.at(0).at(0).as<std::int64_t>()));
  } catch (...) {
    connection.raw().disconnect();  // BEGIN may have been done: nobody may find its transaction open
    throw;
  }
  open_ = true;
}

PgUnitOfWork::~PgUnitOfWork() {
  if (!open_ || !connection_.raw().is_open()) return;
  if (mode_ == domain::JobMode::kRead) {
    connection_.leave_open();  // COMMIT of what failed is ROLLBACK
    return;
  }
  try {
    connection_.sent();
    transaction_.exec("ROLLBACK");
  } catch (const std::exception&) {
    // Mostly the connection is broken, and the server rolls back by itself. One that is not would carry what failed
    // into the next job.
    connection_.raw().disconnect();
  }
}

core::TimePoint PgUnitOfWork::now() {
  if (mode_ == domain::JobMode::kStatement) throw std::logic_error("storage: one statement brings its own clock");
  return writer_.locked_at().value_or(began_at_);
}

core::Result<void> PgUnitOfWork::lock(std::span<const domain::RoomKey> rooms) {
  if (mode_ != domain::JobMode::kWrite) throw std::logic_error("storage: a read job takes no locks");
  return writer_.lock(rooms);
}

void PgUnitOfWork::commit() {
  if (mode_ == domain::JobMode::kStatement) return;
  if (mode_ == domain::JobMode::kRead) {
    // What was read is valid whatever becomes of COMMIT: nobody has to wait for it.
    connection_.leave_open();
    open_ = false;
    return;
  }
  CommitInDoubt doubt;
  audit_.flush();
  if (!writer_.empty()) {
    doubt = writer_.flush();
  } else {
    // What is found done is told as done, too: by somebody whose COMMIT may not have reached the standbys.
    const auto fence = session_.run(kFence);
    doubt.xid = fence.front()[0].as<std::string>();
    doubt.journalled_at = fence.front()[1].as<std::string>();
  }
  const auto warnings = connection_.warnings();
  try {
    connection_.sent();
    transaction_.exec("COMMIT");
    open_ = false;
  } catch (const pqxx::serialization_failure&) {
    throw;  // an answer too: nothing was committed
  } catch (const pqxx::deadlock_detected&) {
    throw;
  } catch (const pqxx::sql_error& e) {
    // An answer of the server (a deferred check, say) means that nothing was committed. A dying backend also answers,
    // and its word on what it did is not to be had then.
    if (connection_.raw().is_open() && !e.sqlstate().starts_with("57P0")) throw;
    open_ = false;
    if (doubt.xid.empty()) throw;
    throw doubt;
  } catch (const std::exception&) {
    open_ = false;
    if (doubt.xid.empty()) throw;
    throw doubt;
  }
  if (mode_ == domain::JobMode::kWrite && connection_.warnings() != warnings) {
    throw CommitNotReplicated{connection_.last_warning()};
  }
}

}  // namespace belfry::storage
