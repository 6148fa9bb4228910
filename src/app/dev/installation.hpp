#pragma once

#include <expected>
#include <string>

#include "app/dev/cluster.hpp"

namespace belfry::app::dev {

/// The newest PostgreSQL of version 15 or later in PATH or where Debian puts it; with `wanted`, of exactly that major
/// version.
std::expected<Installation, std::string> find_installation(int wanted);

}  // namespace belfry::app::dev
