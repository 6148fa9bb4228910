#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/result.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/database.hpp"

/// What a client may show instead of a token, whatever the dialect. I/O thread only.
namespace belfry::dialects::commands {

/// The `ticket` of a raw query string, percent-decoded; absent when empty. kUnauthorized when any value is a JSON Web
/// Token: tokens in addresses end up in logs, so they are refused wherever they stand.
core::Result<std::optional<std::string>> ticket_in(std::string_view query);

/// Uses the ticket up and tells whom it was issued to. `origin` is the one that the client's request names: a ticket
/// that was issued for an origin is good there only. kUnauthorized: TOKEN_INVALID when it is unknown, used, expired or
/// another origin's, TOKEN_EXPIRED when the token behind it has ended; else what the database could not do. What cannot
/// be a ticket costs no job: then `done` runs inside this call. Database and clock must outlive `done`.
void redeem_ticket(domain::Database& database, const core::Clock& clock, std::string ticket,
                   std::optional<std::string> origin, std::move_only_function<void(core::Result<auth::Identity>)> done);

}  // namespace belfry::dialects::commands
