#pragma once

#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <pqxx/pqxx>

#include "belfry/core/ids.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::storage {

/// A prepared statement: a name unique in the process and its text. Define beside the method that uses it.
struct Statement {
  const char* name;
  const char* sql;
};

/// What was read on a connection and cannot change; with another history of the database comes another connection.
struct Memory {
  std::unordered_map<core::ChannelId, core::ThreadId> discussions;
};

/// A connection and what is prepared on it. Lives on one database thread; a lost connection is replaced by a new
/// Connection, never reactivated, so that "prepared here" stays true.
class Connection {
 public:
  explicit Connection(const std::string& conninfo);
  pqxx::connection& raw() { return connection_; }
  void prepare_once(const Statement& statement);
  /// How often the server warned: of a COMMIT that its standbys may not have, above all.
  unsigned warnings() const { return warnings_.count; }
  /// The server's words, in its language.
  const std::string& last_warning() const { return warnings_.last; }
  void count_into(telemetry::Counter& statements) { statements_ = &statements; }
  /// The transaction that is open has done all it was for: its COMMIT can travel with what comes next.
  void leave_open() { left_open_ = true; }
  bool left_open() const { return left_open_; }
  /// To stand in front of the next BEGIN.
  const char* end_of_last() { return std::exchange(left_open_, false) ? "COMMIT; " : ""; }
  /// Ends what was left open, if anything.
  void end_transaction();
  Memory& memory() { return memory_; }
  /// Something goes to the server and its answer is waited for.
  void sent() {
    if (statements_ != nullptr) statements_->add();
  }

 private:
  struct Warnings final : pqxx::errorhandler {
    using errorhandler::errorhandler;
    bool operator()(const char* text) noexcept override {
      ++count;
      last = text;
      return false;
    }
    unsigned count = 0;
    std::string last;
  };

  pqxx::connection connection_;
  Warnings warnings_{connection_};
  telemetry::Counter* statements_ = nullptr;
  bool left_open_ = false;
  std::unordered_set<std::string> prepared_;
  Memory memory_;
};

/// Runs statements inside one open transaction; what repositories hold. Valid as long as the transaction.
class Session {
 public:
  enum class Length { kAny, kOneStatement };

  Session(Connection& connection, pqxx::transaction_base& transaction, Length length = Length::kAny)
      : connection_(connection), transaction_(transaction), length_(length) {}

  template <class... Args>
  pqxx::result run(const Statement& statement, Args&&... args) {
    if (length_ == Length::kOneStatement && std::exchange(ran_, true)) {
      throw std::logic_error("storage: a second statement would see another snapshot");
    }
    connection_.prepare_once(statement);
    connection_.sent();
    return transaction_.exec_prepared(statement.name, std::forward<Args>(args)...);
  }
  pqxx::transaction_base& transaction() { return transaction_; }
  Memory& memory() { return connection_.memory(); }

 private:
  Connection& connection_;
  pqxx::transaction_base& transaction_;
  Length length_;
  bool ran_ = false;
};

}  // namespace belfry::storage
