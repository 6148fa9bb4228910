// Stand-ins for what the http and realtime rooms bring; weak, so that the real ones win where they are linked.
#include <string>

#include "belfry/http/message.hpp"
#include "belfry/realtime/frame.hpp"

namespace belfry::http {

__attribute__((weak)) std::optional<std::string_view> Request::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

__attribute__((weak)) std::string request_id(const Request&) { return "fake-id"; }

__attribute__((weak)) Response problem(const core::Error& error, std::string_view request_id,
                                       std::optional<int> status_override) {
  Response response;
  response.status = status_override.value_or(core::error_class(error.code).http_status);
  response.headers.emplace_back("X-Request-Id", request_id);
  response.body = R"({"statusCode":)" + std::to_string(response.status) + R"(,"code":")" +
                  std::string(core::error_class(error.code).name) + R"("})";
  return response;
}

}  // namespace belfry::http

namespace belfry::realtime {

__attribute__((weak)) Frame::Frame(std::string_view text)
    : header_(text.size() < 126     ? 2
              : text.size() < 65536 ? 4
                                    : 10) {
  bytes_.push_back('\x81');
  if (header_ == 2) {
    bytes_.push_back(static_cast<char>(text.size()));
  } else {
    bytes_.push_back(static_cast<char>(header_ == 4 ? 126 : 127));
    for (int shift = header_ == 4 ? 8 : 56; shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<char>((text.size() >> shift) & 0xff));
    }
  }
  bytes_.append(text);
}

}  // namespace belfry::realtime
