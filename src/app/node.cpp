#include "app/node.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "app/commands.hpp"
#include "belfry/auth/grant_service.hpp"
#include "belfry/auth/jwt.hpp"
#include "belfry/dialects/native.hpp"
#include "belfry/net/server.hpp"
#include "belfry/outbound/http_client.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/realtime/nats_bus.hpp"
#include "belfry/realtime/room_reader.hpp"
#include "belfry/runtime/drive.hpp"
#include "belfry/runtime/wheel.hpp"
#include "belfry/telemetry/log.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::app {
namespace {

constexpr std::chrono::milliseconds kWatchInterval{250};
constexpr std::chrono::seconds kReminderInterval{30};
/// How often an external service is asked again about a subscription whose end it did not name.
constexpr std::chrono::seconds kRecheckInterval{60};
constexpr std::chrono::milliseconds kJoinPace{20};
/// Descriptors kept for the database, the log, the listeners and what the libraries open.
constexpr std::size_t kReservedDescriptors = 320;

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
  const auto descriptors = raise_descriptor_limit();
  const auto available = descriptors > 2 * kReservedDescriptors ? descriptors - kReservedDescriptors : descriptors / 2;
  if (available < limits.max_connections) {
    telemetry::info("connections_limited", {{"max", available}, {"descriptors", descriptors}});
    limits.max_connections = available;
  }
  return limits;
}

/// A key set by URL or from a file, which may be replaced while the server runs.
auth::JwksSource jwks_source(const std::string& place, outbound::HttpClient& client) {
  if (!place.starts_with("http://") && !place.starts_with("https://")) {
    return [place](std::move_only_function<void(core::Result<std::string>)> done) {
      auto text = config::read_small_file(place);
      if (text) return done(std::move(*text));
      done(core::fail(core::Error::unavailable("The key set file cannot be read: " + text.error())));
    };
  }
  return [place, &client](std::move_only_function<void(core::Result<std::string>)> done) {
    client.send({.url = place}, [done = std::move(done)](core::Result<outbound::HttpAnswer> answer) mutable {
      if (!answer) return done(core::fail(std::move(answer.error())));
      if (answer->status == 200) return done(std::move(answer->body));
      done(core::fail(
          core::Error::unavailable("The key set was answered with HTTP " + std::to_string(answer->status) + ".")));
    });
  };
}

std::unique_ptr<auth::GrantService> grant_service(const config::Settings& settings, outbound::HttpClient& client,
                                                  const core::Clock& clock, telemetry::Metrics& metrics) {
  if (!settings.entitlements_url) return nullptr;
  auth::GrantServiceOptions options;
  options.url = *settings.entitlements_url;
  const auto send = [&client](outbound::HttpCall call, auto done) { client.send(std::move(call), std::move(done)); };
  return std::make_unique<auth::GrantService>(std::move(options), send, clock, metrics);
}

auth::JwtOptions jwt_options(const config::Settings& settings, outbound::HttpClient& client) {
  auth::JwtOptions options;
  options.hs256_secret = settings.jwt_secret;
  if (settings.jwt_jwks) options.jwks = jwks_source(*settings.jwt_jwks, client);
  options.rules = {settings.jwt_issuer, settings.jwt_audience};
  return options;
}

dialects::NativeOptions native_options(const config::Settings& settings) {
  dialects::NativeOptions options;
  options.attachment_url_base = settings.attachment_base_url;
  options.command_burst = settings.ws_command_burst;
  options.command_rate = settings.ws_command_rate;
  return options;
}

realtime::RoomReaderOptions reader_options(const config::Settings& settings) {
  realtime::RoomReaderOptions options;
  options.max_bytes = static_cast<std::size_t>(settings.cache_mib) << 20;
  options.event_retention = settings.event_retention;
  options.external_grants = settings.entitlements_url.has_value();
  return options;
}

http::ServiceOptions api_options(const config::Settings& settings) {
  http::ServiceOptions options;
  options.attachment_url_base = settings.attachment_base_url;
  options.allowed_origins = settings.allowed_origins;
  options.ops_routes = !settings.ops_listen.has_value();
  return options;
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
        driver_(loop_, wheel_),
        bus_(make_bus()),
        client_(poster(), settings.outbound_ca),
        grants_(grant_service(settings, client_, clock_, metrics_)),
        database_(database_options(settings), poster(), metrics_, hooks(), grants_.get()),
        presence_(database_options(settings), settings.bus == config::Bus::kLocal, metrics_),
        authenticator_(auth::make_jwt_authenticator(jwt_options(settings, client_), clock_)),
        hub_(hub_options(), database_, wheel_, clock_, metrics_),
        reader_(realtime::make_room_reader(reader_options(settings), database_, hub_, clock_, metrics_)),
        native_(dialects::make_native_dialect(native_options(settings), hub_, *reader_, database_, *authenticator_,
                                              wheel_, clock_, metrics_)),
        api_(http::make_service(api_options(settings), parts())),
        limits_(network_limits(settings)),
        server_(loop_, wheel_, limits_, *api_, {native_.get()}, metrics_),
        signals_(loop_.context()) {
    if (settings.ops_listen) {
      ops_ = http::make_service(ops_options(), parts());
      ops_server_.emplace(loop_, wheel_, limits_, *ops_, std::vector<dialects::Dialect*>{}, metrics_);
    }
  }

  core::Result<void> start() {
    if (auto bound = listen(server_, settings_.listen); !bound) return bound;
    if (ops_server_) {
      if (auto bound = listen(*ops_server_, *settings_.ops_listen); !bound) return bound;
    }
    watch_signals();
    database_.start();
    presence_.start();
    bus_->on_hint([this](const std::optional<domain::LogHint>& hint) { hub_.on_hint(hint); });
    bus_->start();
    hub_.start();
    started_ = true;
    log_listening("listening", settings_.listen);
    if (ops_server_) log_listening("listening_ops", *settings_.ops_listen);
    watch_ = wheel_.after(kWatchInterval, [this] { watch_readiness(); });
    return {};
  }

  int run() {
    loop_.run(log_escaped);
    telemetry::info("stopped", {{"exit_code", exit_code_}});
    return exit_code_;
  }

  void stop(int exit_code) {
    if (stopping_) return;
    stopping_ = true;
    exit_code_ = exit_code;
    const auto plan = drain_plan();
    telemetry::info("draining", {{"connections", server_.connections()},
                                 {"other_nodes", presence_.others()},
                                 {"reconnect_within_ms", plan.reconnect_within.count()}});
    server_.drain(plan, [this] { drain_ops(); });
  }

  void when_ready(std::function<void()> ready) { when_ready_ = std::move(ready); }
  const config::Endpoint& listening() const { return settings_.listen; }
  runtime::Loop& loop() { return loop_; }

 private:
  storage::Poster poster() {
    return [this](std::move_only_function<void()> task) { loop_.post(std::move(task)); };
  }

  /// Called by the database only after `start`, when every member is there.
  storage::PostgresDatabase::Hooks hooks() {
    return {
        .on_commit = [this](std::shared_ptr<const domain::CommitNotice> notice) { hub_.on_commit(*notice); },
        .on_restored =
            [this] {
              reader_->on_database_restored();
              hub_.on_database_restored();
            },
        .on_grew = [this](const domain::CommitNotice& notice) { bus_->publish(notice); },
    };
  }

  std::unique_ptr<domain::Bus> make_bus() {
    if (settings_.bus == config::Bus::kLocal) return storage::make_local_bus();
    if (settings_.bus == config::Bus::kPostgres) {
      return storage::make_postgres_bus(database_options(settings_), poster(), metrics_);
    }
    realtime::NatsOptions options;
    options.servers = settings_.nats_servers;
    options.ca_file = settings_.bus_ca;
    options.deployment = [database = database_options(settings_)]() -> core::Result<realtime::NatsDeployment> {
      auto identity = storage::database_identity(database);
      if (!identity) return core::fail(std::move(identity.error()));
      return realtime::NatsDeployment{std::move(identity->name), std::move(identity->bus_key)};
    };
    return realtime::make_nats_bus(std::move(options), poster(), metrics_);
  }

  realtime::HubOptions hub_options() {
    realtime::HubOptions options;
    options.at_turn_end = [this](std::function<void()> hook) { loop_.at_turn_end(std::move(hook)); };
    options.last_pass = [this] { return server_.last_pass(); };
    options.join_pace = kJoinPace;
    options.soon = [this](std::chrono::microseconds delay, std::function<void()> task) {
      loop_.after(delay, std::move(task));
    };
    if (settings_.bus == config::Bus::kNats) options.bus = bus_.get();
    if (grants_) {
      options.recheck_interval = kRecheckInterval;
      options.on_access_changed = [this](core::UserId user) { grants_->forget(user); };
    }
    return options;
  }

  http::ServiceParts parts() {
    return {.database = database_,
            .authenticator = *authenticator_,
            .grant_provider = grants_.get(),
            .clock = clock_,
            .metrics = metrics_,
            .readiness = [this] { return readiness(); },
            .rooms = reader_.get()};
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

  http::Readiness readiness() const {
    if (stopping_) return {false, "the node is draining"};
    if (!started_) return {false, "the node is starting"};
    auto health = database_.health();
    if (!health.ready) return {false, one_line(health.reason)};
    if (!hub_.started()) return {false, "the rooms have not found the log's end yet"};
    auto conflict = presence_.conflict();
    return {conflict.empty(), one_line(conflict)};
  }

  net::DrainPlan drain_plan() const {
    const auto sockets = static_cast<std::size_t>(metrics_.ws_connections.value());
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
    metrics_.timers.set(static_cast<std::int64_t>(wheel_.size()));
    watch_ = wheel_.after(kWatchInterval, [this] { watch_readiness(); });
  }

  /// The ops address answers until the last client is gone.
  void drain_ops() {
    if (!ops_server_) return finish();
    ops_server_->drain({}, [this] { finish(); });
  }

  void finish() {
    // Not inside the server's own callback: what is stopped here may be what called.
    loop_.post([this] {
      watch_.cancel();
      hub_.stop();
      bus_->stop();
      presence_.stop();
      database_.stop();
      signals_.cancel();
      // Behind the answers that the database posted while it stopped.
      loop_.post([this] { loop_.stop(); });
    });
  }

  config::Settings settings_;
  core::SystemClock clock_;
  telemetry::Metrics metrics_;
  runtime::Loop loop_;
  runtime::Wheel wheel_;
  runtime::WheelDriver driver_;
  std::unique_ptr<domain::Bus> bus_;
  outbound::HttpClient client_;
  std::unique_ptr<auth::GrantService> grants_;
  storage::PostgresDatabase database_;
  storage::NodePresence presence_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  realtime::Hub hub_;
  std::unique_ptr<realtime::CachedRoomReader> reader_;
  std::unique_ptr<dialects::Dialect> native_;
  std::unique_ptr<http::Service> api_;
  std::unique_ptr<http::Service> ops_;
  net::Limits limits_;
  net::Server server_;
  std::optional<net::Server> ops_server_;
  boost::asio::signal_set signals_;
  runtime::Wheel::Timer watch_;
  std::function<void()> when_ready_;
  std::optional<http::Readiness> told_;
  std::chrono::steady_clock::time_point remind_at_;
  bool started_ = false;
  bool stopping_ = false;
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
