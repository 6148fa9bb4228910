#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/core/error.hpp"
#include "belfry/core/shared_text.hpp"

namespace belfry::http {

/// A parsed request, free of any network library. Header names are lower case.
struct Request {
  std::string method;  ///< upper case
  std::string path;    ///< still percent-encoded, without query
  std::string query;   ///< raw, without '?'
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::optional<std::string_view> header(std::string_view lower_case_name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  /// Instead of `body`, what others are answered with as well.
  std::shared_ptr<const core::SharedText> shared;
};

/// The failure answer for an Error, by the error table. `status_override` keeps HTTP-level statuses (408, 414, 426,
/// 431).
Response problem(const core::Error& error, std::string_view request_id, std::optional<int> status_override = {});
/// The caller's `X-Request-Id` when well formed, else a new one.
std::string request_id(const Request& request);
/// kInvalid: the encoding of this query parameter is broken.
core::Error malformed_query(std::string_view name);

}  // namespace belfry::http
