#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/http/service.hpp"

namespace belfry::http {

using core::Result;
using domain::JobMode;
using domain::UnitOfWork;

/// What all exchanges share. The referenced parts outlive it.
struct Context {
  ServiceOptions options;
  ServiceParts parts;
};

struct PathParameter {
  std::string_view name;
  std::string value;  ///< decoded
};

/// One request on its way to its answer. I/O thread only: job bodies run on database threads and therefore capture
/// copies of what they need, never the exchange.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<const Context> context, Request request, std::move_only_function<void(Response)> done);

  const Request& request() const { return request_; }
  const ServiceParts& parts() const { return context_->parts; }
  const std::string& url_base() const { return context_->options.attachment_url_base; }
  const domain::Actor& actor() const { return identity_.actor; }
  core::TimePoint token_expires_at() const { return identity_.expires_at; }
  void identify(auth::Identity identity) { identity_ = std::move(identity); }

  /// Set by the router. `path` is the decoded one: what an idempotency key is scoped to.
  void routed(std::string_view pattern, std::vector<PathParameter> parameters, std::string path);
  const std::vector<PathParameter>& parameters() const { return parameters_; }
  /// Parameters that were checked before the endpoint was called.
  std::int64_t number(std::string_view name) const;
  core::UserId user_id() const;
  const std::string& text(std::string_view name) const;

  /// The `Idempotency-Key` header, bound to caller, path and body.
  Result<std::optional<domain::IdempotencyKey>> idempotency_key() const;
  domain::JobOptions job(std::string_view name) const;

  // Answers; the first one counts.
  void succeed(std::string_view message, std::string_view data, int status = 200);
  /// 200 with a body that is encoded already.
  void succeed(std::shared_ptr<const core::SharedText> body);
  void fail(const core::Error& error, std::vector<std::pair<std::string, std::string>> headers = {});
  void send(Response response);
  /// Something threw: 500, and the reason in the log.
  void crashed(std::string_view what) noexcept;

 private:
  void add_cors(Response& response) const;
  void record(const Response& response) const;

  std::shared_ptr<const Context> context_;
  Request request_;
  std::move_only_function<void(Response)> done_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::string request_id_;
  auth::Identity identity_;
  std::string_view pattern_ = "-";
  std::vector<PathParameter> parameters_;
  std::string path_;
};

using ExchangePtr = std::shared_ptr<Exchange>;

/// The value of a CORS answer for this request: its origin when it is a configured one.
std::optional<std::string> allowed_origin(const ServiceOptions& options, const Request& request);

/// Runs what an I/O callback does; whatever it throws becomes a 500 for this one request.
template <class Step>
void guarded(const ExchangePtr& exchange, Step&& step) noexcept {
  try {
    step();
  } catch (const std::exception& failure) {
    exchange->crashed(failure.what());
  } catch (...) {
    exchange->crashed("unknown exception");
  }
}

struct Answer {
  std::string_view message;
  int status = 200;
};

/// One database job whose value becomes the answer. `body` must hold copies only.
template <class T, class Body, class Encode>
void run_job(const ExchangePtr& exchange, JobMode mode, std::string_view name, Answer answer, Body body,
             Encode encode) {
  exchange->parts().database.template run<T>(mode, exchange->job(name), std::move(body),
                                             [exchange, answer, encode = std::move(encode)](Result<T> result) mutable {
                                               guarded(exchange, [&] {
                                                 if (!result) return exchange->fail(result.error());
                                                 exchange->succeed(answer.message, encode(*result), answer.status);
                                               });
                                             });
}

/// The same for jobs without a value; `data` is the answer's JSON.
void run_job(const ExchangePtr& exchange, JobMode mode, std::string_view name, Answer answer,
             domain::Database::Body body, std::string data);

/// A page of a room that may be had from memory; `load` gives the answer's data. `uncached` answers otherwise: it
/// decides and reads in one job.
void run_page(const ExchangePtr& exchange, domain::RoomReader::Page page, std::string_view message,
              domain::RoomReader::Load load, std::move_only_function<void(const ExchangePtr&)> uncached);

}  // namespace belfry::http
