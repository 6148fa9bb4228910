/// Stands between one node and PostgreSQL: transactions are delayed between their statements, and one at a time, on
/// request, meets a trap at a chosen statement. One thread per connection; it blocks, which is what a delay is.
///
///     chaos_wire <folder of the socket to listen on> <PostgreSQL's socket> <seed>
///
/// Orders come as lines on stdin, its end ends the program: `delay <per mille of transactions>`, `trap <name> <pid>
/// <milliseconds>`, `disarm`, `tally`. It answers on stdout: `sprung <name>`, `over <name>`, `tally <name> <count>`.

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

namespace {

struct Trap {
  std::string name;  ///< what, and where: kill-at-commit
  int pid = 0;
  int milliseconds = 0;
};

std::mutex out_mutex;
std::mutex trap_mutex;
std::optional<Trap> armed;
std::atomic<int> slow_permille{0};
std::atomic<std::uint64_t> delays{0}, delayed_milliseconds{0}, transactions{0}, slow_transactions{0}, commits{0};

void say(const std::string& line) {
  const std::lock_guard lock(out_mutex);
  std::puts(line.c_str());
  std::fflush(stdout);
}

/// The trap for this place, taken: it is sprung once.
std::optional<Trap> take(std::string_view place) {
  const std::lock_guard lock(trap_mutex);
  if (!armed || !armed->name.ends_with(place)) return std::nullopt;
  auto taken = std::move(armed);
  armed.reset();
  return taken;
}

bool send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::uint32_t length_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string query(std::string_view sql) {
  std::string made = "Q";
  const auto length = static_cast<std::uint32_t>(sql.size() + 5);
  for (int shift = 24; shift >= 0; shift -= 8)
    made += static_cast<char>(length >> static_cast<unsigned>(shift) & 0xFFU);
  return made.append(sql).append(1, '\0');
}

/// What the node asks in one go: up to Sync or a simple query. `said` is the query's text or the prepared statement's
/// name.
struct Unit {
  std::string bytes;
  std::string said;
};

class Line {
 public:
  Line(int client, int server, std::uint64_t seed) : client_(client), server_(server), random_(seed) {}
  ~Line() {
    ::close(client_);
    ::close(server_);
  }

  void run() {
    while (true) {
      std::array<pollfd, 2> ready{{{client_, POLLIN, 0}, {server_, POLLIN, 0}}};
      if (::poll(ready.data(), ready.size(), -1) < 0) return;
      if (ready[1].revents != 0 && !answers()) return;
      if (ready[0].revents != 0 && !questions()) return;
    }
  }

 private:
  bool answers() {
    const auto count = ::read(server_, block_.data(), block_.size());
    return count > 0 && send_all(client_, {block_.data(), static_cast<std::size_t>(count)});
  }

  bool questions() {
    const auto count = ::read(client_, block_.data(), block_.size());
    if (count <= 0) return false;
    waiting_.append(block_.data(), static_cast<std::size_t>(count));
    if (!introduced_) {
      if (waiting_.size() < 4 || waiting_.size() < length_at(waiting_, 0)) return true;
      introduced_ = true;
      const bool passed = send_all(server_, std::string_view(waiting_).substr(0, length_at(waiting_, 0)));
      waiting_.erase(0, length_at(waiting_, 0));
      if (!passed) return false;
    }
    while (auto unit = next()) {
      if (!pass(std::move(*unit))) return false;
    }
    return true;
  }

  std::optional<Unit> next() {
    Unit unit;
    for (std::size_t at = 0; at + 5 <= waiting_.size();) {
      const std::size_t end = at + 1 + length_at(waiting_, at + 1);
      if (end > waiting_.size()) return std::nullopt;
      const char type = waiting_[at];
      if (type == 'Q') unit.said = waiting_.c_str() + at + 5;
      if (type == 'B') unit.said = waiting_.c_str() + waiting_.find('\0', at + 5) + 1;  // behind the portal's name
      at = end;
      if (type == 'B' || type == 'P' || type == 'D' || type == 'E' || type == 'C') continue;
      unit.bytes = waiting_.substr(0, end);
      waiting_.erase(0, end);
      return unit;
    }
    return std::nullopt;
  }

  bool pass(Unit unit) {
    const bool commits_now = unit.said == "COMMIT";
    if (unit.said.starts_with("BEGIN")) {
      ++transactions;
      reads_ = unit.said.find("READ ONLY") != std::string::npos;
      locked_ = false;
      slow_ = chance(slow_permille);
      if (slow_) ++slow_transactions;
    } else if (slow_) {
      delay();
    }
    if (locked_ && !commits_now && unit.said != "ROLLBACK") {  // which PostgreSQL never refuses
      if (auto trap = take("-after-lock")) return spring(*trap, unit);
    }
    if (commits_now && locked_) {
      ++commits;
      if (auto trap = take("-at-commit")) return spring(*trap, unit);
      if (auto trap = take("-after-commit")) return spring_after(*trap, unit);
    }
    if (unit.said == "room_lock") locked_ = true;
    if (commits_now || unit.said == "ROLLBACK") locked_ = slow_ = false;
    return send_all(server_, unit.bytes);
  }

  /// False: the line ends here.
  bool spring(const Trap& trap, const Unit& unit) {
    const bool stops = trap.name.starts_with("stop"), kills = trap.name.starts_with("kill");
    if (kills || stops) ::kill(trap.pid, kills ? SIGKILL : SIGSTOP);
    say("sprung " + trap.name);
    if (stops) {
      pause(trap.milliseconds);
      ::kill(trap.pid, SIGCONT);
      say("over " + trap.name);
      return send_all(server_, unit.bytes);
    }
    if (trap.name.starts_with("error")) {
      // The server itself answers, so both sides agree on what state the connection is in.
      return send_all(server_, query("DO $$ BEGIN RAISE EXCEPTION 'forced' USING ERRCODE = '40001'; END $$"));
    }
    return false;  // cut, or its node is gone
  }

  /// The server has committed; its answer is lost.
  bool spring_after(const Trap& trap, const Unit& unit) {
    if (!send_all(server_, unit.bytes)) return false;
    if (::read(server_, block_.data(), block_.size()) <= 0) return false;
    if (trap.name.starts_with("kill")) ::kill(trap.pid, SIGKILL);
    say("sprung " + trap.name);
    return false;
  }

  bool chance(int permille) { return std::uniform_int_distribution<int>(0, 999)(random_) < permille; }

  /// 1 to 500 ms, mostly short where a room's lock may be held meanwhile.
  void delay() {
    if (chance(500)) return;
    const int most = chance(reads_ ? 200 : 700) ? 30 : chance(750) ? 150 : 500;
    const int milliseconds = std::uniform_int_distribution<int>(1, most)(random_);
    ++delays;
    delayed_milliseconds += static_cast<std::uint64_t>(milliseconds);
    pause(milliseconds);
  }

  static void pause(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

  int client_;
  int server_;
  std::mt19937_64 random_;
  std::string waiting_;
  std::array<char, 65536> block_{};
  bool introduced_ = false, locked_ = false, slow_ = false, reads_ = false;
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

void accept_all(int listener, const std::string& server, std::uint64_t seed) {
  const auto there = address_of(server);
  while (true) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const int upstream = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(upstream, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) {
      ::close(client);
      ::close(upstream);
      continue;
    }
    std::thread([client, upstream, own = ++seed] { Line(client, upstream, own).run(); }).detach();
  }
}

void obey(const std::string& order) {
  std::istringstream words(order);
  std::string what;
  words >> what;
  if (what == "delay") {
    int share = 0;
    words >> share;
    slow_permille = share;
  } else if (what == "trap") {
    Trap trap;
    words >> trap.name >> trap.pid >> trap.milliseconds;
    const std::lock_guard lock(trap_mutex);
    armed = trap;
  } else if (what == "disarm") {
    const std::lock_guard lock(trap_mutex);
    armed.reset();
    say("disarmed");
  } else if (what == "tally") {
    say("tally transactions " + std::to_string(transactions));
    say("tally slow " + std::to_string(slow_transactions));
    say("tally delays " + std::to_string(delays));
    say("tally milliseconds " + std::to_string(delayed_milliseconds));
    say("tally commits " + std::to_string(commits));
    say("tally end 0");
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const std::string path = std::string(arguments[1]) + "/.s.PGSQL.5432";
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto here = address_of(path);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 || ::listen(listener, 128) != 0) {
    std::perror("chaos_wire");
    return 1;
  }
  std::thread(accept_all, listener, std::string(arguments[2]), std::strtoull(arguments[3], nullptr, 10)).detach();
  say("listening");
  for (std::string order; std::getline(std::cin, order);) obey(order);
  ::unlink(path.c_str());
  std::_Exit(0);
}
