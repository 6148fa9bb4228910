#pragma once

#include <expected>
#include <utility>

#include "belfry/core/error.hpp"

namespace belfry::core {

/// An expected outcome: a value or an Error. Broken machinery throws instead.
template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace belfry::core
