#include "config/values.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace belfry::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 5> kUnits{{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

bool is_address(const std::string& text, int family) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

/// What follows `http://` or `https://`; nothing without either.
std::optional<std::string_view> behind_scheme(std::string_view url) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (url.starts_with(scheme)) return url.substr(scheme.size());
  }
  return std::nullopt;
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) {
    return host.ends_with(']') && is_address(std::string(host.substr(1, host.size() - 2)), AF_INET6);
  }
  return !host.empty() && host.size() <= 253 &&
         host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_integer(text);
  if (!port || *port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

/// `host` or `host:port`.
bool is_authority(std::string_view authority) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (!is_host(authority.substr(0, colon))) return false;
  return colon == std::string_view::npos || parse_port(authority.substr(colon + 1)).value_or(0) > 0;
}

std::string_view trim_spaces(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(text.substr(0, digits));
  const auto unit = std::ranges::find(kUnits, text.substr(digits), &Unit::name);
  if (!number || unit == kUnits.end()) return std::nullopt;
  if (*number > std::numeric_limits<std::int64_t>::max() / unit->factor) return std::nullopt;
  return std::chrono::milliseconds(*number * unit->factor);
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  std::string address(text.substr(0, colon));
  if (!port) return std::nullopt;
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    if (!is_address(address, AF_INET6)) return std::nullopt;
  } else if (!is_address(address, AF_INET)) {
    return std::nullopt;
  }
  return Endpoint{std::move(address), *port};
}

bool is_loopback(const Endpoint& endpoint) {
  in_addr v4{};
  if (inet_pton(AF_INET, endpoint.address.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == IN_LOOPBACKNET;
  in6_addr v6{};
  return inet_pton(AF_INET6, endpoint.address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

bool is_origin(std::string_view text) {
  const auto authority = behind_scheme(text);
  return authority && is_authority(*authority);
}

bool is_base_url(std::string_view text) {
  const auto rest = behind_scheme(text);
  if (!rest || text.size() > 2048) return false;
  const bool plain = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '?' && c != '#'; });
  std::string authority(rest->substr(0, rest->find('/')));
  std::ranges::transform(authority, authority.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return plain && is_authority(authority);
}

namespace {

/// What libraries and servers agree on without escapes.
bool is_credential(std::string_view text) {
  return !text.empty() && text.size() <= 256 && std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f && !std::string_view("@/:,%?#").contains(c);
  });
}

bool is_nats_address(std::string_view text) {
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    const auto login = text.substr(0, at);
    const auto colon = login.find(':');
    if (!is_credential(login.substr(0, colon))) return false;
    if (colon != std::string_view::npos && !is_credential(login.substr(colon + 1))) return false;
    text.remove_prefix(at + 1);
  }
  if (text.starts_with('[')) {
    const auto endpoint = parse_endpoint(text);
    return endpoint && endpoint->port != 0;
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > 253) return false;
  const auto host = text.substr(0, colon);
  const auto port = parse_integer(text.substr(colon + 1));
  const auto of_a_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return std::ranges::all_of(host, of_a_name) && port && *port >= 1 && *port <= 65535;
}

}  // namespace

std::optional<std::vector<std::string>> parse_nats_servers(std::string_view text) {
  constexpr std::size_t kMostServers = 16;
  const std::string_view scheme = text.starts_with("tls://") ? "tls://" : "nats://";
  if (!text.starts_with(scheme) || text.size() > 4096) return std::nullopt;
  auto items = split_list(text);
  if (!items || items->size() > kMostServers) return std::nullopt;
  for (auto& item : *items) {
    if (!item.starts_with(scheme)) item.insert(0, scheme);
    if (!is_nats_address(std::string_view(item).substr(scheme.size()))) return std::nullopt;
  }
  return items;
}

std::optional<std::vector<std::string>> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (true) {
    const auto comma = text.find(',');
    const auto item = trim_spaces(text.substr(0, comma));
    if (item.empty()) return std::nullopt;
    items.emplace_back(item);
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace belfry::config
