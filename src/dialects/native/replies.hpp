#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/core/error.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/rooms.hpp"
#include "belfry/realtime/frame.hpp"

/// What the server says to one socket. `id` and `data` are JSON text; an empty `id` is none.
namespace belfry::dialects::native {

realtime::SharedFrame success_reply(std::string_view id, std::string_view event, std::string_view data);
/// `event` is absent when the frame could not be read that far.
realtime::SharedFrame failure_reply(std::string_view id, const std::optional<std::string>& event,
                                    const core::Error& error);
realtime::SharedFrame pong(std::string_view id);
realtime::SharedFrame room_left(const domain::RoomKey& room, core::Reason reason);
realtime::SharedFrame auth_expiring(core::TimePoint expires_at);
realtime::SharedFrame server_draining(std::chrono::milliseconds reconnect_in);

}  // namespace belfry::dialects::native
