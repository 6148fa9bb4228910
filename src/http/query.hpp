#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belfry/core/ids.hpp"
#include "belfry/core/result.hpp"

/// Query parameters: unknown ones are ignored, empty ones are as if absent. Failures are kInvalid and name the
/// parameter.
namespace belfry::http {

using core::Result;

/// One parameter, decoded. Given twice, badly encoded or no UTF-8 text: kInvalid.
Result<std::optional<std::string>> query_value(std::string_view query, std::string_view name);

inline constexpr std::int32_t kDefaultLimit = 20;
inline constexpr std::int32_t kMaxLimit = 100;
/// `limit`: 1..100, default 20.
Result<std::int32_t> query_limit(std::string_view query);
/// A cursor that is an entity's id: a non-negative decimal.
Result<std::optional<std::int64_t>> query_id(std::string_view query, std::string_view name);

}  // namespace belfry::http
