#include "http/router.hpp"

#include "belfry/core/text.hpp"
#include "http/percent.hpp"

namespace belfry::http {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const auto segment = path.substr(0, path.find('/'));
    segments.push_back(segment);
    path.remove_prefix(segment.size());
  }
  return segments;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

bool same_shape(const std::vector<std::string_view>& pattern, const std::vector<std::optional<std::string>>& path) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_parameter(pattern[i])) {
      if (path[i] && path[i]->empty()) return false;
    } else if (path[i] != pattern[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

Router::Router(const std::vector<std::span<const Endpoint>>& tables) {
  for (const auto table : tables) {
    for (const auto& endpoint : table) routes_.push_back({&endpoint, split(endpoint.pattern)});
  }
}

std::optional<Router::Match> Router::match(std::string_view method, std::string_view path) const {
  std::vector<std::optional<std::string>> segments;
  for (const auto segment : split(path)) segments.push_back(percent_decode(segment, false));
  if (segments.empty()) return std::nullopt;

  std::optional<Match> found;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const auto& route : routes_) {
    if (route.segments.size() != segments.size() || !same_shape(route.segments, segments)) continue;
    if (!found) found.emplace();
    found->allow += (found->allow.empty() ? "" : ", ") + std::string(route.endpoint->method);
    if (route.endpoint->method == "GET") found->allow += ", HEAD";
    if (route.endpoint->method != wanted) continue;
    found->endpoint = route.endpoint;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      // A broken escape becomes an empty value, which no parameter may have.
      const std::string value = segments[i].value_or("");
      found->path += "/" + value;
      if (!is_parameter(route.segments[i])) continue;
      found->parameters.push_back({route.segments[i].substr(1, route.segments[i].size() - 2), value});
    }
  }
  return found;
}

Result<void> check_parameters(const std::vector<PathParameter>& parameters) {
  for (const auto& [name, value] : parameters) {
    const std::string field(name);
    if (name == "userId") {
      if (!core::Uuid::parse(value)) return core::fail(core::Error::malformed(field, "must be a UUID"));
    } else if (name == "key") {
      if (core::is_key_text(value)) continue;
      return core::fail(
          core::Error::malformed(field, "must be 1 to 128 characters of A-Z, a-z, 0-9, '.', '_', ':' and '-'"));
    } else if (!core::parse_positive_decimal(value)) {
      return core::fail(core::Error::malformed(field, "must be a positive integer"));
    }
  }
  return {};
}

}  // namespace belfry::http
