#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/core/error.hpp"
#include "belfry/core/ids.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/events.hpp"
#include "belfry/domain/room_access.hpp"

/// What the server says, as texts of Engine.IO packets: a WebSocket message each, or a piece of a polling answer.
/// `offset` is opaque text of the recovery, `data` is JSON text. The client takes any text that is an event's last
/// argument for an offset, so there is none but that.
namespace belfry::dialects::socketio {

/// What all sockets share of an event: `42["type",{envelope},{"room","prevEventId"}`, to be followed by its tail.
std::string event_body(const domain::Event& event, std::string_view attachment_url_base);
/// `,"offset"]`
std::string event_tail(std::string_view offset);
/// The room of an event as a join names it.
domain::RoomTarget target_of(const domain::Event& event);

std::string position_message(std::string_view offset);
std::string room_left_message(const domain::RoomKey& room, core::Reason reason, std::string_view offset);
std::string auth_expiring_message(core::TimePoint expires_at);
std::string server_draining_message(std::chrono::milliseconds reconnect_in);

/// The one argument of an acknowledgement.
std::string success_ack(std::uint64_t id, std::string_view data);
std::string failure_ack(std::uint64_t id, const core::Error& error);
/// For who asked for no acknowledgement. `event` is absent when it could not be read.
std::string command_error_message(const std::optional<std::string>& event, const core::Error& error);

/// `pid`: absent for a socket that has nothing to come back to.
std::string connected_message(std::string_view sid, const std::optional<std::string>& pid);
/// CONNECT_ERROR; `data` has what a room reply has as its error.
std::string connect_refused_message(const core::Error& error);
std::string unknown_namespace_message(std::string_view nsp);
std::string disconnected_message();

}  // namespace belfry::dialects::socketio
