#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"

namespace belfry::http {

/// Who may call an endpoint. kOptional: without an `Authorization` header the caller is anonymous.
enum class Access : std::uint8_t { kNone, kOptional, kRequired, kAdmin };

/// One line of the API. The names of a pattern's parameters say what they may be: `{userId}` a UUID, `{key}` a key,
/// else a positive decimal.
struct Endpoint {
  std::string_view method;
  std::string_view pattern;
  Access access = Access::kNone;
  void (*handle)(const ExchangePtr&) = nullptr;
};

/// Finds endpoints by path. Segments are compared decoded; an empty segment matches nothing.
class Router {
 public:
  explicit Router(const std::vector<std::span<const Endpoint>>& tables);

  struct Match {
    const Endpoint* endpoint = nullptr;  ///< null: the path exists, the method does not
    std::vector<PathParameter> parameters;
    std::string path;   ///< decoded
    std::string allow;  ///< the path's methods, as for the `Allow` header
  };
  /// Empty: no such path. HEAD finds GET.
  std::optional<Match> match(std::string_view method, std::string_view path) const;

 private:
  struct Route {
    const Endpoint* endpoint;
    std::vector<std::string_view> segments;
  };
  std::vector<Route> routes_;
};

/// kMalformed for a parameter that is not what its name says.
Result<void> check_parameters(const std::vector<PathParameter>& parameters);

}  // namespace belfry::http
