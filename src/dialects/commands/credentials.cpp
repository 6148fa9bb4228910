#include "dialects/commands/credentials.hpp"

#include <utility>

#include "belfry/domain/subjects.hpp"

namespace belfry::dialects::commands {
namespace {

using core::Error;
using core::Reason;
using core::Result;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (escape) {
      decoded.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

Error bad_ticket() { return Error::unauthorized(Reason::kTokenInvalid, "The ticket is unknown, used or expired."); }

}  // namespace

Result<std::optional<std::string>> ticket_in(std::string_view query) {
  std::optional<std::string> ticket;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const auto value = percent_decoded(pair.substr(equals + 1));
    if (auth::looks_like_jwt(value)) {
      return core::fail(Error::unauthorized(Reason::kTokenInvalid, "A token must not stand in the address."));
    }
    if (!ticket && !value.empty() && percent_decoded(pair.substr(0, equals)) == "ticket") ticket = value;
  }
  return ticket;
}

void redeem_ticket(domain::Database& database, const core::Clock& clock, std::string ticket,
                   std::optional<std::string> origin, std::move_only_function<void(Result<auth::Identity>)> done) {
  if (!auth::may_be_ticket(ticket, clock.now())) return done(core::fail(bad_ticket()));
  domain::JobOptions options;
  options.name = "tickets.redeem";
  database.run<domain::Ticket>(
      domain::JobMode::kWrite, std::move(options),
      [hash = auth::sha256(ticket)](domain::UnitOfWork& work) { return domain::redeem_ticket(work, hash); },
      [origin = std::move(origin), &clock, done = std::move(done)](Result<domain::Ticket> redeemed) mutable {
        if (!redeemed) return done(core::fail(std::move(redeemed.error())));
        if (redeemed->origin && redeemed->origin != origin) return done(core::fail(bad_ticket()));
        if (redeemed->session_expires_at <= clock.now()) {
          return done(core::fail(Error::unauthorized(Reason::kTokenExpired, "The token has expired.")));
        }
        done(auth::Identity{std::move(redeemed->actor), redeemed->session_expires_at});
      });
}

}  // namespace belfry::dialects::commands
