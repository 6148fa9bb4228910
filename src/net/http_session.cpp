#include "http_session.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belfry/telemetry/log.hpp"
#include "gzip.hpp"
#include "peer_watch.hpp"

namespace belfry::net {
namespace {

namespace asio = boost::asio;

constexpr asio::as_tuple_t<asio::use_awaitable_t<runtime::Executor>> kAwait{};
/// Pipelined answers are held back until the client has taken these.
constexpr std::size_t kMaxQueuedAnswers = 64 * 1024;
constexpr std::string_view kWebSocketVersion = "13";
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

std::optional<std::string> copy_of(std::optional<std::string_view> value) {
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

dialects::PlainRequest plain(http::Request request) {
  dialects::PlainRequest plain;
  plain.authorization = copy_of(request.header("authorization"));
  plain.origin = copy_of(request.header("origin"));
  plain.method = std::move(request.method);
  plain.query = std::move(request.query);
  plain.body = std::move(request.body);
  return plain;
}

http::Response response_of(dialects::PlainAnswer answer, const std::string& request_id) {
  http::Response response;
  response.status = answer.status;
  response.content_type = std::move(answer.content_type);
  response.headers = std::move(answer.headers);
  response.headers.emplace_back("X-Request-Id", request_id);
  response.body = std::move(answer.body);
  return response;
}

}  // namespace

HttpSession::HttpSession(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport,
                         std::optional<Opening> opening)
    : edge_(std::move(edge)), transport_(std::move(transport)), reader_(edge_->limits), opening_(std::move(opening)) {
  if (opening_) reader_.begin_with(std::exchange(opening_->rest, {}));
}

HttpSession::~HttpSession() { tell_given_up(); }

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
  tell_given_up();
}

void HttpSession::tell_given_up() {
  if (auto tell = std::exchange(given_up_, nullptr)) tell();
}

runtime::Task<HttpEnd> HttpSession::run() {
  while (true) {
    // What another server has sent here is answered here, whatever this one thinks of where it belongs.
    const bool sent_here = opening_.has_value();
    std::optional<ParsedRequest> parsed;
    if (sent_here) {
      parsed = std::exchange(opening_, std::nullopt)->request;
    } else {
      parsed = co_await next_request();
    }
    if (!parsed) co_return HttpEnd{};
    auto* dialect = edge_->dialect_at(parsed->request.path);
    if (!dialect) {
      if (!co_await answer(std::move(*parsed))) break;
      continue;
    }
    const auto elsewhere = sent_here ? std::nullopt : lives_elsewhere(*dialect, parsed->request);
    if (elsewhere) co_return co_await leave_for(*elsewhere, std::move(*parsed));
    if (!dialect->requests() || parsed->names_websocket) co_return co_await upgrade(std::move(*parsed), *dialect);
    if (!co_await answer_plainly(std::move(*parsed), *dialect->requests())) break;
  }
  co_await close();
  co_return HttpEnd{};
}

/// Nothing: the connection is over.
runtime::Task<std::optional<ParsedRequest>> HttpSession::next_request() {
  switch (co_await read_request()) {
    case Next::kRequest:
      // Cut meanwhile: what it had pipelined concerns nobody.
      if (!transport_->open()) co_return std::nullopt;
      co_return reader_.take();
    case Next::kRefused:
      co_await refuse(reader_.refusal().status, reader_.refusal().error, {});
      break;
    case Next::kEnd:
      co_await close();
      break;
    case Next::kIdleEnd:
      // All answers were taken long ago: a peer that keeps its side open is not waited for.
      transport_->cut();
      break;
  }
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
runtime::Task<std::optional<T>> HttpSession::wait_for(std::shared_ptr<OneShot<T>> answer,
                                                      std::chrono::milliseconds at_most) {
  waiting_for_ = answer;
  const auto deadline = edge_->wheel.after(at_most, [weak = std::weak_ptr(answer)] {
    if (const auto late = weak.lock()) late->give_up();
  });
  auto value = co_await answer->wait();
  if (!value && transport_->open()) telemetry::error("request_unanswered");
  co_return value;
}

runtime::Task<bool> HttpSession::answer(ParsedRequest parsed) {
  auto context = context_of(parsed, parsed.keep_alive);
  const auto answered = std::make_shared<OneShot<http::Response>>(edge_->loop.context().get_executor());
  const auto id = http::request_id(parsed.request);
  edge_->service.handle(std::move(parsed.request), answered->callback());
  auto response = co_await wait_for(answered, edge_->limits.answer_timeout);
  if (!response) {
    response = http::problem(core::Error::internal(), id);
    count(response->status);
    context.keep_alive = false;
  }
  if (edge_->draining) context.keep_alive = false;
  send(std::move(*response), context);
  if (!context.keep_alive) co_return false;
  co_return transport_->queued() <= kMaxQueuedAnswers || co_await drained();
}

// The next request waits until the kernel has all of this answer: only then can it no longer be said to be lost.
runtime::Task<bool> HttpSession::answer_plainly(ParsedRequest parsed, dialects::Requests& requests) {
  auto context = context_of(parsed, parsed.keep_alive);
  const auto id = http::request_id(parsed.request);
  const auto answered = std::make_shared<OneShot<dialects::PlainAnswer>>(edge_->loop.context().get_executor());
  given_up_ = requests.handle(plain(std::move(parsed.request)), answered->callback());
  const auto watch = std::make_shared<PeerWatch>(transport_, reader_, edge_->limits.max_header_bytes);
  if (!answered->answered()) {
    watch->start([this, answered] {
      answered->give_up();
      tell_given_up();
    });
  }
  auto answer = co_await wait_for(answered, edge_->limits.poll_timeout);
  watch->stop();
  if (!answer) tell_given_up();
  send_plain(std::move(answer), id, context);
  if (!co_await drained()) {
    tell_given_up();
    co_return false;
  }
  given_up_ = nullptr;
  co_return context.keep_alive;
}

void HttpSession::send_plain(std::optional<dialects::PlainAnswer> answer, const std::string& request_id,
                             ResponseContext& context) {
  if (!transport_->open()) return;
  if (!answer || edge_->draining) context.keep_alive = false;
  auto response =
      answer ? response_of(std::move(*answer), request_id) : http::problem(core::Error::internal(), request_id);
  count(response.status);
  send(std::move(response), context);
}

void HttpSession::count(int status) {
  edge_->metrics.http_responses[static_cast<std::size_t>(std::clamp(status / 100, 1, 5))].add();
}

void HttpSession::send(http::Response response, const ResponseContext& context) {
  auto encoded = encode_response(std::move(response), context, edge_->date.now());
  transport_->queue(std::move(encoded.head));
  transport_->queue(std::move(encoded.owner), encoded.body);
}

runtime::Task<void> HttpSession::refuse(int status, core::Error error, const http::Request& request) {
  const auto id = http::request_id(request);
  auto response = http::problem(error, id, status);
  const bool upgrade = status == 426;
  if (upgrade) response.headers.emplace_back("Sec-WebSocket-Version", kWebSocketVersion);
  if (status == 405) response.headers.emplace_back("Allow", "GET");
  count(response.status);
  send(std::move(response), {.keep_alive = false, .head = request.method == "HEAD", .upgrade = upgrade});
  co_await close();
}

std::optional<std::size_t> HttpSession::lives_elsewhere(const dialects::Dialect& dialect,
                                                        const http::Request& request) const {
  if (edge_->shards == 0) return {};
  const auto shard = dialect.shard_of(request.query);
  return shard && *shard < edge_->shards && *shard != edge_->shard ? shard : std::nullopt;
}

runtime::Task<HttpEnd> HttpSession::leave_for(std::size_t shard, ParsedRequest parsed) {
  if (!co_await drained()) co_return HttpEnd{};
  if (!edge_->draining) {
    co_return Departure{.shard = shard, .opening = {.request = std::move(parsed), .rest = reader_.take_rest()}};
  }
  // It might arrive where the drain is over already.
  co_await refuse_while_draining(parsed.request);
  co_return HttpEnd{};
}

runtime::Task<void> HttpSession::refuse_while_draining(const http::Request& request) {
  const auto within = std::chrono::ceil<std::chrono::seconds>(edge_->reconnect_within).count();
  const auto wait = std::uniform_int_distribution<int>(1, std::max(1, static_cast<int>(within)))(edge_->random);
  co_await refuse(503, core::Error::unavailable("The server restarts.", wait), request);
}

runtime::Task<HttpEnd> HttpSession::upgrade(ParsedRequest parsed, dialects::Dialect& dialect) {
  const auto& request = parsed.request;
  const auto refuse_with = [&](int status, std::string message) {
    return refuse(status, error_of(core::ErrorCode::kMalformed, std::move(message)), request);
  };
  if (request.method != "GET") {
    co_await refuse(405, error_of(core::ErrorCode::kMethodNotAllowed, "This path speaks WebSocket, by GET."), request);
    co_return HttpEnd{};
  }
  if (!parsed.websocket_upgrade || request.header("sec-websocket-version") != kWebSocketVersion) {
    co_await refuse_with(426, "This path speaks WebSocket.");
    co_return HttpEnd{};
  }
  const auto key = request.header("sec-websocket-key");
  if (!key || key->size() != kWebSocketKeyLength || !request.body.empty()) {
    co_await refuse_with(400, "The WebSocket handshake is not valid.");
    co_return HttpEnd{};
  }
  auto place = edge_->admission.ask(edge_->wheel.now());
  if (!place) {
    const auto wait = static_cast<int>(place.error().count());
    co_await refuse(503, core::Error::unavailable("Too many clients connect at once.", wait), request);
    co_return HttpEnd{};
  }
  // Before a ticket is used up; who is let in while the server begins to drain is told like all the others.
  if (edge_->draining) {
    co_await refuse_while_draining(request);
    co_return HttpEnd{};
  }
  const dialects::Handshake handshake{.query = request.query,
                                      .authorization = copy_of(request.header("authorization")),
                                      .origin = copy_of(request.header("origin"))};
  using Authorized = core::Result<std::unique_ptr<dialects::Entrance>>;
  const auto answered = std::make_shared<OneShot<Authorized>>(edge_->loop.context().get_executor());
  dialect.authorize(handshake, answered->callback());
  auto authorized = co_await wait_for(answered, edge_->limits.answer_timeout);
  *place = nullptr;  // a refused client may take its time to go
  if (!authorized) authorized = core::fail(core::Error::internal());
  if (!*authorized) {
    const auto error = authorized->error();
    co_await refuse(core::error_class(error.code).http_status, error, request);
    co_return HttpEnd{};
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
