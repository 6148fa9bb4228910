#include "storage/link.hpp"

#include <algorithm>
#include <string_view>
#include <thread>

#include "belfry/telemetry/log.hpp"
#include "storage/conninfo.hpp"
#include "storage/fence.hpp"
#include "storage/values.hpp"

namespace belfry::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstBackoff{50};
constexpr std::chrono::milliseconds kLongestBackoff{2000};
constexpr std::chrono::milliseconds kAskAgain{20};

constexpr Statement kXactStatus{"xact_status", "SELECT pg_xact_status($1::xid8)"};
constexpr Statement kEventExists{"event_exists",
                                 "SELECT 1 FROM events WHERE room_id = $1::bigint AND event_id = $2::uuid"};

constexpr Statement kJournalled{"journalled",
                                "SELECT 1 FROM commit_journal WHERE xid = $1::xid8 AND written_at = $2::timestamptz"};

/// The transaction in doubt may be on this server only: what is committed behind it tells.
CommitOutcome committed_if_replicated(Connection& connection, Session& session) {
  const auto warnings = connection.warnings();
  session.run(kFence);
  return connection.warnings() == warnings ? CommitOutcome::kCommitted : CommitOutcome::kUnknown;
}

/// What `pg_xact_status` says of a number that the server's history has not reached (invalid_parameter_value).
constexpr std::string_view kInTheFuture = "22023";

/// Empty: still running.
std::optional<CommitOutcome> ask_outcome(Connection& connection, const CommitInDoubt& doubt) {
  pqxx::nontransaction transaction(connection.raw());
  Session session(connection, transaction);
  pqxx::result status;
  try {
    status = session.run(kXactStatus, doubt.xid);
  } catch (const pqxx::sql_error& e) {
    if (e.sqlstate() != kInTheFuture) throw;
    return CommitOutcome::kAborted;  // a crash or a failover lost it, and nobody has its number yet
  }
  if (status.at(0)[0].is_null()) return CommitOutcome::kUnknown;
  const auto text = status.at(0)[0].as<std::string>();
  if (text == "in progress") return std::nullopt;
  if (text != "committed") return CommitOutcome::kAborted;
  // A server that crashed, or a promoted standby that lost the tail, gives the number to somebody else; an event's id
  // and a row of the journal belong to one transaction only. Asked after the status, so that this statement's snapshot
  // has what the status says.
  const auto proof = doubt.last_event ? session.run(kEventExists, doubt.room_id, to_sql(*doubt.last_event))
                                      : session.run(kJournalled, doubt.xid, doubt.journalled_at);
  return proof.empty() ? CommitOutcome::kAborted : committed_if_replicated(connection, session);
}

}  // namespace

Link::Link(std::string url, std::string conninfo, telemetry::Metrics& metrics,
           const std::atomic<std::uint32_t>* seen_alive)
    : url_(std::move(url)), conninfo_(std::move(conninfo)), metrics_(metrics), seen_alive_(seen_alive) {}

Link::~Link() { drop(); }

Connection& Link::get() {
  if (open()) return *connection_;
  drop();
  if (Clock::now() < retry_at()) throw Unreachable("waiting before the next attempt to connect");
  if (seen_alive_ != nullptr) heeded_ = *seen_alive_;  // before the attempt: what is seen during it counts for the next
  try {
    connection_ = std::make_unique<Connection>(conninfo_);
  } catch (const std::exception& e) {
    backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
    const std::uniform_int_distribution<std::int64_t> jitter(backoff_.count() / 2, backoff_.count());
    retry_at_ = Clock::now() + std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(jitter)(random_));
    throw Unreachable(without_password(e.what(), url_));
  }
  connection_->count_into(metrics_.database_statements);
  backoff_ = std::chrono::milliseconds{0};
  metrics_.database_connections.add();
  return *connection_;
}

Clock::time_point Link::retry_at() const {
  return seen_alive_ != nullptr && *seen_alive_ != heeded_ ? Clock::time_point{} : retry_at_;
}

void Link::drop() {
  if (!connection_) return;
  connection_.reset();
  metrics_.database_connections.sub();
}

CommitOutcome resolve_commit(Link& link, Watchdog& watchdog, const CommitInDoubt& doubt, Clock::time_point deadline) {
  telemetry::warn("commit_in_doubt", {{"xid", doubt.xid}});
  link.drop();
  while (Clock::now() < deadline) {
    try {
      auto& connection = link.get();
      const Watchdog::Watch watch(watchdog, connection.raw().sock(), deadline);
      const auto outcome = ask_outcome(connection, doubt);
      if (outcome) return *outcome;
    } catch (...) {
      // Whatever it is: what becomes of the transaction stays unknown, and the thread goes on.
      const auto failure = classify(std::current_exception(), link.current());
      if (failure.kind != FailureKind::kUnreachable && failure.kind != FailureKind::kBroken) {
        telemetry::error("commit_outcome_not_told", {{"xid", doubt.xid}, {"error", failure.text}});
        break;
      }
      link.drop();  // the server may still be starting; the loop asks again
    }
    // Not a wait for luck: the old backend is still running, or the server starting. Bounded by the deadline.
    std::this_thread::sleep_for(kAskAgain);
    link.retry_now();
  }
  telemetry::error("commit_outcome_unknown", {{"xid", doubt.xid}});
  return CommitOutcome::kUnknown;
}

}  // namespace belfry::storage
