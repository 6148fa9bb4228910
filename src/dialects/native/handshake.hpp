#pragma once

#include <functional>
#include <optional>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/result.hpp"
#include "belfry/core/time.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/domain/database.hpp"

namespace belfry::dialects::native {

/// Decides on an upgrade by its header, else by its ticket, else as anonymous.
void authorize(const Handshake& handshake, auth::Authenticator& authenticator, domain::Database& database,
               const core::Clock& clock,
               std::move_only_function<void(core::Result<std::optional<auth::Identity>>)> done);

}  // namespace belfry::dialects::native
