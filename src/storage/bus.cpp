#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <system_error>
#include <thread>

#include "belfry/storage/postgres.hpp"
#include "belfry/telemetry/log.hpp"
#include "storage/conninfo.hpp"
#include "storage/link.hpp"
#include "storage/watchdog.hpp"

namespace belfry::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kChannel = "belfry_grew";
/// A connection that says nothing is asked whether it lives.
constexpr std::chrono::seconds kAskAlive{30};
constexpr std::chrono::milliseconds kFirstPause{100};

/// Hears the channel; notes whether somebody else spoke.
class Listener final : public pqxx::notification_receiver {
 public:
  explicit Listener(pqxx::connection& connection)
      : notification_receiver(connection, kChannel), own_pid_(connection.backendpid()) {}
  void operator()(const std::string&, int pid) override { heard_ = heard_ || pid != own_pid_; }
  bool take_heard() { return std::exchange(heard_, false); }

 private:
  int own_pid_;
  bool heard_ = false;
};

template <class Action>
struct Finally {
  explicit Finally(Action what) : action(std::move(what)) {}
  ~Finally() { action(); }
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  Action action;
};

class PostgresBus final : public domain::Bus {
 public:
  PostgresBus(const DatabaseOptions& options, Poster poster, telemetry::Metrics& metrics)
      : poster_(std::move(poster)),
        metrics_(metrics),
        url_(options.url),
        statement_timeout_(options.statement_timeout),
        link_(options.url, conninfo(options), metrics) {
    event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~PostgresBus() override {
    stop();
    ::close(event_);
  }

  void publish(const domain::CommitNotice&) override {
    if (!grew_.exchange(true)) wake();
  }
  void on_hint(std::function<void(std::optional<domain::LogHint>)> hint) override {
    hint_ = std::make_shared<std::function<void(std::optional<domain::LogHint>)>>(std::move(hint));
  }
  void start() override {
    thread_ = std::thread([this] { run(); });
  }
  void stop() override {
    stopping_ = true;
    wake();
    if (thread_.joinable()) thread_.join();
  }

 private:
  static std::string conninfo(const DatabaseOptions& options) {
    ConnectionSettings settings;
    settings.application_name = "belfry-bus";
    settings.statement_timeout = options.statement_timeout;
    settings.synchronous_commit = false;  // a hint that a crash loses is found by the sweep
    return make_conninfo(options.url, settings);
  }

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);  // full means: woken already
  }

  void hint() {
    if (hint_) {
      poster_([hint = hint_] {
        if (*hint) (*hint)(std::nullopt);
      });
    }
  }

  void run() {
    while (!stopping_) {
      try {
        serve(link_.get().raw());
      } catch (const std::exception& e) {
        metrics_.bus_alive.set(0);
        lost_ = true;
        if (!stopping_) telemetry::warn("bus_lost", {{"error", without_password(e.what(), url_)}});
        link_.drop();
      }
      if (!stopping_) wait(-1, std::max<Clock::duration>(link_.retry_at() - Clock::now(), kFirstPause), stop_only_);
    }
    link_.drop();
  }

  void serve(pqxx::connection& connection) {
    // Made under the watch: LISTEN is asked for in the constructor.
    std::optional<Watchdog::Watch> watch(std::in_place, watchdog_, connection.sock(), patience());
    Listener listener(connection);
    watch.reset();
    const Finally unlisten([&] { watch.emplace(watchdog_, connection.sock(), patience()); });  // so does its end
    metrics_.bus_alive.set(1);
    if (std::exchange(lost_, false)) telemetry::info("bus_restored");
    hint();  // what was said while nobody listened
    while (!stopping_) {
      if (grew_.exchange(false)) {
        say(connection, "NOTIFY belfry_grew");
      }
      connection.get_notifs();
      if (listener.take_heard()) hint();
      if (!wait(connection.sock(), kAskAlive, false)) {
        say(connection, "SELECT 1");
      }
    }
  }

  Clock::time_point patience() const { return Clock::now() + statement_timeout_ + std::chrono::seconds{1}; }

  void say(pqxx::connection& connection, const char* statement) {
    const Watchdog::Watch watch(watchdog_, connection.sock(), patience());
    pqxx::nontransaction transaction(connection);
    transaction.exec(statement);
  }

  /// True when something happened on the socket or the bus was woken; false when time passed. With `stop_only` (no
  /// connection) a publish does not end the wait.
  bool wait(int socket, Clock::duration longest, bool stop_only) {
    const auto until = Clock::now() + longest;
    while (!stopping_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) return false;
      pollfd fds[2] = {{event_, POLLIN, 0}, {socket, POLLIN, 0}};
      const int ready = ::poll(fds, socket < 0 ? 1 : 2, static_cast<int>(left));
      if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
      if ((fds[0].revents & POLLIN) != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(event_, &count, sizeof count);
      }
      if (ready > 0 && !stop_only) return true;
    }
    return true;
  }

  static constexpr bool stop_only_ = true;

  Poster poster_;
  telemetry::Metrics& metrics_;
  std::string url_;
  std::chrono::milliseconds statement_timeout_;
  Watchdog watchdog_;
  Link link_;
  std::shared_ptr<std::function<void(std::optional<domain::LogHint>)>> hint_;
  int event_ = -1;
  bool lost_ = false;  // the bus's thread only
  std::atomic<bool> grew_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class LocalBus final : public domain::Bus {
 public:
  void publish(const domain::CommitNotice&) override {}
  void on_hint(std::function<void(std::optional<domain::LogHint>)>) override {}
  void start() override {}
  void stop() override {}
};

}  // namespace

std::unique_ptr<domain::Bus> make_postgres_bus(const DatabaseOptions& options, Poster poster,
                                               telemetry::Metrics& metrics) {
  return std::make_unique<PostgresBus>(options, std::move(poster), metrics);
}

std::unique_ptr<domain::Bus> make_local_bus() { return std::make_unique<LocalBus>(); }

}  // namespace belfry::storage
