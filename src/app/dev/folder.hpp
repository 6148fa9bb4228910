#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "app/dev/process.hpp"

namespace belfry::app::dev {

/// Hears a line for each step.
using Say = std::function<void(const std::string&)>;

/// Where `belfry dev` keeps its things, held by one process at a time.
///   lock         who holds it
///   secret       signs the demo's tokens; survives restarts, so tokens do too
///   pg           the cluster, owned by the user that runs it
///   postgres.log what the cluster says
class DataFolder {
 public:
  /// Makes the folder and takes it. When the cluster's user cannot reach it (a clone below /root), another one is taken
  /// and said. An error is a line: the process that holds it, or what is missing.
  static std::expected<DataFolder, std::string> take(const std::string& asked, const std::optional<SystemUser>& user,
                                                     const Say& say);
  ~DataFolder();
  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The secret, made at first use.
  std::expected<std::string, std::string> secret() const;

 private:
  DataFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_;
};

/// Writes the whole file or nothing, readable by its owner only.
std::expected<void, std::string> write_private_file(const std::filesystem::path& path, std::string_view text);

}  // namespace belfry::app::dev
