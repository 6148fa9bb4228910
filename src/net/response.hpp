#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "belfry/http/message.hpp"

namespace belfry::net {

/// What of the request shapes the answer's bytes.
struct ResponseContext {
  int minor_version = 1;  ///< of HTTP/1.x
  bool keep_alive = true;
  bool head = false;     ///< headers only
  bool gzip = false;     ///< the caller accepts it
  bool upgrade = false;  ///< the answer names WebSocket as what the connection changes to, or may
};

/// An answer as bytes: headers, and the body apart so that a big one is not copied. The body may be empty.
struct EncodedResponse {
  std::string head;
  std::string_view body;
  std::shared_ptr<const void> owner;  ///< of the body
};

/// Content-Length always (but for 1xx, 204, 304), gzip above 1 KiB. Headers with line breaks are dropped. `date` is the
/// moment of the answer, as `HttpDate` writes it.
EncodedResponse encode_response(http::Response response, const ResponseContext& context, std::string_view date);

}  // namespace belfry::net
