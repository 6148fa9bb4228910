#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/time.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/room_reader.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::dialects {

struct NativeOptions {
  std::string attachment_url_base;
  int command_burst = 50;  ///< bucket per connection
  int command_rate = 20;   ///< refill per second
  std::size_t max_rooms = 200;
  int max_bad_frames = 20;  ///< in a row
  std::chrono::seconds login_timeout{10};
  std::chrono::seconds expiry_notice{60};
};

/// JSON text frames at `/ws`. References must outlive it.
std::unique_ptr<Dialect> make_native_dialect(NativeOptions options, realtime::Hub& hub, domain::RoomReader& reader,
                                             domain::Database& database, auth::Authenticator& authenticator,
                                             runtime::Wheel& wheel, const core::Clock& clock,
                                             telemetry::Metrics& metrics);

}  // namespace belfry::dialects
