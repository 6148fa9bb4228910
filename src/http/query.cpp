#include "http/query.hpp"

#include "belfry/core/text.hpp"
#include "belfry/http/message.hpp"
#include "http/percent.hpp"

namespace belfry::http {

using core::Error;

Result<std::optional<std::string>> query_value(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    // A name that cannot be decoded is a name nobody asked for.
    if (percent_decode(pair.substr(0, equals), true) != name) continue;
    if (equals == std::string_view::npos || equals + 1 == pair.size()) continue;
    auto value = percent_decode(pair.substr(equals + 1), true);
    if (!value || !core::is_utf8(*value) || value->find('\0') != std::string::npos) {
      return core::fail(malformed_query(name));
    }
    // Which of two would count is a guess, and different readers guess differently.
    if (found) return core::fail(Error::invalid(std::string(name), "must be given once"));
    found = std::move(value);
  }
  return found;
}

Result<std::int32_t> query_limit(std::string_view query) {
  const auto text = query_value(query, "limit");
  if (!text) return core::fail(text.error());
  if (!*text) return kDefaultLimit;
  const auto limit = core::parse_positive_decimal(**text);
  if (!limit || *limit > kMaxLimit) return core::fail(Error::invalid("limit", "must be an integer from 1 to 100"));
  return static_cast<std::int32_t>(*limit);
}

Result<std::optional<std::int64_t>> query_id(std::string_view query, std::string_view name) {
  const auto text = query_value(query, name);
  if (!text) return core::fail(text.error());
  if (!*text) return std::nullopt;
  const auto id = core::parse_non_negative_decimal(**text);
  if (!id) return core::fail(Error::invalid(std::string(name), "must be a non-negative integer"));
  return id;
}

}  // namespace belfry::http
