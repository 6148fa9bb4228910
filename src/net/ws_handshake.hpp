#pragma once

#include <string>
#include <string_view>

namespace belfry::net {

/// The answer to a valid upgrade request with this `Sec-WebSocket-Key` (RFC 6455, 4.2.2): no extension, no subprotocol.
std::string accept_upgrade(std::string_view key, std::string_view date);

}  // namespace belfry::net
