#pragma once

#include <span>

#include "http/router.hpp"

/// One table per endpoint group; together they are the API.
namespace belfry::http {

namespace mobile {
std::span<const Endpoint> channel_endpoints();
std::span<const Endpoint> post_endpoints();
std::span<const Endpoint> discussion_endpoints();
std::span<const Endpoint> ticket_endpoints();
}  // namespace mobile

namespace admin {
std::span<const Endpoint> channel_endpoints();
std::span<const Endpoint> post_endpoints();
std::span<const Endpoint> discussion_endpoints();
std::span<const Endpoint> moderation_endpoints();
std::span<const Endpoint> user_endpoints();
std::span<const Endpoint> audit_endpoints();
}  // namespace admin

namespace ops {
std::span<const Endpoint> endpoints();
}  // namespace ops

}  // namespace belfry::http
