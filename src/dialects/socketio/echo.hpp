#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "belfry/dialects/dialect.hpp"
#include "dialects/socketio/socket_packet.hpp"

/// What the conformance suites of the protocol expect of a server; behind the setting `test_echo`.
namespace belfry::dialects::socketio {

inline constexpr std::string_view kEchoNamespace = "/custom";

/// `auth` with what the CONNECT said.
void echo_auth(FrameSink& carrier, std::string_view nsp, const std::optional<wire::Value>& auth);
/// Answers `message` and `message-with-ack`. False: it is another event.
bool echo_event(FrameSink& carrier, const SocketPacket& packet);

}  // namespace belfry::dialects::socketio
