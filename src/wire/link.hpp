#pragma once

#include <string_view>

namespace belfry::wire {

/// An absolute http or https URL (RFC 3986) that a client may open: with a host, without user information, white space
/// or control characters, at most 2048 characters. Characters beyond ASCII are taken as browsers do.
bool is_web_link(std::string_view text);

}  // namespace belfry::wire
