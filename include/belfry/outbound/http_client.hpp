#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/core/result.hpp"

namespace belfry::outbound {

struct HttpCall {
  std::string method = "GET";
  std::string url;  ///< http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{2000};  ///< whole call
  std::size_t max_response_bytes = 4 << 20;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
};

/// HTTP client on libcurl, on a thread of its own. No redirects. Certificates are checked.
class HttpClient {
 public:
  using Poster = std::function<void(std::move_only_function<void()>)>;
  /// `ca_file` replaces the system's certificates when not empty. Answers are posted.
  HttpClient(Poster poster, std::string ca_file);
  ~HttpClient();
  /// kUnavailable when there was no answer in time. Any status is an answer.
  void send(HttpCall call, std::move_only_function<void(core::Result<HttpAnswer>)> done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belfry::outbound
