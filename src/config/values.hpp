#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/config/settings.hpp"

/// Notations of values. Each gives nothing for text that is not exactly in its notation.
namespace belfry::config {

/// Plain decimal, no sign, no leading zeros.
std::optional<std::int64_t> parse_integer(std::string_view text);
/// An IP literal and a port: `127.0.0.1:8080`, `[::1]:0`.
std::optional<Endpoint> parse_endpoint(std::string_view text);
/// The address can be reached from this machine only: 127.0.0.0/8 or ::1, however it is spelled.
bool is_loopback(const Endpoint& endpoint);
/// `true`, `false`, `1` or `0`.
std::optional<bool> parse_boolean(std::string_view text);
/// `scheme://host[:port]` in lower case, http or https, nothing behind it.
bool is_origin(std::string_view text);
/// http or https with a host; no spaces, control characters, query or fragment; at most 2048 bytes.
bool is_base_url(std::string_view text);
/// `nats://[user[:password]@]host:port`, or all of them `tls://…`, several between commas, where only the first needs
/// its scheme: each as a URL.
std::optional<std::vector<std::string>> parse_nats_servers(std::string_view text);
/// Items between commas, spaces around them removed. Nothing when an item is empty.
std::optional<std::vector<std::string>> split_list(std::string_view text);

}  // namespace belfry::config
