#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "belfry/wire/json.hpp"

/// What is taken as a cursor is exactly what this server gives out.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cursor = belfry::wire::decode_cursor(text);
  if (cursor && belfry::wire::encode_cursor(*cursor) != text) std::abort();
  return 0;
}
