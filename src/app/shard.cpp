#include "app/shard.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "belfry/auth/jwt.hpp"
#include "belfry/dialects/native.hpp"
#include "belfry/dialects/socketio.hpp"

namespace belfry::app {
namespace {

constexpr std::chrono::milliseconds kWatchInterval{250};
/// How often an external service is asked again about a subscription whose end it did not name.
constexpr std::chrono::seconds kRecheckInterval{60};
constexpr std::chrono::milliseconds kJoinPace{20};

using Poster = storage::Poster;

/// A key set by URL or from a file, which may be replaced while the server runs.
auth::JwksSource jwks_source(const std::string& place, outbound::HttpClient& client, Poster back) {
  if (!place.starts_with("http://") && !place.starts_with("https://")) {
    return [place](std::move_only_function<void(core::Result<std::string>)> done) {
      auto text = config::read_small_file(place);
      if (text) return done(std::move(*text));
      done(core::fail(core::Error::unavailable("The key set file cannot be read: " + text.error())));
    };
  }
  return [place, &client, back = std::move(back)](std::move_only_function<void(core::Result<std::string>)> done) {
    client.send({.url = place}, [back, done = std::move(done)](core::Result<outbound::HttpAnswer> answer) mutable {
      back([done = std::move(done), answer = std::move(answer)]() mutable {
        if (!answer) return done(core::fail(std::move(answer.error())));
        if (answer->status == 200) return done(std::move(answer->body));
        done(core::fail(
            core::Error::unavailable("The key set was answered with HTTP " + std::to_string(answer->status) + ".")));
      });
    });
  };
}

auth::JwtOptions jwt_options(const config::Settings& settings, outbound::HttpClient& client, Poster back) {
  auth::JwtOptions options;
  options.hs256_secret = settings.jwt_secret;
  if (settings.jwt_jwks) options.jwks = jwks_source(*settings.jwt_jwks, client, std::move(back));
  options.rules = {settings.jwt_issuer, settings.jwt_audience};
  return options;
}

dialects::CommandOptions command_options(const config::Settings& settings) {
  dialects::CommandOptions options;
  options.attachment_url_base = settings.attachment_base_url;
  options.command_burst = settings.ws_command_burst;
  options.command_rate = settings.ws_command_rate;
  return options;
}

dialects::SocketIoOptions socketio_options(const NodeParts& node, std::size_t shard) {
  dialects::SocketIoOptions options;
  options.commands = command_options(node.settings);
  options.ping_interval = node.settings.socketio_ping_interval;
  options.ping_timeout = node.settings.socketio_ping_timeout;
  options.shard = shard;
  options.max_sessions = node.limits.max_connections;
  options.sessions_per_second = node.limits.handshakes_per_second;
  options.allowed_origins = node.settings.allowed_origins;
  options.test_echo = node.settings.test_echo;
  return options;
}

realtime::RoomReaderOptions reader_options(const config::Settings& settings) {
  const auto shards = static_cast<std::size_t>(settings.io_threads);
  realtime::RoomReaderOptions options;
  options.max_bytes = (static_cast<std::size_t>(settings.cache_mib) << 20) / shards;
  options.max_decisions = options.max_decisions / shards;
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

/// The node's grants for a shard on another thread: there and back.
class RemoteGrants final : public domain::GrantProvider {
 public:
  RemoteGrants(domain::GrantProvider& provider, Poster there, Poster back)
      : provider_(provider), there_(std::move(there)), back_(std::move(back)) {}

  void ask(std::vector<domain::GrantQuestion> questions, bool fresh,
           std::move_only_function<void(core::Result<Answers>)> done) override {
    there_([&provider = provider_, back = back_, questions = std::move(questions), fresh,
            done = std::move(done)]() mutable {
      provider.ask(
          std::move(questions), fresh,
          [back = std::move(back), done = std::move(done)](core::Result<Answers> answers) mutable {
            back([done = std::move(done), answers = std::move(answers)]() mutable { done(std::move(answers)); });
          });
    });
  }

 private:
  domain::GrantProvider& provider_;
  Poster there_;
  Poster back_;
};

std::unique_ptr<domain::GrantProvider> remote_grants(const NodeParts& node, IoThread& io) {
  if (node.grants == nullptr || &io == &node.home) return nullptr;
  return std::make_unique<RemoteGrants>(*node.grants, node.home.poster(), io.poster());
}

}  // namespace

Shard::Shard(IoThread& io, const NodeParts& node, domain::Bus& bus, std::size_t index)
    : io_(io),
      bus_(bus),
      database_(node.database.port(io.poster(), hooks())),
      remote_grants_(remote_grants(node, io)),
      authenticator_(auth::make_jwt_authenticator(jwt_options(node.settings, node.client, io.poster()), node.clock)),
      hub_(hub_options(node), *database_, io.wheel, node.clock, io.metrics),
      reader_(realtime::make_room_reader(reader_options(node.settings), *database_, hub_, node.clock, io.metrics)),
      native_(dialects::make_native_dialect(command_options(node.settings), hub_, *reader_, *database_, *authenticator_,
                                            io.wheel, node.clock, io.metrics)),
      socketio_(dialects::make_socketio_dialect(socketio_options(node, index), hub_, *reader_, *database_,
                                                *authenticator_, io.wheel, node.clock, io.metrics, io.poster())),
      parts_{.database = *database_,
             .authenticator = *authenticator_,
             .grant_provider = remote_grants_ ? remote_grants_.get() : node.grants,
             .clock = node.clock,
             .metrics = io.metrics,
             .readiness = node.readiness,
             .rooms = reader_.get(),
             .all_metrics = node.all_metrics},
      api_(http::make_service(api_options(node.settings), parts_)),
      server_(io.loop, io.wheel, node.limits, *api_, {native_.get(), socketio_.get()}, io.metrics) {}

void Shard::start() {
  bus_.on_hint([this](const std::optional<domain::LogHint>& hint) { hub_.on_hint(hint); });
  hub_.start();
  watch_timers();
}

void Shard::stop() {
  watch_.cancel();
  hub_.stop();
}

/// Called only between `start` and the end of the loop, when every member is there.
storage::PostgresDatabase::PortHooks Shard::hooks() {
  return {
      .on_commit = [this](const std::shared_ptr<const domain::CommitNotice>& notice) { hub_.on_commit(*notice); },
      .on_restored =
          [this] {
            reader_->on_database_restored();
            hub_.on_database_restored();
          },
  };
}

realtime::HubOptions Shard::hub_options(const NodeParts& node) {
  realtime::HubOptions options;
  options.at_turn_end = [this](std::function<void()> hook) { io_.loop.at_turn_end(std::move(hook)); };
  options.last_pass = [this] { return server_.last_pass(); };
  options.join_pace = kJoinPace;
  options.soon = [this](std::chrono::microseconds delay, std::function<void()> task) {
    io_.loop.after(delay, std::move(task));
  };
  if (node.settings.bus == config::Bus::kNats) options.bus = &bus_;
  if (node.grants == nullptr) return options;
  options.recheck_interval = kRecheckInterval;
  options.external_grants = true;
  if (&io_ == &node.home) {
    options.on_access_changed = [grants = node.grants](core::UserId user) { grants->forget(user); };
  } else {
    // In front of whatever this shard asks about that user afterwards: questions go home the same way, later.
    options.on_access_changed = [grants = node.grants, home = node.home.poster()](core::UserId user) {
      home([grants, user] { grants->forget(user); });
    };
  }
  return options;
}

void Shard::watch_timers() {
  io_.metrics.timers.set(static_cast<std::int64_t>(io_.wheel.size()));
  watch_ = io_.wheel.after(kWatchInterval, [this] { watch_timers(); });
}

}  // namespace belfry::app
