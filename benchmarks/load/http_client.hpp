#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "loop.hpp"

namespace bench {

/// A keep-alive connection with one request under way at a time.
class HttpClient final : public Handler {
 public:
  struct Answer {
    int status = 0;
    std::string_view text;  ///< head and body; valid during the call
    std::int64_t took_ns = 0;
  };
  using OnAnswer = std::function<void(HttpClient&, const Answer&)>;

  HttpClient(Loop& loop, int port, OnAnswer on_answer);
  ~HttpClient() override;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void send(std::string_view request);
  void ready() override;

 private:
  /// Size of head and body; 0 while the head is not complete.
  std::size_t whole_size() const;

  Loop& loop_;
  int fd_;
  OnAnswer on_answer_;
  std::string buffer_;
  std::int64_t sent_at_ = 0;
};

}  // namespace bench
