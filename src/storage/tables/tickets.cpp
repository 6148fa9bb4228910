#include "storage/tables/tickets.hpp"

#include "belfry/core/mac.hpp"
#include "storage/values.hpp"

namespace belfry::storage {

using domain::Ticket;
using domain::TimePoint;

void PgTickets::insert(const Ticket& ticket) {
  static constexpr Statement kInsert{"tickets_insert", R"(
    INSERT INTO ws_tickets (secret_hash, actor_type, actor_id, username, picture, scope, issuer, origin, expires_at,
                            session_expires_at)
    VALUES (decode($1::text, 'hex'), $2::smallint, $3::uuid, $4::text, $5::text, $6::smallint, $7::smallint, $8::text,
            $9::timestamptz, $10::timestamptz))"};
  session_.run(kInsert, core::to_hex(ticket.secret_hash), to_sql(ticket.actor.type), to_sql(ticket.actor.id),
               to_sql(ticket.actor.username), to_sql(ticket.actor.picture), to_sql(ticket.scope), to_sql(ticket.issuer),
               to_sql(ticket.origin), to_sql(ticket.expires_at), to_sql(ticket.session_expires_at));
}

std::optional<Ticket> PgTickets::redeem(std::string_view secret_hash, TimePoint now) {
  // The row lock of DELETE picks the one winner; a late ticket is used up by the attempt too.
  static constexpr Statement kRedeem{"tickets_redeem", R"(
    DELETE FROM ws_tickets
    WHERE secret_hash = decode($1::text, 'hex')
    RETURNING actor_type, actor_id, username, picture, scope, issuer, origin, epoch_ms(expires_at),
              epoch_ms(session_expires_at))"};
  const auto result = session_.run(kRedeem, core::to_hex(secret_hash));
  if (result.empty()) return std::nullopt;
  const auto line = result.front();
  RowReader row(line);
  Ticket ticket;
  ticket.secret_hash = secret_hash;
  ticket.actor.type = row.next<domain::ActorType>();
  ticket.actor.id = row.next<domain::UserId>();
  ticket.actor.username = row.next<std::optional<std::string>>();
  ticket.actor.picture = row.next<std::optional<std::string>>();
  ticket.scope = row.next<domain::TicketScope>();
  ticket.issuer = row.next<domain::TicketIssuer>();
  ticket.origin = row.next<std::optional<std::string>>();
  ticket.expires_at = row.next<TimePoint>();
  ticket.session_expires_at = row.next<TimePoint>();
  if (ticket.expires_at <= now) return std::nullopt;
  return ticket;
}

}  // namespace belfry::storage
