#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belfry::net {

/// Whether an `Accept-Encoding` value (several headers joined by a comma) lets the answer be gzip: by name, else by
/// `*`; q=0 refuses.
bool accepts_gzip(std::string_view accept_encoding);
/// The text as a gzip member; empty when it would not become smaller. Loop's thread only.
std::optional<std::string> gzip(std::string_view text);

}  // namespace belfry::net
