#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/core.h>

#include "belfry/storage/postgres.hpp"
#include "belfry/telemetry/log.hpp"
#include "storage/conninfo.hpp"
#include "storage/link.hpp"
#include "storage/watchdog.hpp"

namespace belfry::storage {
namespace {

constexpr std::chrono::milliseconds kLookEvery{1000};
constexpr std::chrono::seconds kPatience{10};

// Session locks, shared, so that nodes never wait for each other; pg_locks tells who holds one. They end with the
// connection, that is, with the node.
constexpr Statement kAnnounce{"presence_announce", R"sql(
  SELECT pg_advisory_lock_shared(1112296012, 1)
)sql"};
constexpr Statement kOthers{"presence_others", R"sql(
  SELECT count(*) FROM pg_locks
  WHERE locktype = 'advisory' AND classid = 1112296012 AND objid = 1 AND granted AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)sql"};

}  // namespace

class NodePresence::Impl {
 public:
  Impl(const DatabaseOptions& options, bool local, telemetry::Metrics& metrics)
      : local_(local), url_(options.url), link_(options.url, conninfo(options), metrics) {}

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  int others() const { return others_; }

  std::string conflict() const {
    const std::lock_guard lock(mutex_);
    return conflict_;
  }

 private:
  static std::string conninfo(const DatabaseOptions& options) {
    ConnectionSettings settings;
    settings.application_name = "belfry-presence";
    settings.statement_timeout = options.statement_timeout;
    return make_conninfo(options.url, settings);
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      std::string found;
      try {
        link_.retry_now();
        found = look(link_.get());
      } catch (const std::exception& e) {
        // The database's own health check says that it is away; who else is there cannot be known meanwhile.
        telemetry::debug("presence_not_told", {{"error", without_password(e.what(), url_)}});
        link_.drop();
        announced_ = false;
      }
      lock.lock();
      conflict_ = std::move(found);
      changed_.wait_for(lock, kLookEvery, [this] { return stopping_; });
    }
    lock.unlock();
    link_.drop();
  }

  std::string look(Connection& connection) {
    const Watchdog::Watch watch(watchdog_, connection.raw().sock(), Watchdog::Clock::now() + kPatience);
    pqxx::nontransaction transaction(connection.raw());
    Session session(connection, transaction);
    if (!announced_) session.run(kAnnounce);
    announced_ = true;
    others_ = session.run(kOthers).front()[0].as<int>();
    if (!local_ || others_ == 0) return {};
    return fmt::format(
        "{} other live node(s) on this database, and the bus `local` hears only itself: set BELFRY_BUS to "
        "`postgres` or `nats://…`, or stop the other node",
        others_.load());
  }

  bool local_;
  std::string url_;
  Watchdog watchdog_;
  Link link_;
  bool announced_ = false;
  std::atomic<int> others_{0};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string conflict_;
  bool stopping_ = false;
  std::thread thread_;
};

NodePresence::NodePresence(const DatabaseOptions& options, bool local, telemetry::Metrics& metrics)
    : impl_(std::make_unique<Impl>(options, local, metrics)) {}
NodePresence::~NodePresence() { impl_->stop(); }
void NodePresence::start() { impl_->start(); }
void NodePresence::stop() { impl_->stop(); }
std::string NodePresence::conflict() const { return impl_->conflict(); }
int NodePresence::others() const { return impl_->others(); }

}  // namespace belfry::storage
