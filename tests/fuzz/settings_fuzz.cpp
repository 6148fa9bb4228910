#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "belfry/config/settings.hpp"
#include "config/file.hpp"
#include "config/values.hpp"

/// Every notation of a value, and the same bytes as a configuration file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belfry::config;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto number = parse_integer(text); number && std::to_string(*number) != text) std::abort();
  if (const auto duration = parse_duration(text); duration && duration->count() < 0) std::abort();
  if (const auto endpoint = parse_endpoint(text); endpoint && parse_endpoint(to_text(*endpoint)) != endpoint) {
    std::abort();
  }
  if (is_origin(text) && !is_base_url(text)) std::abort();
  if (const auto items = split_list(text); items && items->empty()) std::abort();
  Input input;
  input.config_path = "belfry.toml";
  input.read_file = [&](const std::string&) -> std::expected<std::string, std::string> { return text; };
  const auto loaded = load(input);
  if (!loaded && loaded.error().empty()) std::abort();
  for (const auto& key : keys()) {
    Settings settings;
    (void)key.apply(settings, text);
  }
  return 0;
}
