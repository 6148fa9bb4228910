#include "dialects/native/handshake.hpp"

#include <utility>

#include "dialects/commands/credentials.hpp"

namespace belfry::dialects::native {

namespace {

using core::Result;
using Done = std::move_only_function<void(Result<std::optional<auth::Identity>>)>;

/// Whoever showed something is known from here on, or refused.
std::move_only_function<void(Result<auth::Identity>)> as_known(Done done) {
  return [done = std::move(done)](Result<auth::Identity> identity) mutable {
    if (!identity) return done(core::fail(std::move(identity.error())));
    done(std::move(*identity));
  };
}

}  // namespace

void authorize(const Handshake& handshake, auth::Authenticator& authenticator, domain::Database& database,
               const core::Clock& clock, Done done) {
  auto ticket = commands::ticket_in(handshake.query);
  if (!ticket) return done(core::fail(std::move(ticket.error())));
  if (handshake.authorization) {
    const auto token = auth::bearer_token(*handshake.authorization);
    if (!token) return done(core::fail(token.error()));
    return authenticator.verify(*token, auth::Leeway::kNone, as_known(std::move(done)));
  }
  if (*ticket) {
    return commands::redeem_ticket(database, clock, std::move(**ticket), handshake.origin, as_known(std::move(done)));
  }
  done(std::nullopt);
}

}  // namespace belfry::dialects::native
