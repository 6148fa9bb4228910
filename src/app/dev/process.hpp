#pragma once

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Programs that `belfry dev` runs: as which user, and never longer than itself.
namespace belfry::app::dev {

struct SystemUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

/// Who a PostgreSQL started by this process runs as: `postgres` when we are root (the server refuses root), else nobody
/// else.
std::expected<std::optional<SystemUser>, std::string> server_user();

struct Program {
  std::vector<std::string> arguments;  ///< the first is the path of the executable
  std::optional<SystemUser> user;      ///< absent: as we are
  int output = -1;                     ///< descriptor for stdout and stderr; -1: /dev/null
  int death_signal = 0;                ///< what the kernel sends it when we die
};

/// Starts it in a session of its own, so that the terminal's Ctrl-C reaches only us, without stdin and with a small
/// environment.
std::expected<pid_t, std::string> spawn(const Program& program);
/// The wait status, or nothing when it still runs at the end of the time.
std::optional<int> wait_for_exit(pid_t pid, std::chrono::milliseconds time);
/// Ended with code 0.
bool succeeded(int status);
std::string describe_exit(int status);

/// Runs to its end and gives what it printed; an error when it does not end well in time.
std::expected<std::string, std::string> run_to_end(Program program, std::chrono::seconds time);

/// Whether `user` can enter and write this folder.
bool can_write(const std::filesystem::path& folder, const SystemUser& user);

}  // namespace belfry::app::dev
