#pragma once

#include <memory>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/time.hpp"
#include "belfry/dialects/commands.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/room_reader.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::dialects {

using NativeOptions = CommandOptions;

/// JSON text frames at `/ws`. References must outlive it.
std::unique_ptr<Dialect> make_native_dialect(NativeOptions options, realtime::Hub& hub, domain::RoomReader& reader,
                                             domain::Database& database, auth::Authenticator& authenticator,
                                             runtime::Wheel& wheel, const core::Clock& clock,
                                             telemetry::Metrics& metrics);

}  // namespace belfry::dialects
