#include "storage/session.hpp"

namespace belfry::storage {

Connection::Connection(const std::string& conninfo) : connection_(conninfo) {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  // libpqxx 6 would reconnect silently and lose what is prepared here; it offers no other way to forbid it.
  connection_.inhibit_reactivation(true);
#pragma clang diagnostic pop
}

void Connection::prepare_once(const Statement& statement) {
  if (prepared_.contains(statement.name)) return;
  connection_.prepare(statement.name, statement.sql);
  prepared_.insert(statement.name);
}

void Connection::end_transaction() {
  if (!std::exchange(left_open_, false)) return;
  sent();
  try {
    pqxx::nontransaction(connection_).exec("COMMIT");
  } catch (...) {
    connection_.disconnect();  // its transaction may still be open
    throw;
  }
}

}  // namespace belfry::storage
