#include "http/exchange.hpp"

#include <algorithm>
#include <stdexcept>

#include "belfry/core/text.hpp"
#include "belfry/telemetry/log.hpp"
#include "belfry/wire/json.hpp"

namespace belfry::http {
namespace {

constexpr std::size_t kMaxIdempotencyKey = 128;

bool has_header(const Response& response, std::string_view name) {
  return std::ranges::any_of(response.headers, [&](const auto& header) { return header.first == name; });
}

}  // namespace

Exchange::Exchange(std::shared_ptr<const Context> context, Request request,
                   std::move_only_function<void(Response)> done)
    : context_(std::move(context)),
      request_(std::move(request)),
      done_(std::move(done)),
      request_id_(http::request_id(request_)) {}

void Exchange::routed(std::string_view pattern, std::vector<PathParameter> parameters, std::string path) {
  pattern_ = pattern;
  parameters_ = std::move(parameters);
  path_ = std::move(path);
}

const std::string& Exchange::text(std::string_view name) const {
  for (const auto& parameter : parameters_) {
    if (parameter.name == name) return parameter.value;
  }
  throw std::logic_error("no such path parameter");
}

std::int64_t Exchange::number(std::string_view name) const { return core::parse_positive_decimal(text(name)).value(); }

core::UserId Exchange::user_id() const { return {core::Uuid::parse(text("userId")).value()}; }

Result<std::optional<domain::IdempotencyKey>> Exchange::idempotency_key() const {
  const auto key = request_.header("idempotency-key");
  if (!key) return std::nullopt;
  if (!core::is_visible_ascii(*key, 1, kMaxIdempotencyKey)) {
    return core::fail(core::Error::invalid("Idempotency-Key", "must be 1 to 128 visible ASCII characters"));
  }
  return domain::IdempotencyKey{actor().id, path_, std::string(*key), auth::sha256(request_.body)};
}

domain::JobOptions Exchange::job(std::string_view name) const {
  domain::JobOptions options;
  options.name = name;
  if (!actor().anonymous()) options.callers = {actor()};
  return options;
}

void Exchange::succeed(std::string_view message, std::string_view data, int status) {
  Response response;
  response.status = status;
  response.body = wire::encode_success(message, data);
  send(std::move(response));
}

void Exchange::succeed(std::shared_ptr<const core::SharedText> body) {
  Response response;
  response.status = 200;
  response.shared = std::move(body);
  send(std::move(response));
}

void Exchange::fail(const core::Error& error, std::vector<std::pair<std::string, std::string>> headers) {
  Response response = problem(error, request_id_);
  std::ranges::move(headers, std::back_inserter(response.headers));
  send(std::move(response));
}

void Exchange::send(Response response) {
  if (!done_) return;
  if (!has_header(response, "X-Request-Id")) response.headers.emplace_back("X-Request-Id", request_id_);
  // Answers depend on who asks and when; no intermediary may keep them.
  response.headers.emplace_back("Cache-Control", "no-store");
  add_cors(response);
  record(response);
  std::exchange(done_, nullptr)(std::move(response));
}

void Exchange::crashed(std::string_view what) noexcept {
  try {
    telemetry::error("http_request_failed", {{"route", pattern_}, {"request_id", request_id_}, {"what", what}});
    fail(core::Error::internal());
  } catch (...) {
    // Nothing is left to answer with; `net` has a deadline of its own.
  }
}

void Exchange::add_cors(Response& response) const {
  if (context_->options.allowed_origins.empty()) return;
  response.headers.emplace_back("Vary", "Origin");
  const auto origin = allowed_origin(context_->options, request_);
  if (!origin) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", *origin);
  response.headers.emplace_back("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
}

void Exchange::record(const Response& response) const {
  const auto elapsed = std::chrono::steady_clock::now() - started_;
  auto& metrics = context_->parts.metrics;
  metrics.http_responses[static_cast<std::size_t>(std::clamp(response.status / 100, 1, 5))].add();
  metrics.http_request_seconds.observe(elapsed);
  const auto level = response.status >= 500 ? telemetry::LogLevel::kWarn : telemetry::LogLevel::kInfo;
  const std::string actor_id = actor().anonymous() ? std::string("-") : actor().id.value.text();
  telemetry::log(level, "http_request",
                 {{"method", request_.method},
                  {"route", pattern_},
                  {"status", response.status},
                  {"duration_ms", std::chrono::duration<double, std::milli>(elapsed).count()},
                  {"request_id", request_id_},
                  {"actor_type", domain::actor_type_name(actor().type)},
                  {"actor_id", actor_id}});
}

std::optional<std::string> allowed_origin(const ServiceOptions& options, const Request& request) {
  const auto origin = request.header("origin");
  if (!origin || std::ranges::find(options.allowed_origins, *origin) == options.allowed_origins.end()) {
    return std::nullopt;
  }
  return std::string(*origin);
}

void run_job(const ExchangePtr& exchange, JobMode mode, std::string_view name, Answer answer,
             domain::Database::Body body, std::string data) {
  exchange->parts().database.submit(mode, exchange->job(name), std::move(body),
                                    [exchange, answer, data = std::move(data)](Result<void> result) {
                                      guarded(exchange, [&] {
                                        if (!result) return exchange->fail(result.error());
                                        exchange->succeed(answer.message, data, answer.status);
                                      });
                                    });
}

void run_page(const ExchangePtr& exchange, domain::RoomReader::Page page, std::string_view message,
              domain::RoomReader::Load load, std::move_only_function<void(const ExchangePtr&)> uncached) {
  if (exchange->parts().rooms == nullptr) return uncached(exchange);
  exchange->parts().rooms->cached(
      exchange->actor(), std::move(page),
      [message, load = std::move(load)](UnitOfWork& work, const domain::RoomKey& room) -> Result<std::string> {
        const auto data = load(work, room);
        if (!data) return data;
        return wire::encode_success(message, *data);
      },
      [exchange, uncached = std::move(uncached)](Result<domain::RoomReader::Bytes> bytes) mutable {
        guarded(exchange, [&] {
          if (!bytes) return exchange->fail(bytes.error());
          if (*bytes == nullptr) return uncached(exchange);
          exchange->succeed(std::move(*bytes));
        });
      });
}

}  // namespace belfry::http
