#include "http_session.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belfry/telemetry/log.hpp"
#include "gzip.hpp"

namespace belfry::net {
namespace {

namespace asio = boost::asio;

constexpr asio::as_tuple_t<asio::use_awaitable_t<runtime::Executor>> kAwait{};
/// Pipelined answers are held back until the client has taken these.
constexpr std::size_t kMaxQueuedAnswers = 64 * 1024;
constexpr std::size_t kWebSocketKeyLength = 24;  // 16 bytes in base64

core::Error error_of(core::ErrorCode code, std::string message) {
  core::Error error;
  error.code = code;
  error.message = std::move(message);
  return error;
}

bool accepts_gzip_of(const http::Request& request) {
  std::string joined;
  for (const auto& [name, value] : request.headers) {
    if (name != "accept-encoding") continue;
    if (!joined.empty()) joined += ',';
    joined += value;
  }
  return accepts_gzip(joined);
}

ResponseContext context_of(const ParsedRequest& parsed, bool keep_alive) {
  return {.minor_version = parsed.minor_version,
          .keep_alive = keep_alive,
          .head = parsed.request.method == "HEAD",
          .gzip = accepts_gzip_of(parsed.request)};
}

bool has_header(const http::Response& response, std::string_view lower_case_name) {
  for (const auto& [name, value] : response.headers) {
    if (name.size() == lower_case_name.size() &&
        std::equal(name.begin(), name.end(), lower_case_name.begin(),
                   [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; })) {
      return true;
    }
  }
  return false;
}

}  // namespace

HttpSession::HttpSession(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport)
    : edge_(std::move(edge)), transport_(std::move(transport)), reader_(edge_->limits) {}

HttpSession::~HttpSession() = default;

void HttpSession::set_deadline(std::chrono::milliseconds after) {
  expired_ = false;
  deadline_ = edge_->wheel.after(after, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->expired_ = true;
    self->transport_->cancel_read();
  });
}

void HttpSession::clear_deadline() {
  deadline_.cancel();
  expired_ = false;
}

void HttpSession::drain() {
  if (idle_) transport_->cancel_read();
}

void HttpSession::abandon() {
  deadline_.cancel();
  if (const auto waiting = waiting_for_.lock()) waiting->abandon();
}

runtime::Task<std::optional<Upgrade>> HttpSession::run() {
  while (true) {
    const auto next = co_await read_request();
    if (next == Next::kIdleEnd) {
      // All answers were taken long ago: a peer that keeps its side open is not waited for.
      transport_->cut();
      co_return std::nullopt;
    }
    if (next == Next::kEnd) break;
    if (next == Next::kRefused) {
      co_await refuse(reader_.refusal().status, reader_.refusal().error, {});
      co_return std::nullopt;
    }
    if (!transport_->open()) break;  // cut meanwhile; what it had pipelined concerns nobody
    auto parsed = reader_.take();
    if (auto* dialect = edge_->dialect_at(parsed.request.path)) {
      co_return co_await upgrade(std::move(parsed), *dialect);
    }
    if (!co_await answer(std::move(parsed))) break;
  }
  co_await close();
  co_return std::nullopt;
}

// One deadline from the first byte to the last header, another one for the body; before the first byte the connection
// is idle.
runtime::Task<HttpSession::Next> HttpSession::read_request() {
  using State = RequestReader::State;
  auto phase = State::kIdle;
  set_deadline(edge_->limits.idle_timeout);
  while (true) {
    const auto state = reader_.parse();
    if (state == State::kComplete || state == State::kRefused) {
      clear_deadline();
      co_return state == State::kComplete ? Next::kRequest : Next::kRefused;
    }
    if (state != phase) {
      phase = state;
      set_deadline(state == State::kHeader ? edge_->limits.header_timeout : edge_->limits.body_timeout);
    }
    if (reader_.take_expectation()) transport_->queue(nullptr, "HTTP/1.1 100 Continue\r\n\r\n");
    if (co_await read_more()) continue;
    const bool late = std::exchange(expired_, false);
    clear_deadline();
    if (state == State::kIdle) co_return transport_->queued() == 0 ? Next::kIdleEnd : Next::kEnd;
    if (!late) co_return Next::kEnd;
    co_await refuse(408, error_of(core::ErrorCode::kMalformed, "The request took too long."), {});
    co_return Next::kEnd;
  }
}

runtime::Task<bool> HttpSession::read_more() {
  if (expired_) co_return false;
  idle_ = reader_.state() == RequestReader::State::kIdle;
  if (idle_ && edge_->draining) co_return false;
  const auto space = reader_.prepare();
  const auto [error, bytes] =
      co_await asio::async_initiate<const decltype(kAwait)&, void(Transport::ErrorCode, std::size_t)>(
          [this, space](auto handler) {
            transport_->async_read_some(asio::buffer(space.data(), space.size()), std::move(handler));
          },
          kAwait);
  idle_ = false;
  if (error) co_return false;
  reader_.commit(bytes);
  co_return true;
}

/// Nothing when the answer was dropped, or did not come in time.
template <class T>
runtime::Task<std::optional<T>> HttpSession::wait_for(std::shared_ptr<OneShot<T>> answer) {
  waiting_for_ = answer;
  const auto deadline = edge_->wheel.after(edge_->limits.answer_timeout, [weak = std::weak_ptr(answer)] {
    if (const auto late = weak.lock()) late->give_up();
  });
  auto value = co_await answer->wait();
  if (!value) telemetry::error("request_unanswered");
  co_return value;
}

runtime::Task<bool> HttpSession::answer(ParsedRequest parsed) {
  auto context = context_of(parsed, parsed.keep_alive);
  const auto answered = std::make_shared<OneShot<http::Response>>(edge_->loop.context().get_executor());
  const auto id = http::request_id(parsed.request);
  edge_->service.handle(std::move(parsed.request), answered->callback());
  auto response = co_await wait_for(answered);
  if (!response) {
    response = http::problem(core::Error::internal(), id);
    response->headers.emplace_back("X-Request-Id", id);
    edge_->metrics.http_responses[5].add();
    context.keep_alive = false;
  }
  if (edge_->draining) context.keep_alive = false;
  send(std::move(*response), context);
  if (!context.keep_alive) co_return false;
  co_return transport_->queued() <= kMaxQueuedAnswers || co_await drained();
}

void HttpSession::send(http::Response response, const ResponseContext& context) {
  auto encoded = encode_response(std::move(response), context);
  transport_->queue(std::move(encoded.head));
  transport_->queue(std::move(encoded.owner), encoded.body);
}

runtime::Task<void> HttpSession::refuse(int status, core::Error error, const http::Request& request) {
  const auto id = http::request_id(request);
  auto response = http::problem(error, id, status);
  if (!has_header(response, "x-request-id")) response.headers.emplace_back("X-Request-Id", id);
  if (status == 426) response.headers.emplace_back("Upgrade", "websocket");
  if (status == 405) response.headers.emplace_back("Allow", "GET");
  edge_->metrics.http_responses[static_cast<std::size_t>(response.status / 100)].add();
  send(std::move(response), {.keep_alive = false, .head = request.method == "HEAD"});
  co_await close();
}

runtime::Task<std::optional<Upgrade>> HttpSession::upgrade(ParsedRequest parsed, dialects::Dialect& dialect) {
  const auto& request = parsed.request;
  const auto refuse_with = [&](int status, std::string message) {
    return refuse(status, error_of(core::ErrorCode::kMalformed, std::move(message)), request);
  };
  if (request.method != "GET") {
    co_await refuse(405, error_of(core::ErrorCode::kMethodNotAllowed, "This path speaks WebSocket, by GET."), request);
    co_return std::nullopt;
  }
  if (!parsed.websocket_upgrade || request.header("sec-websocket-version") != "13") {
    co_await refuse_with(426, "This path speaks WebSocket.");
    co_return std::nullopt;
  }
  const auto key = request.header("sec-websocket-key");
  if (!key || key->size() != kWebSocketKeyLength || !request.body.empty()) {
    co_await refuse_with(400, "The WebSocket handshake is not valid.");
    co_return std::nullopt;
  }
  auto place = edge_->admission.ask(edge_->wheel.now());
  if (!place) {
    const auto wait = static_cast<int>(place.error().count());
    co_await refuse(503, core::Error::unavailable("Too many clients connect at once.", wait), request);
    co_return std::nullopt;
  }
  // Before a ticket is used up; who is let in while the server begins to drain is told like all the others.
  if (edge_->draining) {
    const auto within = std::chrono::ceil<std::chrono::seconds>(edge_->reconnect_within).count();
    const auto wait = std::uniform_int_distribution<int>(1, std::max(1, static_cast<int>(within)))(edge_->random);
    co_await refuse(503, core::Error::unavailable("The server restarts.", wait), request);
    co_return std::nullopt;
  }
  dialects::Handshake handshake{.path = request.path, .query = request.query, .authorization = {}, .origin = {}};
  if (const auto value = request.header("authorization")) handshake.authorization = *value;
  if (const auto value = request.header("origin")) handshake.origin = *value;
  using Authorized = core::Result<std::unique_ptr<dialects::Entrance>>;
  const auto answered = std::make_shared<OneShot<Authorized>>(edge_->loop.context().get_executor());
  dialect.authorize(handshake, answered->callback());
  auto authorized = co_await wait_for(answered);
  *place = nullptr;  // a refused client may take its time to go
  if (!authorized) authorized = core::fail(core::Error::internal());
  if (!*authorized) {
    const auto error = authorized->error();
    co_await refuse(core::error_class(error.code).http_status, error, request);
    co_return std::nullopt;
  }
  co_return Upgrade{.entrance = std::move(**authorized), .key = std::string(*key), .rest = reader_.take_rest()};
}

runtime::Task<bool> HttpSession::drained() {
  const auto timer = edge_->wheel.after(edge_->limits.write_timeout, [transport = transport_] { transport->cut(); });
  const auto [error] = co_await asio::async_initiate<const decltype(kAwait)&, void(Transport::ErrorCode)>(
      [this](auto handler) { transport_->when_drained(std::move(handler)); }, kAwait);
  co_return !error;
}

runtime::Task<void> HttpSession::close() {
  if (!co_await drained()) co_return;
  const auto timer = edge_->wheel.after(edge_->limits.close_timeout, [transport = transport_] { transport->cut(); });
  co_await asio::async_initiate<const decltype(kAwait)&, void(Transport::ErrorCode)>(
      [this](auto handler) { transport_->finish(std::move(handler)); }, kAwait);
}

}  // namespace belfry::net
