#include "app/dev/installation.hpp"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "app/dev/process.hpp"

namespace belfry::app::dev {
namespace fs = std::filesystem;
namespace {

constexpr int kOldest = 15;
constexpr std::string_view kDebianRoot = "/usr/lib/postgresql";

std::vector<fs::path> candidates() {
  std::vector<fs::path> folders;
  const char* path = std::getenv("PATH");
  std::istringstream parts(path == nullptr ? "" : path);
  for (std::string part; std::getline(parts, part, ':');) {
    if (part.starts_with('/')) folders.emplace_back(part);
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kDebianRoot, error)) folders.push_back(entry.path() / "bin");
  std::vector<fs::path> complete;
  for (const auto& folder : folders) {
    // Where they really are: links from elsewhere do not find their neighbours.
    const auto initdb = fs::canonical(folder / "initdb", error);
    if (error || ::access(initdb.c_str(), X_OK) != 0) continue;
    if (::access((initdb.parent_path() / "postgres").c_str(), X_OK) == 0) complete.push_back(initdb.parent_path());
  }
  return complete;
}

/// `postgres (PostgreSQL) 15.20 (Debian …)`.
int major_version(const fs::path& folder) {
  Program program;
  program.arguments = {(folder / "postgres").string(), "--version"};
  const auto text = run_to_end(program, std::chrono::seconds(10));
  if (!text) return 0;
  const auto digits = text->find_first_of("0123456789");
  int major = 0;
  if (digits != std::string::npos) std::from_chars(text->data() + digits, text->data() + text->size(), major);
  return major;
}

}  // namespace

std::expected<Installation, std::string> find_installation(int wanted) {
  Installation best;
  for (const auto& folder : candidates()) {
    const int major = major_version(folder);
    if (major >= kOldest && (wanted == 0 || major == wanted) && major > best.major) best = {folder, major};
  }
  if (best.major != 0) return best;
  if (wanted != 0) {
    return std::unexpected(
        fmt::format("the data were made by PostgreSQL {}, which is not installed: install postgresql-{}, or choose "
                    "another --data-dir",
                    wanted, wanted));
  }
  return std::unexpected(
      fmt::format("no PostgreSQL {} or later in PATH or {}: install postgresql-15", kOldest, kDebianRoot));
}

}  // namespace belfry::app::dev
