#include "http_client.hpp"

#include <strings.h>
#include <unistd.h>

#include <charconv>
#include <stdexcept>
#include <utility>

#include "process.hpp"
#include "sockets.hpp"

namespace bench {
namespace {

/// From a head that ends in an empty line; throws where there is none.
std::size_t content_length(std::string_view head) {
  constexpr std::string_view kName = "\ncontent-length:";
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
    if (head.size() - at <= kName.size() || ::strncasecmp(head.data() + at, kName.data(), kName.size()) != 0) continue;
    at = head.find_first_not_of(' ', at + kName.size());
    std::size_t length = 0;
    std::from_chars(head.data() + at, head.data() + head.size(), length);
    return length;
  }
  throw std::runtime_error("an answer without Content-Length: " + std::string(head.substr(0, 200)));
}

}  // namespace

HttpClient::HttpClient(Loop& loop, int port, OnAnswer on_answer)
    : loop_(loop), fd_(connect_to(port, 0)), on_answer_(std::move(on_answer)) {
  loop_.watch(fd_, *this);
}

HttpClient::~HttpClient() {
  loop_.forget(fd_);
  ::close(fd_);
}

void HttpClient::send(std::string_view request) {
  sent_at_ = now_ns();
  send_all(fd_, request);
}

std::size_t HttpClient::whole_size() const {
  const auto end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  return end + 4 + content_length(std::string_view(buffer_).substr(0, end + 2));
}

void HttpClient::ready() {
  static char bytes[65536];  // one thread
  const std::size_t size = receive(fd_, bytes, sizeof bytes, "HTTP");
  buffer_.append(bytes, size);
  const std::size_t whole = whole_size();
  if (whole == 0 || buffer_.size() < whole) return;
  const std::string text = std::exchange(buffer_, {});
  Answer answer{0, text, now_ns() - sent_at_};
  std::from_chars(text.data() + 9, text.data() + 12, answer.status);  // behind "HTTP/1.1 "
  on_answer_(*this, answer);
}

}  // namespace bench
