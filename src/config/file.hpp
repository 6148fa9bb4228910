#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belfry::config {

/// A file's keys in their order. A value is the text that a variable of that key would have; nothing when it is a
/// table, a float, a date or a mixed list.
struct FileEntry {
  std::string key;
  std::expected<std::string, std::string> value;
};

/// TOML without tables. The error names the place and never repeats text of the file, which may be a secret.
std::expected<std::vector<FileEntry>, std::string> parse_file(std::string_view text);

}  // namespace belfry::config
