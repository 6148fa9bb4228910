#include <algorithm>

#include "belfry/domain/subjects.hpp"
#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"

namespace belfry::http::mobile {
namespace {

/// The secret leaves in this answer only; the database has its hash, and decides by its own clock when it ends.
void issue_ticket(const ExchangePtr& exchange) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  const auto now = exchange->parts().clock.now();
  const std::string secret =
      auth::make_ticket(std::min<core::TimePoint>(now + domain::kTicketLifetime, exchange->token_expires_at()));
  run_job<core::TimePoint>(
      exchange, JobMode::kWrite, "tickets.issue", {"Ticket created successfully", 201},
      [actor = exchange->actor(), hash = auth::sha256(secret), end = exchange->token_expires_at()](UnitOfWork& work) {
        return domain::issue_ticket(work, actor, hash, end);
      },
      [secret](core::TimePoint expires_at) { return wire::encode_ticket(secret, expires_at); });
}

constexpr Endpoint kEndpoints[] = {
    {"POST", "/api/mobile/ws-tickets", Access::kRequired, issue_ticket},
};

}  // namespace

std::span<const Endpoint> ticket_endpoints() { return kEndpoints; }

}  // namespace belfry::http::mobile
