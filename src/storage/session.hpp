#pragma once

#include <string>
#include <unordered_set>
#include <utility>

#include <pqxx/pqxx>

namespace belfry::storage {

/// A prepared statement: a name unique in the process and its text. Define beside the method that uses it.
struct Statement {
  const char* name;
  const char* sql;
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

 private:
  struct Warnings final : pqxx::errorhandler {
    using errorhandler::errorhandler;
    bool operator()(const char*) noexcept override {
      ++count;
      return false;
    }
    unsigned count = 0;
  };

  pqxx::connection connection_;
  Warnings warnings_{connection_};
  std::unordered_set<std::string> prepared_;
};

/// Runs statements inside one open transaction; what repositories hold. Valid as long as the transaction.
class Session {
 public:
  Session(Connection& connection, pqxx::transaction_base& transaction)
      : connection_(connection), transaction_(transaction) {}

  template <class... Args>
  pqxx::result run(const Statement& statement, Args&&... args) {
    connection_.prepare_once(statement);
    return transaction_.exec_prepared(statement.name, std::forward<Args>(args)...);
  }
  pqxx::transaction_base& transaction() { return transaction_; }

 private:
  Connection& connection_;
  pqxx::transaction_base& transaction_;
};

}  // namespace belfry::storage
