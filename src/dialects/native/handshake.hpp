#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/result.hpp"
#include "belfry/core/time.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/domain/database.hpp"

namespace belfry::dialects::native {

/// The `ticket` of a raw query string, percent-decoded; absent when empty. kUnauthorized when any value is a JSON Web
/// Token: tokens in addresses end up in logs, so they are refused wherever they stand.
core::Result<std::optional<std::string>> ticket_in(std::string_view query);

/// Decides on an upgrade by its header, else by its ticket, else as anonymous.
void authorize(const Handshake& handshake, auth::Authenticator& authenticator, domain::Database& database,
               const core::Clock& clock,
               std::move_only_function<void(core::Result<std::optional<auth::Identity>>)> done);

}  // namespace belfry::dialects::native
