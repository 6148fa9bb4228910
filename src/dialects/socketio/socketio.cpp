#include "belfry/dialects/socketio.hpp"

#include <utility>

#include "dialects/socketio/encoder.hpp"
#include "dialects/socketio/engine_server.hpp"
#include "dialects/socketio/recovery_key.hpp"
#include "dialects/socketio/socket_client.hpp"

namespace belfry::dialects {

namespace socketio {
namespace {

using Post = std::function<void(std::move_only_function<void()>)>;

EngineServerOptions engine_options(const SocketIoOptions& options) {
  EngineServerOptions engine;
  engine.engine.ping_interval = options.ping_interval;
  engine.engine.ping_timeout = options.ping_timeout;
  engine.shard = options.shard;
  engine.max_sessions = options.max_sessions;
  engine.sessions_per_second = options.sessions_per_second;
  engine.allowed_origins = options.allowed_origins;
  return engine;
}

class SocketIoDialect final : public Dialect {
 public:
  SocketIoDialect(SocketIoOptions options, realtime::Hub& hub, domain::RoomReader& reader, domain::Database& database,
                  auth::Authenticator& authenticator, runtime::Wheel& wheel, const core::Clock& clock,
                  telemetry::Metrics& metrics, Post post)
      : key_(database),
        encoder_(options.commands.attachment_url_base, key_),
        parts_{.rooms = {options.commands, hub, reader, authenticator, wheel, clock, metrics, encoder_},
               .database = database,
               .key = key_,
               .post = post,
               .echo = options.test_echo},
        engine_(engine_options(options), wheel, clock, std::move(post), metrics,
                [this](FrameSink& sink, Caller caller) -> std::unique_ptr<Session> {
                  return std::make_unique<SocketClient>(parts_, sink, std::move(caller));
                }) {}

  std::string_view path() const override { return "/socket.io/"; }
  void authorize(const Handshake& handshake, AuthorizeDone done) override { done(engine_.admit(handshake)); }
  Requests* requests() override { return &engine_; }
  std::optional<std::size_t> shard_of(std::string_view query) const override { return engine_.shard_of(query); }
  void drain(std::chrono::milliseconds reconnect_within) override { engine_.drain(reconnect_within); }

 private:
  RecoveryKey key_;
  Encoder encoder_;
  SocketParts parts_;
  EngineServer engine_;
};

}  // namespace
}  // namespace socketio

std::unique_ptr<Dialect> make_socketio_dialect(SocketIoOptions options, realtime::Hub& hub, domain::RoomReader& reader,
                                               domain::Database& database, auth::Authenticator& authenticator,
                                               runtime::Wheel& wheel, const core::Clock& clock,
                                               telemetry::Metrics& metrics,
                                               std::function<void(std::move_only_function<void()>)> post) {
  return std::make_unique<socketio::SocketIoDialect>(std::move(options), hub, reader, database, authenticator, wheel,
                                                     clock, metrics, std::move(post));
}

}  // namespace belfry::dialects
