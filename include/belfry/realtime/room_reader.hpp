#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "belfry/core/time.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/room_reader.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::realtime {

struct RoomReaderOptions {
  std::size_t max_bytes = std::size_t{64} << 20;  ///< pages and replays together; zero: nothing is kept
  std::size_t max_decisions = 100'000;
  std::chrono::milliseconds event_retention{0};  ///< as the log's own
  bool external_grants = false;                  ///< then a right that rests on a grant is never remembered
};

/// The cached reads of one I/O thread. It listens to the hub, and stops listening when it goes; all references outlive
/// it.
class CachedRoomReader : public domain::RoomReader {
 public:
  /// Another history may be behind the database now: nothing remembered counts.
  virtual void on_database_restored() = 0;
};

std::unique_ptr<CachedRoomReader> make_room_reader(const RoomReaderOptions& options, domain::Database& database,
                                                   Hub& hub, const core::Clock& clock, telemetry::Metrics& metrics);

}  // namespace belfry::realtime
