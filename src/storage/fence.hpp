#pragma once

#include "storage/session.hpp"

namespace belfry::storage {

/// Writes a row into the commit journal that names no room. COMMIT behind it waits for the standbys that are to have
/// it, and they have all that was committed before as well. Answers with the number of the transaction and the moment
/// of the row: numbers alone are given out twice after a crash or a promotion.
inline constexpr Statement kFence{"commit_fence", R"sql(
  INSERT INTO commit_journal (room_ids, seqs) VALUES ('{}', '{}') RETURNING xid::text, written_at::text
)sql"};

}  // namespace belfry::storage
