#include "storage/failure.hpp"

namespace belfry::storage {
namespace {

FailureKind kind_of(const std::string& state) {
  if (state == "40001" || state == "40P01") return FailureKind::kConflict;
  if (state == "55P03") return FailureKind::kLockTimeout;
  if (state == "57014") return FailureKind::kStatementTimeout;
  if (state == "25006") return FailureKind::kReadOnly;
  if (state == "42P01" || state == "42703") return FailureKind::kSchema;
  if (state.starts_with("22") || state.starts_with("23")) return FailureKind::kData;
  // Administrator shutdown, crash shutdown, cannot connect now, idle-in-transaction timeout: the backend is gone.
  if (state.starts_with("57P0") || state.starts_with("08") || state == "25P03") return FailureKind::kBroken;
  return FailureKind::kOther;
}

}  // namespace

Failure classify(const std::exception_ptr& error, Connection* connection) {
  Failure failure;
  try {
    std::rethrow_exception(error);
  } catch (const Unreachable& e) {
    return {FailureKind::kUnreachable, "", e.what()};
  } catch (const pqxx::sql_error& e) {
    // The statement's text is left out: it can carry values.
    failure = {kind_of(e.sqlstate()), e.sqlstate(), e.what()};
  } catch (const pqxx::broken_connection& e) {
    failure = {FailureKind::kBroken, "", e.what()};
  } catch (const std::exception& e) {
    failure = {FailureKind::kOther, "", e.what()};
  } catch (...) {
    failure = {FailureKind::kOther, "", "not a std::exception"};
  }
  if (connection == nullptr || !connection->raw().is_open()) failure.kind = FailureKind::kBroken;
  return failure;
}

}  // namespace belfry::storage
