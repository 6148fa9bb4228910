#include "request_reader.hpp"

#include <algorithm>
#include <cstring>
#include <expected>
#include <utility>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>

namespace belfry::net {
namespace {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

constexpr std::size_t kReadBytes = 8 * 1024;
constexpr std::string_view kHeaderEnd = "\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

bool is_token_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

Refusal refuse(int status, core::ErrorCode code, std::string message) {
  Refusal refusal;
  refusal.status = status;
  refusal.error.code = code;
  refusal.error.message = std::move(message);
  return refusal;
}

Refusal malformed(std::string message) { return refuse(400, core::ErrorCode::kMalformed, std::move(message)); }

/// `/path?query` out of origin form or absolute form (RFC 9112, 3.2); `*` stays. False for anything else.
bool split_target(std::string_view target, http::Request& request) {
  const auto scheme = target.find("://");
  if (scheme != std::string_view::npos && !target.starts_with('/')) {
    const auto path = target.find_first_of("/?", scheme + 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  if (!target.starts_with('/') && target != "*") return false;
  target = target.substr(0, target.find('#'));
  const auto question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  return true;
}

}  // namespace

struct RequestReader::Impl {
  using Parser = bhttp::request_parser<bhttp::string_body>;

  Limits limits;
  std::unique_ptr<char[]> buffer;
  std::size_t capacity = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<Parser> parser;
  State state = State::kIdle;
  ParsedRequest parsed;
  std::size_t header_searched = 0;
  bool expects_continue = false;
  Refusal refusal;

  std::string_view pending() const { return {buffer.get() + begin, end - begin}; }

  /// Without zeroing: what is read next stands there.
  void make_room() {
    if (begin > 0) {
      std::memmove(buffer.get(), buffer.get() + begin, end - begin);
      end -= std::exchange(begin, 0);
    }
    if (capacity >= end + kReadBytes) return;
    capacity = std::max(2 * capacity, end + kReadBytes);
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    std::copy_n(buffer.get(), end, larger.get());
    buffer = std::move(larger);
  }

  State refused(Refusal with) {
    refusal = std::move(with);
    parser.reset();
    return state = State::kRefused;
  }

  // Empty lines between requests are tolerated (RFC 9112, 2.2).
  void skip_empty_lines() {
    while (pending().starts_with("\r\n")) begin += 2;
  }

  /// Looks at the raw header until its end is there, so that what is refused does not depend on how the bytes were cut.
  /// True when Beast may read it.
  std::expected<bool, Refusal> find_header_end() {
    const auto text = pending();
    if (!is_token_char(text.front())) return std::unexpected(malformed("The request is not valid HTTP."));
    const auto line = text.find("\r\n");
    if (std::min(line, text.size()) > limits.max_request_line_bytes) {
      return std::unexpected(refuse(414, core::ErrorCode::kMalformed, "The request line is too long."));
    }
    const auto searched = std::exchange(header_searched, std::max<std::size_t>(text.size(), 3) - 3);
    const auto header_end = text.find(kHeaderEnd, searched);
    const bool found = header_end != std::string_view::npos;
    if ((found ? header_end + kHeaderEnd.size() : text.size()) > limits.max_header_bytes) {
      return std::unexpected(refuse(431, core::ErrorCode::kMalformed, "The headers are too large."));
    }
    return found;
  }

  Refusal why(const beast::error_code& error) const {
    if (error == bhttp::error::header_limit)
      return refuse(431, core::ErrorCode::kMalformed, "The headers are too large.");
    if (error == bhttp::error::body_limit || error == bhttp::error::buffer_overflow) {
      return refuse(413, core::ErrorCode::kPayloadTooLarge, "The body is too large.");
    }
    return malformed("The request is not valid HTTP.");
  }

  std::optional<Refusal> read_header() {
    const auto& message = parser->get();
    auto& request = parsed.request;
    request.method = view(message.method_string());
    if (!split_target(view(message.target()), request)) return malformed("The request target is not valid.");
    std::size_t hosts = 0;
    std::size_t lengths = 0;
    std::size_t encodings = 0;
    for (const auto& field : message) {
      hosts += field.name() == bhttp::field::host ? 1 : 0;
      lengths += field.name() == bhttp::field::content_length ? 1 : 0;
      encodings += field.name() == bhttp::field::transfer_encoding ? 1 : 0;
      request.headers.emplace_back(lower(view(field.name_string())), view(field.value()));
    }
    const bool http11 = message.version() >= 11;
    if (hosts > 1 || (http11 && hosts == 0)) return malformed("The request must have one Host header.");
    if (lengths > 1 || encodings > 1 || (lengths == 1 && encodings == 1)) {
      return malformed("The length of the body is ambiguous.");
    }
    if (encodings == 1 && (!http11 || !beast::iequals(message[bhttp::field::transfer_encoding], "chunked"))) {
      return malformed("The transfer encoding is not supported.");
    }
    if (const auto length = request.header("content-length");
        length && length->find_first_not_of("0123456789") != std::string_view::npos) {
      return malformed("The length of the body is not valid.");
    }
    parsed.minor_version = http11 ? 1 : 0;
    parsed.keep_alive = parser->keep_alive();
    parsed.names_websocket =
        request.method == "GET" && bhttp::token_list{message[bhttp::field::upgrade]}.exists("websocket");
    parsed.websocket_upgrade = http11 && parsed.names_websocket && parser->upgrade();
    return read_expectation(http11);
  }

  std::optional<Refusal> read_expectation(bool http11) {
    const auto expectation = parsed.request.header("expect");
    if (!expectation || !http11) return {};
    if (!beast::iequals(beast::string_view(expectation->data(), expectation->size()), "100-continue")) {
      return refuse(417, core::ErrorCode::kMalformed, "The expectation is not supported.");
    }
    expects_continue = !parser->is_done();
    return {};
  }

  void start() {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits.max_header_bytes) + 1);
    parser->body_limit(limits.max_body_bytes);
    parsed = {};
    header_searched = 0;
    expects_continue = false;
    state = State::kHeader;
  }

  State parse_header() {
    auto ready = find_header_end();
    if (!ready) return refused(std::move(ready.error()));
    if (!*ready) return state;
    const auto text = pending();
    beast::error_code error;
    begin += parser->put(boost::asio::const_buffer(text.data(), text.size()), error);
    if (error && error != bhttp::error::need_more) return refused(why(error));
    if (!parser->is_header_done()) return refused(malformed("The request is not valid HTTP."));
    if (auto refusal_of_header = read_header()) return refused(std::move(*refusal_of_header));
    parser->eager(true);
    state = State::kBody;
    return state;
  }

  State parse_body() {
    // Beast asserts that a last chunk it has begun to read is whole; fewer bytes never end a chunked body anyway.
    const std::size_t least = parser->chunked() ? kLastChunk.size() : 1;
    while (!parser->is_done() && end - begin >= least) {
      // It sees a limited part at a time: a chunk's extensions or trailers, which nobody needs, may not be longer.
      const auto text = pending().substr(0, limits.max_header_bytes);
      beast::error_code error;
      const auto taken = parser->put(boost::asio::const_buffer(text.data(), text.size()), error);
      begin += taken;
      if (error && error != bhttp::error::need_more) return refused(why(error));
      if (taken > 0) continue;
      if (text.size() == limits.max_header_bytes) return refused(malformed("The request is not valid HTTP."));
      break;
    }
    if (!parser->is_done()) return state;
    parsed.request.body = std::move(parser->get().body());
    parser.reset();
    return state = State::kComplete;
  }
};

RequestReader::RequestReader(const Limits& limits) : impl_(std::make_unique<Impl>()) { impl_->limits = limits; }

RequestReader::~RequestReader() = default;

std::span<char> RequestReader::prepare() {
  auto& self = *impl_;
  self.make_room();
  return {self.buffer.get() + self.end, kReadBytes};
}

void RequestReader::commit(std::size_t bytes) { impl_->end += bytes; }

RequestReader::State RequestReader::parse() {
  auto& self = *impl_;
  if (self.state == State::kIdle) {
    self.skip_empty_lines();
    if (self.pending().empty() || self.pending() == "\r") return self.state;
    self.start();
  }
  if (self.state == State::kHeader) self.parse_header();
  if (self.state == State::kBody) self.parse_body();
  return self.state;
}

RequestReader::State RequestReader::state() const { return impl_->state; }

bool RequestReader::take_expectation() {
  // Bytes of the body show that the client does not wait.
  return std::exchange(impl_->expects_continue, false) && impl_->state == State::kBody && impl_->begin == impl_->end;
}

ParsedRequest RequestReader::take() {
  impl_->state = State::kIdle;
  return std::move(impl_->parsed);
}

const Refusal& RequestReader::refusal() const { return impl_->refusal; }

std::size_t RequestReader::unread() const { return impl_->pending().size(); }

void RequestReader::begin_with(std::string_view rest) {
  while (!rest.empty()) {
    const auto space = prepare();
    const auto part = rest.substr(0, space.size());
    std::ranges::copy(part, space.begin());
    commit(part.size());
    rest.remove_prefix(part.size());
  }
}

std::string RequestReader::take_rest() {
  auto& self = *impl_;
  std::string rest(self.pending());
  self.begin = self.end = 0;
  return rest;
}

}  // namespace belfry::net
