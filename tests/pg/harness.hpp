#pragma once

#include <string>

#include <pqxx/pqxx>

#include "storage/session.hpp"

/// A real PostgreSQL for tests. Under ctest the fixture's cluster is used; a binary started by hand brings one of its
/// own.
namespace belfry::pgtest {

/// For a binary that changes settings of the server, which others must not feel: it gets a cluster that nobody else
/// uses. Before anything else of this header; true.
bool want_own_cluster();

/// A migrated database, cloned from the cluster's template and dropped with this object. Several may exist beside each
/// other.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  /// A libpq URI; needs no password.
  const std::string& url() const { return url_; }

 private:
  std::string name_;
  std::string url_;
};

/// The database of this binary: made at first use, dropped after its last test.
TestDatabase& database();

/// One open transaction (READ COMMITTED) on a connection of its own; rolled back unless committed. For one thread.
class Transaction {
 public:
  explicit Transaction(const std::string& url = database().url());

  storage::Session& session() { return session_; }
  /// For statements of the test's own.
  pqxx::work& sql() { return work_; }
  void commit() { work_.commit(); }

 private:
  storage::Connection connection_;
  pqxx::work work_;
  storage::Session session_;
};

/// Returns when a transaction of that database waits for another one; throws after ten seconds. The condition on which
/// tests of races go on, instead of sleeping.
void wait_until_blocked(const std::string& url = database().url());

}  // namespace belfry::pgtest
