#include "config/file.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>

namespace belfry::config {
namespace {

std::expected<std::string, std::string> value_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* list = node.as_array()) {
    std::string joined;
    for (const auto& item : *list) {
      const auto* text = item.as_string();
      if (text == nullptr || text->get().find(',') != std::string::npos) {
        return std::unexpected("a list holds text without commas");
      }
      if (!joined.empty()) joined += ',';
      joined += text->get();
    }
    return joined;
  }
  if (node.is_table()) return std::unexpected("there are no tables; every key stands at the top");
  return std::unexpected("a value is text, an integer or a list of text");
}

}  // namespace

std::expected<std::vector<FileEntry>, std::string> parse_file(std::string_view text) {
  const auto parsed = toml::parse(text);
  if (!parsed) {
    const auto& at = parsed.error().source().begin;
    return std::unexpected("line " + std::to_string(at.line) + ", column " + std::to_string(at.column) +
                           " is not valid TOML");
  }
  std::vector<FileEntry> entries;
  for (const auto& [key, node] : parsed.table()) {
    entries.push_back({std::string(key.str()), value_text(node)});
  }
  return entries;
}

}  // namespace belfry::config
