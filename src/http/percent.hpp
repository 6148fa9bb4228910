#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belfry::http {

/// Decodes `%41` (RFC 3986, 2.1); empty when an escape is broken. In queries "+" is a space.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace belfry::http
