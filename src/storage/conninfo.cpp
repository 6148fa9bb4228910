#include "storage/conninfo.hpp"

#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include <fmt/core.h>

namespace belfry::storage {
namespace {

bool is_uri(std::string_view url) { return url.starts_with("postgresql://") || url.starts_with("postgres://"); }

/// Where the value of `key` begins and ends in the URL's text.
std::optional<std::pair<std::size_t, std::size_t>> find_value(std::string_view url, std::string_view key, bool uri) {
  std::size_t from = uri ? url.find('?') : 0;
  if (from == std::string_view::npos) return std::nullopt;
  for (std::size_t at = url.find(key, from); at != std::string_view::npos; at = url.find(key, at + 1)) {
    const bool starts = at == 0 || (uri ? url[at - 1] == '?' || url[at - 1] == '&' : std::isspace(url[at - 1]) != 0);
    std::size_t value = at + key.size();
    while (!uri && value < url.size() && std::isspace(static_cast<unsigned char>(url[value])) != 0) ++value;
    if (!starts || value >= url.size() || url[value] != '=') continue;
    ++value;
    if (uri) return std::pair{value, std::min(url.find('&', value), url.size())};
    while (value < url.size() && std::isspace(static_cast<unsigned char>(url[value])) != 0) ++value;
    const bool quoted = value < url.size() && url[value] == '\'';
    std::size_t end = quoted ? value + 1 : value;
    for (; end < url.size(); ++end) {
      if (url[end] == '\\') {
        ++end;
      } else if (quoted ? url[end] == '\'' : std::isspace(static_cast<unsigned char>(url[end])) != 0) {
        break;
      }
    }
    end = std::min(end, url.size());
    return std::pair{quoted ? value + 1 : value, end};
  }
  return std::nullopt;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

/// Whether libpq takes a part of the password for something else, and then names it when that cannot be reached: before
/// the first `@` stand user and password, unless a `/` comes first.
bool is_unclear(std::string_view url) {
  if (!is_uri(url)) return false;
  const std::size_t first = std::min(url.find_first_of("@/", url.find("://") + 3), url.size());
  return url.substr(first, std::min(url.find('?', first), url.size()) - first).find('@', 1) != std::string_view::npos;
}

/// What libpq says of a text that it cannot parse names pieces of it.
bool tells_of_the_url(std::string_view text) {
  return text.contains("connection info string") || text.contains("connection option") || text.contains("URI");
}

}  // namespace

std::string make_conninfo(const std::string& url, const ConnectionSettings& settings) {
  const bool uri = is_uri(url);
  const std::string options = fmt::format(
      "-c lock_timeout={} -c statement_timeout={} -c idle_in_transaction_session_timeout={} -c timezone=UTC "
      "-c datestyle=ISO -c client_min_messages=warning -c synchronous_commit={}",
      settings.lock_timeout.count(), settings.statement_timeout.count(), settings.idle_in_transaction_timeout.count(),
      settings.synchronous_commit ? "on" : "off");
  std::string out = url;
  if (const auto at = find_value(out, "options", uri)) {
    out.insert(at->second, uri ? percent_encode(" " + options) : " " + options);
    // An unquoted value ends at a blank, so ours has to be escaped into it.
    if (!uri && (at->first == 0 || out[at->first - 1] != '\'')) {
      std::string escaped;
      for (const char c : std::string_view(out).substr(at->second, options.size() + 1)) {
        if (c == ' ') escaped += '\\';
        escaped += c;
      }
      out.replace(at->second, options.size() + 1, escaped);
    }
  } else if (uri) {
    out += fmt::format("{}options={}", out.find('?') == std::string::npos ? '?' : '&', percent_encode(options));
  } else {
    out += fmt::format(" options='{}'", options);
  }
  const std::array<std::pair<std::string_view, std::string>, 8> defaults{{
      {"application_name", std::string(settings.application_name)},
      {"client_encoding", "UTF8"},
      {"connect_timeout", "3"},
      {"target_session_attrs", "primary"},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "10000"},
  }};
  for (const auto& [key, value] : defaults) {
    if (key == "target_session_attrs" && !settings.primary_only) continue;
    if (!find_value(out, key, uri)) out += fmt::format("{}{}={}", uri ? '&' : ' ', key, value);
  }
  return out;
}

std::string without_password(std::string text, const std::string& url) {
  if (is_unclear(url) || tells_of_the_url(text)) {
    return "(what the driver says is not shown, since it may hold a part of the password: write '@', '/', ':' and '?' "
           "in a password as %40, %2F, %3A and %3F, or quote it in a key=value list)";
  }
  std::string secret;
  const bool uri = is_uri(url);
  if (const auto at = find_value(url, "password", uri)) {
    secret = url.substr(at->first, at->second - at->first);
  } else if (uri) {
    const std::size_t start = url.find("://") + 3;
    const std::size_t host = url.find_first_of("@/", start);
    const std::size_t colon = url.find(':', start);
    if (host != std::string::npos && url[host] == '@' && colon < host) secret = url.substr(colon + 1, host - colon - 1);
  }
  for (std::size_t at = 0; !secret.empty() && (at = text.find(secret, at)) != std::string::npos; at += 3) {
    text.replace(at, secret.size(), "***");
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  return text;
}

}  // namespace belfry::storage
