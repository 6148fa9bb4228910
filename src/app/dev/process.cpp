#include "app/dev/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

#include <fmt/format.h>

namespace belfry::app::dev {
namespace {

constexpr std::chrono::milliseconds kPollInterval{10};
constexpr int kCannotRun = 127;

/// Only calls that are safe between fork and exec.
bool become(const SystemUser& user) {
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 && ::setgid(user.gid) == 0 && ::setuid(user.uid) == 0;
}

/// In the child. Everything it needs was made before the fork.
[[noreturn]] void execute(const Program& program, char* const* arguments, char* const* environment, int null,
                          pid_t parent) {
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int output = program.output < 0 ? null : program.output;
  if (::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) ::_exit(kCannotRun);
  if (program.user && !become(*program.user)) ::_exit(kCannotRun);
  if (::chdir("/") != 0) ::_exit(kCannotRun);
  // After the change of user, which would undo it; the parent may be gone by now.
  if (program.death_signal != 0) ::prctl(PR_SET_PDEATHSIG, program.death_signal);
  if (::getppid() != parent) ::_exit(kCannotRun);
  ::execve(arguments[0], arguments, environment);
  ::_exit(kCannotRun);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::expected<std::optional<SystemUser>, std::string> server_user() {
  if (::geteuid() != 0) return std::nullopt;
  const passwd* entry = ::getpwnam("postgres");
  if (entry == nullptr)
    return std::unexpected("there is no user postgres: install postgresql-15, or run as a plain user");
  SystemUser user{entry->pw_name, entry->pw_uid, entry->pw_gid, std::vector<gid_t>(64)};
  int count = static_cast<int>(user.groups.size());
  if (::getgrouplist(user.name.c_str(), user.gid, user.groups.data(), &count) < 0) count = 0;
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

std::expected<pid_t, std::string> spawn(const Program& program) {
  auto texts = program.arguments;
  std::vector<std::string> settings{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"};
  const auto arguments = pointers(texts);
  const auto environment = pointers(settings);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return std::unexpected(fmt::format("/dev/null: {}", std::strerror(errno)));
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) execute(program, arguments.data(), environment.data(), null, parent);
  const int error = errno;
  ::close(null);
  if (pid < 0) return std::unexpected(fmt::format("fork: {}", std::strerror(error)));
  return pid;
}

std::optional<int> wait_for_exit(pid_t pid, std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (true) {
    int status = 0;
    const pid_t got = ::waitpid(pid, &status, WNOHANG);
    if (got == pid) return status;
    if (got < 0 && errno != EINTR) return kCannotRun << 8;
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(kPollInterval);
  }
}

bool succeeded(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

std::string describe_exit(int status) {
  if (WIFSIGNALED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

std::expected<std::string, std::string> run_to_end(Program program, std::chrono::seconds time) {
  std::FILE* output = std::tmpfile();
  if (output == nullptr) return std::unexpected(fmt::format("temporary file: {}", std::strerror(errno)));
  program.output = ::fileno(output);
  program.death_signal = SIGKILL;
  const auto pid = spawn(program);
  std::optional<int> status;
  if (pid) {
    status = wait_for_exit(*pid, time);
    if (!status) {
      ::kill(*pid, SIGKILL);
      wait_for_exit(*pid, std::chrono::seconds(5));
    }
  }
  std::rewind(output);
  std::string text;
  std::array<char, 4096> chunk{};
  while (const auto got = std::fread(chunk.data(), 1, chunk.size(), output)) text.append(chunk.data(), got);
  std::fclose(output);
  if (!pid) return std::unexpected(pid.error());
  if (!status)
    return std::unexpected(fmt::format("{} did not end in {} s\n{}", program.arguments[0], time.count(), text));
  if (!succeeded(*status)) {
    return std::unexpected(fmt::format("{}: {}\n{}", program.arguments[0], describe_exit(*status), text));
  }
  return text;
}

bool can_write(const std::filesystem::path& folder, const SystemUser& user) {
  const std::string path = folder.string();
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(become(user) && ::access(path.c_str(), R_OK | W_OK | X_OK) == 0 ? 0 : 1);
  if (pid < 0) return false;
  const auto status = wait_for_exit(pid, std::chrono::seconds(10));
  return status && succeeded(*status);
}

}  // namespace belfry::app::dev
