#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "belfry/core/text.hpp"
#include "dialects/commands/credentials.hpp"
#include "http/percent.hpp"
#include "http/query.hpp"

/// A raw query string: parameters, numbers, the ticket. Whatever bytes are escaped come back as they were.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belfry::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    escaped += {'%', kHex[byte >> 4U], kHex[byte & 0xFU]};
  }
  if (percent_decode(escaped, true) != text) std::abort();
  (void)percent_decode(text, false);
  const auto limit = query_limit(text);
  if (limit && (*limit < 1 || *limit > kMaxLimit)) std::abort();
  const auto id = query_id(text, "before_id");
  if (id && *id && **id < 0) std::abort();
  const auto value = query_value(text, "cursor");
  if (value && *value && (!belfry::core::is_utf8(**value) || (*value)->empty())) std::abort();
  (void)belfry::dialects::commands::ticket_in(text);
  return 0;
}
