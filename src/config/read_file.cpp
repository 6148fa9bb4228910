#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "belfry/config/settings.hpp"

namespace belfry::config {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} * 1024;

}  // namespace

std::expected<std::string, std::string> read_small_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(std::strerror(errno));
  std::string content;
  std::array<char, 4096> chunk{};
  while (true) {
    const auto got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    const int error = errno;
    if (got > 0) content.append(chunk.data(), static_cast<std::size_t>(got));
    if (got > 0 && content.size() <= kMaxBytes) continue;
    ::close(fd);
    if (got < 0) return std::unexpected(std::strerror(error));
    if (content.size() > kMaxBytes) return std::unexpected("larger than 64 KiB");
    return content;
  }
}

}  // namespace belfry::config
