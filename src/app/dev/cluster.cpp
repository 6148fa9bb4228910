#include "app/dev/cluster.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "app/dev/installation.hpp"

namespace belfry::app::dev {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::seconds kInitialiseDeadline{120};
constexpr std::chrono::seconds kFastDeadline{20};
constexpr std::chrono::seconds kHardDeadline{5};
constexpr std::chrono::seconds kLeftoverDeadline{15};
constexpr std::string_view kSocketPattern = "/tmp/belfry-XXXXXX";
constexpr int kPort = 5432;  ///< only a part of the socket's name

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// Whether something listens at this socket.
bool answers(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return connected;
}

std::expected<void, std::string> failed(const fs::path& path) {
  return std::unexpected(fmt::format("{}: {}", path.string(), std::strerror(errno)));
}

uid_t owner_of(const fs::path& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_uid : static_cast<uid_t>(-1);
}

}  // namespace

PrivateCluster::PrivateCluster(fs::path folder, std::optional<SystemUser> user, Say say)
    : folder_(std::move(folder)), user_(std::move(user)), say_(std::move(say)) {}

PrivateCluster::~PrivateCluster() { stop(); }

std::expected<void, std::string> PrivateCluster::start() {
  if (auto found = find_installation(); !found) return found;
  std::error_code error;
  if (!fs::exists(data() / "PG_VERSION", error)) {
    if (auto made = initialise(); !made) return made;
  }
  if (owner_of(data()) != (user_ ? user_->uid : ::geteuid())) {
    return std::unexpected(fmt::format("{} belongs to another user: choose another --data-dir", data().string()));
  }
  if (auto ended = end_leftover(); !ended) return ended;
  if (auto made = make_socket_folder(); !made) return made;
  const int log = ::open((folder_ / "postgres.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return failed(folder_ / "postgres.log");
  Program program;
  program.arguments = {(installation_.programs / "postgres").string(), "-D", data().string()};
  for (const auto& setting :
       {fmt::format("unix_socket_directories={}", sockets_.string()), std::string("unix_socket_permissions=0700"),
        std::string("listen_addresses="), fmt::format("port={}", kPort), std::string("logging_collector=off"),
        std::string("dynamic_shared_memory_type=mmap"), std::string("max_connections=100")}) {
    program.arguments.insert(program.arguments.end(), {"-c", setting});
  }
  program.user = user_;
  program.output = log;
  program.death_signal = SIGINT;
  auto pid = spawn(program);
  ::close(log);
  if (!pid) return std::unexpected(pid.error());
  pid_ = *pid;
  return {};
}

std::expected<void, std::string> PrivateCluster::find_installation() {
  int wanted = 0;
  if (const auto lines = lines_of(data() / "PG_VERSION"); !lines.empty()) {
    std::from_chars(lines[0].data(), lines[0].data() + lines[0].size(), wanted);
  }
  auto found = dev::find_installation(wanted);
  if (!found) return std::unexpected(found.error());
  installation_ = std::move(*found);
  return {};
}

std::expected<void, std::string> PrivateCluster::initialise() {
  say_(fmt::format("making a PostgreSQL {} cluster in {}", installation_.major, data().string()));
  // Beside its place, then renamed: an interrupted start leaves nothing that looks like a cluster.
  const auto fresh = folder_ / "pg.new";
  std::error_code error;
  fs::remove_all(fresh, error);
  if (::mkdir(fresh.c_str(), 0700) != 0) return failed(fresh);
  if (user_ && ::chown(fresh.c_str(), user_->uid, user_->gid) != 0) return failed(fresh);
  Program program;
  program.arguments = {(installation_.programs / "initdb").string(),
                       "-D",
                       fresh.string(),
                       "-U",
                       "belfry",
                       "-A",
                       "trust",
                       "-E",
                       "UTF8",
                       "--locale=C.UTF-8",
                       "--no-sync",
                       "--no-instructions"};
  program.user = user_;
  if (auto ran = run_to_end(program, kInitialiseDeadline); !ran) return std::unexpected(ran.error());
  if (::rename(fresh.c_str(), data().c_str()) != 0) return failed(data());
  return {};
}

/// A server that outlived an earlier `belfry dev` for a moment is waited for and, if need be, told to stop. The lock of
/// the data folder says that nobody else uses it.
std::expected<void, std::string> PrivateCluster::end_leftover() {
  const auto file = data() / "postmaster.pid";
  const auto lines = lines_of(file);
  pid_t pid = 0;
  if (lines.size() < 5) return {};
  std::from_chars(lines[0].data(), lines[0].data() + lines[0].size(), pid);
  if (pid <= 1 || ::kill(pid, 0) != 0) return {};  // PostgreSQL itself clears the file of a dead one
  const auto socket = fmt::format("{}/.s.PGSQL.{}", lines[4], kPort);
  const bool ours = answers(socket);
  if (ours) {
    say_(fmt::format("stopping the server that an earlier start left behind (process {})", pid));
    ::kill(pid, SIGINT);
  }
  const auto deadline = std::chrono::steady_clock::now() + (ours ? kLeftoverDeadline : std::chrono::seconds(3));
  std::error_code error;
  while (fs::exists(file, error)) {
    if (::kill(pid, 0) != 0) return {};
    if (std::chrono::steady_clock::now() > deadline) {
      if (ours)
        return std::unexpected(fmt::format("process {} still serves {} and does not stop", pid, data().string()));
      // The number was given to a stranger since: nothing answers at the socket that the file names.
      fs::remove(file, error);
      return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

std::expected<void, std::string> PrivateCluster::make_socket_folder() {
  const auto note = folder_ / "sockets";
  if (const auto lines = lines_of(note); !lines.empty()) {
    sockets_ = lines[0];
    remove_socket_folder();
  }
  std::string name(kSocketPattern);
  if (::mkdtemp(name.data()) == nullptr) return failed(name);
  sockets_ = name;
  if (user_ && ::chown(name.c_str(), user_->uid, user_->gid) != 0) return failed(sockets_);
  return write_private_file(note, name + "\n");
}

/// Only what `make_socket_folder` can have made.
void PrivateCluster::remove_socket_folder() {
  const auto name = sockets_.string();
  const auto expected = user_ ? user_->uid : ::geteuid();
  struct stat info{};
  const auto prefix = kSocketPattern.substr(0, kSocketPattern.size() - 6);
  if (name.size() == kSocketPattern.size() && name.starts_with(prefix) &&
      name.find('/', prefix.size()) == std::string::npos && ::lstat(name.c_str(), &info) == 0 &&
      S_ISDIR(info.st_mode) && info.st_uid == expected) {
    std::error_code error;
    fs::remove_all(sockets_, error);
  }
  sockets_.clear();
}

bool PrivateCluster::running() {
  if (pid_ < 0) return false;
  if (!wait_for_exit(pid_, std::chrono::milliseconds(0))) return true;
  pid_ = -1;
  return false;
}

void PrivateCluster::stop() {
  if (pid_ >= 0) {
    ::kill(pid_, SIGINT);
    if (!wait_for_exit(pid_, kFastDeadline)) {
      ::kill(pid_, SIGQUIT);
      if (!wait_for_exit(pid_, kHardDeadline)) {
        ::kill(pid_, SIGKILL);
        wait_for_exit(pid_, kHardDeadline);
      }
    }
    pid_ = -1;
  }
  if (!sockets_.empty()) remove_socket_folder();
}

std::string PrivateCluster::url() const {
  return fmt::format("host={} port={} user=belfry dbname=postgres", sockets_.string(), kPort);
}

std::string PrivateCluster::last_words() const {
  const auto lines = lines_of(folder_ / "postgres.log");
  std::string text;
  for (std::size_t i = lines.size() > 15 ? lines.size() - 15 : 0; i < lines.size(); ++i) text += "  " + lines[i] + "\n";
  return text;
}

}  // namespace belfry::app::dev
