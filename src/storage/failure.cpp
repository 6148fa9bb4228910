#include "storage/failure.hpp"

namespace belfry::storage {
namespace {

FailureKind kind_of(const std::string& state) {
  if (state == "40001" || state == "40P01") return FailureKind::kConflict;
  if (state == "55P03") return FailureKind::kLockTimeout;
  if (state == "57014") return FailureKind::kStatementTimeout;
  if (state == "25006") return FailureKind::kReadOnly;
  if (state == "42P01" || state == "42703") return FailureKind::kSchema;
  if (state.starts_with("53")) return FailureKind::kExhausted;
  if (state.starts_with("22") || state.starts_with("23")) return FailureKind::kData;
  // Administrator shutdown, crash shutdown, cannot connect now, idle-in-transaction timeout: the backend is gone.
  if (state.starts_with("57P0") || state.starts_with("08") || state == "25P03") return FailureKind::kBroken;
  return FailureKind::kOther;
}

/// The first line only, and nothing for data exceptions: the rest, or what could not be read, can be somebody's text.
std::string loggable(const pqxx::sql_error& error) {
  if (error.sqlstate().starts_with("22")) return "data exception";
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

Failure classify(const std::exception_ptr& error, Connection* connection) {
  Failure failure;
  try {
    std::rethrow_exception(error);
  } catch (const Unreachable& e) {
    return {FailureKind::kUnreachable, "", e.what(), {}};
  } catch (const PartitionMissing& e) {
    failure = {FailureKind::kNoPartition, "23514", e.what(), e.days};
  } catch (const pqxx::sql_error& e) {
    failure = {kind_of(e.sqlstate()), e.sqlstate(), loggable(e), {}};
  } catch (const pqxx::statement_completion_unknown& e) {
    failure = {FailureKind::kOther, "40003", e.what(), {}};
  } catch (const pqxx::transaction_rollback& e) {
    // Serialization failure and deadlock: libpqxx 6 gives them classes of their own, without the SQLSTATE.
    failure = {FailureKind::kConflict, "40", e.what(), {}};
  } catch (const pqxx::broken_connection& e) {
    failure = {FailureKind::kBroken, "", e.what(), {}};
  } catch (const std::exception& e) {
    failure = {FailureKind::kOther, "", e.what(), {}};
  } catch (...) {
    failure = {FailureKind::kOther, "", "not a std::exception", {}};
  }
  if (connection == nullptr || !connection->raw().is_open()) failure.kind = FailureKind::kBroken;
  return failure;
}

}  // namespace belfry::storage
