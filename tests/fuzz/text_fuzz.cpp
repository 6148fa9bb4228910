#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "belfry/core/text.hpp"
#include "belfry/core/time.hpp"
#include "belfry/core/uuid.hpp"

/// Times, ids, numbers and free text: what was taken is taken again, as the same value, in the form we write.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belfry::core;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto time = parse_iso8601(text); time && parse_iso8601(format_iso8601(*time)) != time) std::abort();
  if (const auto id = Uuid::parse(text); id && Uuid::parse(id->text()) != id) std::abort();
  if (const auto number = parse_positive_decimal(text); number && std::to_string(*number) != text) std::abort();
  if (const auto number = parse_non_negative_decimal(text); number && std::to_string(*number) != text) std::abort();
  for (const bool single_line : {false, true}) {
    const TextRules rules{.min_characters = 1, .max_characters = 40, .single_line = single_line};
    const auto taken = normalise_text(text, rules, "body");
    if (!taken) continue;
    if (!is_utf8(*taken) || count_characters(*taken) > 40) std::abort();
    if (normalise_text(*taken, rules, "body") != *taken) std::abort();
  }
  return 0;
}
