#include "belfry/http/service.hpp"

#include "http/endpoints.hpp"
#include "http/exchange.hpp"
#include "http/router.hpp"

namespace belfry::http {
namespace {

using core::Error;
using core::ErrorCode;
using core::Reason;

using Tables = std::vector<std::span<const Endpoint>>;

void add_api(Tables& tables) {
  tables.insert(tables.end(), {mobile::channel_endpoints(), mobile::post_endpoints(), mobile::discussion_endpoints(),
                               mobile::ticket_endpoints(), admin::channel_endpoints(), admin::post_endpoints(),
                               admin::discussion_endpoints(), admin::moderation_endpoints(), admin::user_endpoints(),
                               admin::audit_endpoints()});
}

Tables tables_for(const ServiceOptions& options) {
  Tables tables;
  if (options.api_routes) add_api(tables);
  if (options.ops_routes) tables.push_back(ops::endpoints());
  return tables;
}

bool is_preflight(const ServiceOptions& options, const Request& request) {
  return !options.allowed_origins.empty() && request.method == "OPTIONS" && request.header("origin") &&
         request.header("access-control-request-method");
}

Response preflight_answer(const ServiceOptions& options, const Request& request, const std::string& allow) {
  Response response;
  response.status = 204;
  response.content_type.clear();
  if (allowed_origin(options, request)) {
    response.headers.emplace_back("Access-Control-Allow-Methods", allow);
    response.headers.emplace_back("Access-Control-Allow-Headers",
                                  "Authorization, Content-Type, Idempotency-Key, X-Request-Id");
    response.headers.emplace_back("Access-Control-Max-Age", "600");
  }
  return response;
}

class RestService final : public Service {
 public:
  RestService(ServiceOptions options, ServiceParts parts)
      : context_(std::make_shared<const Context>(Context{std::move(options), std::move(parts)})),
        router_(tables_for(context_->options)) {}

  void handle(Request request, std::move_only_function<void(Response)> done) override {
    auto exchange = std::make_shared<Exchange>(context_, std::move(request), std::move(done));
    guarded(exchange, [&] { route(exchange); });
  }

 private:
  void route(const ExchangePtr& exchange) const {
    const Request& request = exchange->request();
    auto match = router_.match(request.method, request.path);
    if (!match) {
      Error error = Error::not_found("There is no such path.");
      error.reason = Reason::kNoRoute;
      return exchange->fail(error);
    }
    if (is_preflight(context_->options, request)) {
      return exchange->send(preflight_answer(context_->options, request, match->allow));
    }
    if (match->endpoint == nullptr) {
      Error error;
      error.code = ErrorCode::kMethodNotAllowed;
      error.message = "The path does not have this method.";
      return exchange->fail(error, {{"Allow", match->allow}});
    }
    exchange->routed(match->endpoint->pattern, std::move(match->parameters), std::move(match->path));
    authenticate(exchange, *match->endpoint);
  }

  void authenticate(const ExchangePtr& exchange, const Endpoint& endpoint) const {
    const auto header = exchange->request().header("authorization");
    if (endpoint.access == Access::kNone) return call(exchange, endpoint);
    if (!header) {
      if (endpoint.access == Access::kOptional) return call(exchange, endpoint);
      return exchange->fail(Error::unauthorized(Reason::kLoginRequired, "This needs a logged-in user."));
    }
    const auto token = auth::bearer_token(*header);
    if (!token) return exchange->fail(token.error());
    context_->parts.authenticator.verify(*token, auth::Leeway::kHttp,
                                         [exchange, &endpoint](Result<auth::Identity> identity) {
                                           guarded(exchange, [&] {
                                             if (!identity) return exchange->fail(identity.error());
                                             exchange->identify(std::move(*identity));
                                             call(exchange, endpoint);
                                           });
                                         });
  }

  static void call(const ExchangePtr& exchange, const Endpoint& endpoint) {
    if (endpoint.access == Access::kAdmin && !exchange->actor().admin()) {
      return exchange->fail(Error::forbidden(Reason::kAdminRequired, "Only administrators may do this."));
    }
    if (const auto checked = check_parameters(exchange->parameters()); !checked) {
      return exchange->fail(checked.error());
    }
    endpoint.handle(exchange);
  }

  std::shared_ptr<const Context> context_;
  Router router_;
};

}  // namespace

std::unique_ptr<Service> make_service(ServiceOptions options, ServiceParts parts) {
  return std::make_unique<RestService>(std::move(options), std::move(parts));
}

std::vector<std::string> list_routes() {
  std::vector<std::string> routes;
  for (const auto table : tables_for({})) {
    for (const auto& endpoint : table) {
      routes.push_back(std::string(endpoint.method) + " " + std::string(endpoint.pattern));
    }
  }
  return routes;
}

}  // namespace belfry::http
