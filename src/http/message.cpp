#include "belfry/http/message.hpp"

#include "belfry/core/text.hpp"
#include "belfry/core/uuid.hpp"
#include "belfry/wire/json.hpp"

namespace belfry::http {

std::optional<std::string_view> Request::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

Response problem(const core::Error& error, std::string_view request_id, std::optional<int> status_override) {
  Response response;
  response.status = status_override.value_or(core::error_class(error.code).http_status);
  response.headers.emplace_back("X-Request-Id", request_id);
  if (error.retry_after_seconds) {
    response.headers.emplace_back("Retry-After", std::to_string(*error.retry_after_seconds));
  }
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  response.body = wire::encode_problem(error, response.status, request_id);
  return response;
}

std::string request_id(const Request& request) {
  const auto given = request.header("x-request-id");
  if (given && core::is_key_text(*given)) return std::string(*given);
  return core::Uuid::v7(core::SystemClock{}.now()).text();
}

core::Error malformed_query(std::string_view name) {
  return core::Error::invalid(std::string(name), "is not valid percent-encoded UTF-8");
}

}  // namespace belfry::http
