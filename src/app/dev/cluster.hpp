#pragma once

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <optional>
#include <string>

#include "app/dev/folder.hpp"
#include "app/dev/process.hpp"

namespace belfry::app::dev {

/// The programs of one installed PostgreSQL.
struct Installation {
  std::filesystem::path programs;
  int major = 0;
};

/// A PostgreSQL of `belfry dev` alone: a cluster in its data folder, reached through a Unix socket in a private folder,
/// no TCP port. Lives as long as this object; the kernel stops it when this process is killed, and the next start deals
/// with what is left.
class PrivateCluster {
 public:
  PrivateCluster(std::filesystem::path folder, std::optional<SystemUser> user, Say say);
  ~PrivateCluster();
  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  /// Makes the cluster if there is none, starts it. It may still be recovering when this returns: connect and see.
  std::expected<void, std::string> start();
  /// Fast shutdown, waited for; harder after a deadline.
  void stop();
  /// False when it ended by itself.
  bool running();

  std::string url() const;
  std::filesystem::path data() const { return folder_ / "pg"; }
  /// The last lines of its log, for an operator.
  std::string last_words() const;

 private:
  std::expected<void, std::string> find_installation();
  std::expected<void, std::string> initialise();
  std::expected<void, std::string> end_leftover();
  std::expected<void, std::string> make_socket_folder();
  void remove_socket_folder();

  std::filesystem::path folder_;
  std::optional<SystemUser> user_;
  Say say_;
  Installation installation_;
  std::filesystem::path sockets_;
  pid_t pid_ = -1;
};

}  // namespace belfry::app::dev
