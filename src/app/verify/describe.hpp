#pragma once

#include <string>

#include "app/verify/history.hpp"

/// Records as one line each, for the history that a violation shows.
namespace belfry::verify {

std::string describe(const Write& write);
std::string describe(const Entry& entry, std::int64_t place);
std::string describe(const Frame& frame);
std::string describe(const Join& join);
std::string describe(const Left& left);
std::string describe(const Sync& sync);
std::string describe(const Page& page);
std::string describe(const Denial& denial, const std::string& user);

}  // namespace belfry::verify
