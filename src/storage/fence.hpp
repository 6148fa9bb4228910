#pragma once

#include "storage/session.hpp"

namespace belfry::storage {

/// Writes a record into the server's own log and nothing else: COMMIT behind it waits for the standbys that are to have
/// it, and they have all that was committed before as well. Answers with the number of the transaction.
inline constexpr Statement kFence{"commit_fence", R"sql(
  SELECT pg_current_xact_id()::text FROM pg_logical_emit_message(true, 'belfry', '')
)sql"};

}  // namespace belfry::storage
