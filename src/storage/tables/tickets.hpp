#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// The ws_tickets table.
class PgTickets final : public domain::TicketRepository {
 public:
  explicit PgTickets(Session& session) : session_(session) {}

  void insert(const domain::Ticket& ticket) override;
  std::optional<domain::Ticket> redeem(std::string_view secret_hash, domain::TimePoint now) override;

 private:
  Session& session_;
};

}  // namespace belfry::storage
