#include "response.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <boost/beast/http/status.hpp>

#include "gzip.hpp"

namespace belfry::net {
namespace {

constexpr std::size_t kGzipFrom = 1024;

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

bool is_token(std::string_view name) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

bool is_clean(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void append_header(std::string& head, std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_clean(value)) return;
  head.append(name).append(": ").append(value).append("\r\n");
}

// One line for all options: not every client looks at a second one.
void append_connection(std::string& head, const ResponseContext& context) {
  std::string_view option;
  if (!context.keep_alive) {
    option = "close";
  } else if (context.minor_version == 0) {
    option = "keep-alive";
  }
  if (context.upgrade) {
    head += fmt::format("Upgrade: websocket\r\nConnection: upgrade{}{}\r\n", option.empty() ? "" : ", ", option);
  } else if (!option.empty()) {
    append_header(head, "Connection", option);
  }
}

}  // namespace

EncodedResponse encode_response(http::Response response, const ResponseContext& context, std::string_view date) {
  EncodedResponse encoded;
  auto& head = encoded.head;
  const auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(response.status));
  head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, std::string_view(reason.data(), reason.size()));
  append_header(head, "Date", date);
  const bool body_allowed = has_body(response.status);
  // One that nobody shares becomes one that one answer holds.
  auto source = std::move(response.shared);
  if (!source) source = std::make_shared<const core::SharedText>(std::move(response.body));
  std::string_view body = source->text();
  if (body_allowed && !body.empty()) append_header(head, "Content-Type", response.content_type);
  if (body_allowed && body.size() > kGzipFrom) {
    append_header(head, "Vary", "Accept-Encoding");
    if (context.gzip) {
      if (const auto& packed = source->packed(gzip)) {
        body = *packed;
        append_header(head, "Content-Encoding", "gzip");
      }
    }
  }
  for (const auto& [name, value] : response.headers) append_header(head, name, value);
  if (body_allowed) head += fmt::format("Content-Length: {}\r\n", body.size());
  append_connection(head, context);
  head += "\r\n";
  if (body_allowed && !context.head) {
    encoded.body = body;
    encoded.owner = std::move(source);
  }
  return encoded;
}

}  // namespace belfry::net
