#include "app/dev/folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "belfry/auth/authenticator.hpp"
#include "belfry/config/settings.hpp"

namespace belfry::app::dev {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFallbackRoot = "/var/lib/belfry";

/// FNV-1a: a short name for a path, not a defence.
std::string hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return fmt::format("{:016x}", hash);
}

/// Whether the folder is new, or why it cannot be had.
std::expected<bool, std::string> make_folder(const fs::path& path, mode_t mode) {
  std::error_code error;
  if (fs::is_directory(path, error)) return false;
  fs::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), mode) != 0)
    return std::unexpected(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  ::chmod(path.c_str(), mode);  // whatever the umask
  return true;
}

/// Whether the cluster's user can reach a folder of its own in there.
bool reachable(const fs::path& folder, const SystemUser& user) {
  const auto probe = folder / ".probe";
  std::error_code error;
  fs::remove_all(probe, error);
  if (::mkdir(probe.c_str(), 0700) != 0) return false;
  const bool fits = ::chown(probe.c_str(), user.uid, user.gid) == 0 && can_write(probe, user);
  fs::remove_all(probe, error);
  return fits;
}

std::expected<fs::path, std::string> choose(const std::string& asked, const std::optional<SystemUser>& user,
                                            const Say& say) {
  std::error_code error;
  auto path = fs::weakly_canonical(fs::absolute(asked, error), error);
  if (error) return std::unexpected(fmt::format("{}: {}", asked, error.message()));
  auto made = make_folder(path, user ? 0755 : 0700);
  if (!made) return std::unexpected(made.error());
  if (!user || reachable(path, *user)) return path;
  if (*made) fs::remove(path, error);
  fs::path other = fs::path(kFallbackRoot) / ("dev-" + hash_of(path.string()));
  say(fmt::format("PostgreSQL runs as user {}, who cannot reach {}: the data are in {}", user->name, path.string(),
                  other.string()));
  if (auto root = make_folder(kFallbackRoot, 0755); !root) return std::unexpected(root.error());
  if (made = make_folder(other, 0755); !made) return std::unexpected(made.error());
  if (reachable(other, *user)) return other;
  return std::unexpected(
      fmt::format("user {} cannot reach {} either: choose another folder with --data-dir", user->name, other.string()));
}

}  // namespace

std::expected<void, std::string> write_private_file(const fs::path& path, std::string_view text) {
  const auto fresh = path.string() + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return std::unexpected(fmt::format("{}: {}", fresh, std::strerror(errno)));
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(fd);
  if (!written) return std::unexpected(fmt::format("{}: {}", fresh, std::strerror(error)));
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return std::unexpected(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  return {};
}

std::expected<DataFolder, std::string> DataFolder::take(const std::string& asked, const std::optional<SystemUser>& user,
                                                        const Say& say) {
  auto path = choose(asked, user, say);
  if (!path) return std::unexpected(path.error());
  const auto name = *path / "lock";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return std::unexpected(fmt::format("{}: {}", name.string(), std::strerror(errno)));
  DataFolder folder(std::move(*path), fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> holder{};
    const auto got = ::pread(fd, holder.data(), holder.size() - 1, 0);
    const std::string pid(holder.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    return std::unexpected(fmt::format("process {} already runs on {}: stop it, or choose another --data-dir", pid,
                                       folder.path_.string()));
  }
  const auto pid = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return std::unexpected(fmt::format("{}: {}", name.string(), std::strerror(errno)));
  }
  return folder;
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

std::expected<std::string, std::string> DataFolder::secret() const {
  const auto path = path_ / "secret";
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (auto written = write_private_file(path, auth::make_secret() + auth::make_secret()); !written) {
      return std::unexpected(written.error());
    }
  }
  auto text = config::read_small_file(path.string());
  if (!text) return std::unexpected(fmt::format("{}: {}", path.string(), text.error()));
  if (text->size() < 32)
    return std::unexpected(fmt::format("{} is too short: remove it to get a new one", path.string()));
  return text;
}

}  // namespace belfry::app::dev
