#include "app/node.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "app/commands.hpp"
#include "app/io_thread.hpp"
#include "app/shard.hpp"
#include "belfry/auth/grant_service.hpp"
#include "belfry/net/server.hpp"
#include "belfry/outbound/http_client.hpp"
#include "belfry/realtime/nats_bus.hpp"
#include "belfry/realtime/shared_bus.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/log.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::app {
namespace {

constexpr std::chrono::milliseconds kWatchInterval{250};
constexpr std::chrono::seconds kReminderInterval{30};
constexpr std::chrono::seconds kPollSlack{10};
/// Descriptors kept for the database, the log, the listeners and what the libraries open; and for each loop.
constexpr std::size_t kReservedDescriptors = 320;
constexpr std::size_t kLoopDescriptors = 4;

/// Lifts the soft limit of open descriptors to the hard one; how many there may be then.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur == RLIM_INFINITY ? (std::size_t{1} << 20) : static_cast<std::size_t>(limit.rlim_cur);
}

net::Limits network_limits(const config::Settings& settings) {
  net::Limits limits;
  limits.handshakes_per_second = settings.ws_handshake_rate;
  // A GET is held until the next ping at the latest, which is an interval after the pong to the last one.
  const auto held = settings.socketio_ping_interval + settings.socketio_ping_timeout;
  limits.poll_timeout = std::max(limits.poll_timeout, std::chrono::ceil<std::chrono::seconds>(held) + kPollSlack);
  const auto descriptors = raise_descriptor_limit();
  const auto reserved = kReservedDescriptors + kLoopDescriptors * static_cast<std::size_t>(settings.io_threads - 1);
  const auto available = descriptors > 2 * reserved ? descriptors - reserved : descriptors / 2;
  if (available < limits.max_connections) {
    telemetry::info("connections_limited", {{"max", available}, {"descriptors", descriptors}});
    limits.max_connections = available;
  }
  return limits;
}

std::unique_ptr<auth::GrantService> grant_service(const config::Settings& settings, outbound::HttpClient& client,
                                                  const core::Clock& clock, telemetry::Metrics& metrics) {
  if (!settings.entitlements_url) return nullptr;
  auth::GrantServiceOptions options;
  options.url = *settings.entitlements_url;
  const auto send = [&client](outbound::HttpCall call, auto done) { client.send(std::move(call), std::move(done)); };
  return std::make_unique<auth::GrantService>(std::move(options), send, clock, metrics);
}

http::ServiceOptions ops_options() {
  http::ServiceOptions options;
  options.api_routes = false;
  return options;
}

void log_escaped(std::exception_ptr escaped) {
  try {
    std::rethrow_exception(std::move(escaped));
  } catch (const std::exception& error) {
    telemetry::error("handler_failed", {{"what", error.what()}});
  } catch (...) {
    telemetry::error("handler_failed", {{"what", "not an exception"}});
  }
}

}  // namespace

storage::DatabaseOptions database_options(const config::Settings& settings) {
  storage::DatabaseOptions options;
  options.url = settings.database_url;
  options.connections = settings.db_connections;
  options.event_retention = std::chrono::duration_cast<std::chrono::seconds>(settings.event_retention);
  return options;
}

/// Members stand in the order of their dependence: each is built on those above it and goes before them.
class Node::Impl {
 public:
  explicit Impl(const config::Settings& settings)
      : settings_(settings),
        others_(static_cast<std::size_t>(settings.io_threads - 1)),
        bus_(make_bus()),
        client_(home_.poster(), settings.outbound_ca),
        grants_(grant_service(settings, client_, clock_, metrics_)),
        database_(database_options(settings), home_.poster(), metrics_, hooks(), grants_.get()),
        presence_(database_options(settings), settings.bus == config::Bus::kLocal, metrics_),
        limits_(network_limits(settings)),
        signals_(home_.loop.context()) {
    make_shards();
    if (settings.ops_listen) {
      ops_ = http::make_service(ops_options(), first().parts());
      ops_server_.emplace(home_.loop, home_.wheel, limits_, *ops_, std::vector<dialects::Dialect*>{}, home_.metrics);
    }
  }
  ~Impl() { join(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  core::Result<void> start() {
    if (auto bound = listen(first().server(), settings_.listen); !bound) return bound;
    if (ops_server_) {
      if (auto bound = listen(*ops_server_, *settings_.ops_listen); !bound) return bound;
    }
    watch_signals();
    database_.start();
    presence_.start();
    for (auto& shard : shards_) shard->start();
    bus_->start();
    started_ = true;
    log_listening("listening", settings_.listen);
    if (ops_server_) log_listening("listening_ops", *settings_.ops_listen);
    watch_ = home_.wheel.after(kWatchInterval, [this] { watch_readiness(); });
    // Last: until here everything belongs to this thread.
    for (auto& io : others_) {
      io.thread = std::thread([&io] { io.loop.run(log_escaped); });
    }
    return {};
  }

  int run() {
    home_.loop.run(log_escaped);
    telemetry::info("stopped", {{"exit_code", exit_code_}});
    return exit_code_;
  }

  void stop(int exit_code) {
    if (stopping_) return;
    stopping_ = true;
    exit_code_ = exit_code;
    const auto plan = drain_plan();
    telemetry::info("draining", {{"connections", connections()},
                                 {"other_nodes", presence_.others()},
                                 {"reconnect_within_ms", plan.reconnect_within.count()}});
    // The first one first: it accepts for all, and what it dealt out is on its way in front of this.
    on_every_shard([plan](Shard& shard, auto done) { shard.server().drain(plan, std::move(done)); },
                   [this] { drain_ops(); });
  }

  void when_ready(std::function<void()> ready) { when_ready_ = std::move(ready); }
  const config::Endpoint& listening() const { return settings_.listen; }
  runtime::Loop& loop() { return home_.loop; }

 private:
  /// Called by the database only after `start`, when every member is there.
  storage::PostgresDatabase::Hooks hooks() {
    return {.on_grew = [this](const domain::CommitNotice& notice) { bus_->publish(notice); }};
  }

  std::unique_ptr<domain::Bus> make_bus() {
    if (settings_.bus == config::Bus::kLocal) return storage::make_local_bus();
    if (settings_.bus == config::Bus::kPostgres) {
      return storage::make_postgres_bus(database_options(settings_), home_.poster(), metrics_);
    }
    realtime::NatsOptions options;
    options.servers = settings_.nats_servers;
    options.ca_file = settings_.bus_ca;
    options.deployment = [database = database_options(settings_)]() -> core::Result<realtime::NatsDeployment> {
      auto identity = storage::database_identity(database);
      if (!identity) return core::fail(std::move(identity.error()));
      return realtime::NatsDeployment{std::move(identity->name), std::move(identity->bus_key)};
    };
    return realtime::make_nats_bus(std::move(options), home_.poster(), metrics_);
  }

  void make_shards() {
    std::vector<IoThread*> threads{&home_};
    for (auto& io : others_) threads.push_back(&io);
    std::vector<const telemetry::Metrics*> all{&metrics_};
    std::vector<realtime::SharedBus::Poster> posters;
    for (auto* io : threads) {
      all.push_back(&io->metrics);
      posters.push_back(io->poster());
    }
    counted_ = all;
    if (!others_.empty()) shared_bus_.emplace(*bus_, home_.poster(), std::move(posters));
    const NodeParts node{.settings = settings_,
                         .clock = clock_,
                         .home = home_,
                         .client = client_,
                         .database = database_,
                         .grants = grants_.get(),
                         .limits = net::share(limits_, settings_.io_threads),
                         .readiness = [this] { return readiness(); },
                         .all_metrics = std::move(all)};
    std::vector<net::Server*> servers;
    for (std::size_t i = 0; i < threads.size(); ++i) {
      auto& bus = shared_bus_ ? shared_bus_->port(i) : *bus_;
      shards_.push_back(std::make_unique<Shard>(*threads[i], node, bus, i));
      servers.push_back(&shards_.back()->server());
    }
    first().server().deal_to(servers);
    for (auto* server : servers) server->share_sessions(servers);
  }

  Shard& first() { return *shards_.front(); }

  /// `action(shard, done)` on each shard's thread, on the first one's at once; `then` here, once all of them are done.
  template <class Action>
  void on_every_shard(Action action, std::function<void()> then) {
    const auto left = std::make_shared<std::size_t>(shards_.size());
    const auto one_done = [left, then = std::move(then)] {
      if (--*left == 0) then();
    };
    action(first(), std::move_only_function<void()>(one_done));
    for (auto& shard : std::span(shards_).subspan(1)) {
      shard->io().loop.post([this, &shard = *shard, action, one_done] {
        action(shard, std::move_only_function<void()>([this, one_done] { home_.loop.post(one_done); }));
      });
    }
  }

  /// Puts the port that was really bound into `endpoint`.
  static core::Result<void> listen(net::Server& server, config::Endpoint& endpoint) {
    auto port = server.listen({endpoint.address, endpoint.port});
    if (!port) return core::fail(std::move(port.error()));
    endpoint.port = *port;
    return {};
  }

  static void log_listening(std::string_view event, const config::Endpoint& endpoint) {
    telemetry::info(event,
                    {{"address", endpoint.address}, {"port", endpoint.port}, {"url", "http://" + to_text(endpoint)}});
  }

  /// Any thread, once the node runs.
  http::Readiness readiness() const {
    if (stopping_) return {false, "the node is draining"};
    if (!started_) return {false, "the node is starting"};
    auto health = database_.health();
    if (!health.ready) return {false, one_line(health.reason)};
    if (!std::ranges::all_of(shards_, [](const auto& shard) { return shard->started(); })) {
      return {false, "the rooms have not found the log's end yet"};
    }
    auto conflict = presence_.conflict();
    return {conflict.empty(), one_line(conflict)};
  }

  std::int64_t connections() const {
    return telemetry::sum(counted_, &telemetry::Metrics::http_connections) +
           telemetry::sum(counted_, &telemetry::Metrics::ws_connections);
  }

  net::DrainPlan drain_plan() const {
    const auto sockets = static_cast<std::size_t>(telemetry::sum(counted_, &telemetry::Metrics::ws_connections));
    net::DrainPlan plan;
    plan.reconnect_within = net::reconnect_spread(sockets, limits_.handshakes_per_second, presence_.others());
    // Whoever can be served elsewhere stays until it is its turn. Nobody gains by that where this node is the only one:
    // the sooner it is gone, the sooner it is back.
    if (presence_.others() > 0) {
      plan.close_within =
          std::min<std::chrono::milliseconds>(plan.reconnect_within, limits_.drain_timeout - limits_.close_timeout);
    }
    return plan;
  }

  void watch_signals() {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    await_signal();
  }

  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (stopping_) {
        telemetry::warn("stopped_at_once", {{"signal", signal}});
        telemetry::shutdown_logging();
        ::_exit(128 + signal);
      }
      telemetry::info("signal", {{"signal", signal}});
      stop(0);
      await_signal();
    });
  }

  /// Tells the log when the node becomes ready or ceases to be, and now and then why it still is not.
  void watch_readiness() {
    const auto state = readiness();
    const auto now = std::chrono::steady_clock::now();
    const bool changed = !told_ || told_->ready != state.ready || told_->reason != state.reason;
    if (changed || (!state.ready && now >= remind_at_)) {
      if (state.ready) {
        telemetry::info("ready");
        if (when_ready_) std::exchange(when_ready_, nullptr)();
      } else if (!stopping_) {
        telemetry::warn("not_ready", {{"reason", state.reason}});
      }
      remind_at_ = now + kReminderInterval;
      told_ = state;
    }
    watch_ = home_.wheel.after(kWatchInterval, [this] { watch_readiness(); });
  }

  /// The ops address answers until the last client is gone.
  void drain_ops() {
    if (!ops_server_) return finish();
    ops_server_->drain({}, [this] { finish(); });
  }

  void finish() {
    // Not inside the server's own callback: what is stopped here may be what called.
    home_.loop.post([this] {
      watch_.cancel();
      on_every_shard(
          [](Shard& shard, auto done) {
            shard.stop();
            done();
          },
          [this] { halt(); });
    });
  }

  /// Nobody asks any more.
  void halt() {
    bus_->stop();
    presence_.stop();
    database_.stop();
    signals_.cancel();
    // Behind the answers that the database posted while it stopped.
    for (auto& io : others_) {
      io.loop.post([&io] { io.loop.stop(); });
    }
    for (auto& io : others_) io.thread.join();
    home_.loop.post([this] { home_.loop.stop(); });
  }

  /// For a node that goes without having been stopped.
  void join() {
    for (auto& io : others_) {
      io.loop.stop();
      if (io.thread.joinable()) io.thread.join();
    }
  }

  config::Settings settings_;
  core::SystemClock clock_;
  telemetry::Metrics metrics_;  ///< what no shard counts
  std::deque<IoThread> others_;
  IoThread home_;  ///< goes before the others: what is on its way to them may hold their sockets
  std::unique_ptr<domain::Bus> bus_;
  std::optional<realtime::SharedBus> shared_bus_;  ///< where there are several shards
  outbound::HttpClient client_;
  std::unique_ptr<auth::GrantService> grants_;
  storage::PostgresDatabase database_;
  storage::NodePresence presence_;
  net::Limits limits_;
  std::vector<std::unique_ptr<Shard>> shards_;      ///< the first one on `home_`
  std::vector<const telemetry::Metrics*> counted_;  ///< all that is counted
  std::unique_ptr<http::Service> ops_;
  std::optional<net::Server> ops_server_;
  boost::asio::signal_set signals_;
  runtime::Wheel::Timer watch_;
  std::function<void()> when_ready_;
  std::optional<http::Readiness> told_;
  std::chrono::steady_clock::time_point remind_at_;
  std::atomic<bool> started_ = false;
  std::atomic<bool> stopping_ = false;
  int exit_code_ = 0;
};

Node::Node(const config::Settings& settings) : impl_(std::make_unique<Impl>(settings)) {}
Node::~Node() = default;
core::Result<void> Node::start() { return impl_->start(); }
void Node::when_ready(std::function<void()> ready) { impl_->when_ready(std::move(ready)); }
const config::Endpoint& Node::listening() const { return impl_->listening(); }
int Node::run() { return impl_->run(); }
void Node::stop(int exit_code) { impl_->stop(exit_code); }
runtime::Loop& Node::loop() { return impl_->loop(); }

}  // namespace belfry::app
