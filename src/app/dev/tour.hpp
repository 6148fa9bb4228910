#pragma once

#include <string>

#include "app/dev/seed.hpp"
#include "belfry/config/settings.hpp"

namespace belfry::app::dev {

/// What `belfry dev` prints once it listens: tokens and commands that can be pasted into a shell as they stand.
std::string describe_tour(const Demo& demo, const std::string& authority, const config::Settings& settings,
                          core::TimePoint now);

}  // namespace belfry::app::dev
