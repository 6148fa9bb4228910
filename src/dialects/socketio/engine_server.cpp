#include "dialects/socketio/engine_server.hpp"

#include <algorithm>
#include <utility>

#include "belfry/auth/authenticator.hpp"
#include "dialects/commands/credentials.hpp"

namespace belfry::dialects::socketio {
namespace {

using core::Error;

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 120 random bits: a sid is a right.
constexpr std::size_t kRandomCharacters = 20;
constexpr std::string_view kMethods = "GET, POST, OPTIONS";

PlainAnswer refusal(EngineError error) {
  PlainAnswer answer;
  answer.status = error == EngineError::kForbidden ? 403 : 400;
  answer.content_type = "application/json";
  answer.body = engine_error_body(error);
  return answer;
}

PlainAnswer bare(int status) {
  PlainAnswer answer;
  answer.status = status;
  answer.content_type.clear();
  return answer;
}

PlainAnswer busy() {
  auto answer = bare(503);
  answer.headers.emplace_back("Retry-After", "5");
  return answer;
}

Error bad_handshake(EngineError error) {
  Error refused;
  refused.code = core::ErrorCode::kMalformed;
  refused.message = error == EngineError::kUnknownSid ? "The session is unknown." : "The handshake is not valid.";
  return refused;
}

}  // namespace

/// The WebSocket of a session that begins with it.
class EngineServer::NewLine final : public Entrance {
 public:
  NewLine(EngineServer& server, Caller caller) : server_(server), caller_(std::move(caller)) {}
  std::unique_ptr<Session> open(FrameSink& sink) override {
    const auto connection = server_.make_connection(EngineTransport::kWebSocket);
    auto line = std::make_unique<EngineLine>(connection, sink);
    connection->attach(*line);
    server_.open(connection, std::move(caller_), {});
    return line;
  }

 private:
  EngineServer& server_;
  Caller caller_;
};

/// The WebSocket that a polling session may go on by.
class EngineServer::ProbeLine final : public Entrance {
 public:
  explicit ProbeLine(ConnectionPtr connection) : connection_(std::move(connection)) {}
  std::unique_ptr<Session> open(FrameSink& sink) override {
    auto line = std::make_unique<EngineLine>(connection_, sink);
    if (connection_->may_probe()) {
      connection_->probe(*line);
    } else {
      sink.close(CloseCode::kProtocolError, "");
    }
    return line;
  }

 private:
  ConnectionPtr connection_;
};

EngineServer::EngineServer(EngineServerOptions options, runtime::Wheel& wheel, const core::Clock& clock,
                           std::function<void(std::move_only_function<void()>)> post, telemetry::Metrics& metrics,
                           MakeSession make_session)
    : options_(std::move(options)),
      parts_{options_.engine, wheel, std::move(post), metrics},
      clock_(clock),
      admission_(2 * options_.sessions_per_second, options_.sessions_per_second, clock.now()),
      make_session_(std::move(make_session)) {}

/// What still waits in the loop holds connections: the sessions above them must not outlive the rooms.
EngineServer::~EngineServer() {
  for (const auto& [sid, connection] : std::exchange(sessions_, {})) connection->abandon();
}

std::move_only_function<void()> EngineServer::handle(PlainRequest request, Done done) {
  done = with_headers(request, std::move(done));
  const auto refuse = [&](PlainAnswer answer) -> std::move_only_function<void()> {
    done(std::move(answer));
    return {};
  };
  if (request.method == "OPTIONS") {
    auto answer = bare(204);
    if (allowed_origin(request.origin)) {
      answer.headers.emplace_back("Access-Control-Allow-Methods", kMethods);
      answer.headers.emplace_back("Access-Control-Allow-Headers", "Authorization, Content-Type");
      answer.headers.emplace_back("Access-Control-Max-Age", "600");
    } else {
      answer.headers.emplace_back("Allow", kMethods);
    }
    return refuse(std::move(answer));
  }
  const auto asked = decode_engine_query(request.query);
  if (!asked) return refuse(refusal(asked.error()));
  if (!commands::ticket_in(request.query)) return refuse(refusal(EngineError::kForbidden));
  if (asked->transport != EngineTransport::kPolling) return refuse(refusal(EngineError::kBadRequest));
  const bool known_method = request.method == "GET" || (request.method == "POST" && !asked->sid.empty());
  if (!known_method) return refuse(refusal(EngineError::kBadMethod));
  if (asked->sid.empty()) return begin_polling(std::move(request), std::move(done));
  const auto connection = find(asked->sid);
  if (!connection) return refuse(refusal(EngineError::kUnknownSid));
  if (request.method == "GET") return connection->get(std::move(done));
  connection->post(request.body, std::move(done));
  return {};
}

/// Every answer is for one client and one moment.
EngineServer::Done EngineServer::with_headers(const PlainRequest& request, Done done) const {
  return [origin = allowed_origin(request.origin), cors = !options_.allowed_origins.empty(),
          done = std::move(done)](PlainAnswer answer) mutable {
    answer.headers.emplace_back("Cache-Control", "no-store");
    if (cors) answer.headers.emplace_back("Vary", "Origin");
    if (origin) answer.headers.emplace_back("Access-Control-Allow-Origin", std::move(*origin));
    done(std::move(answer));
  };
}

std::optional<std::string> EngineServer::allowed_origin(const std::optional<std::string>& origin) const {
  const auto& allowed = options_.allowed_origins;
  if (!origin || std::ranges::find(allowed, *origin) == allowed.end()) return std::nullopt;
  return origin;
}

std::move_only_function<void()> EngineServer::begin_polling(PlainRequest request, Done done) {
  if (draining_ || polling_ >= options_.max_sessions || !admission_.take(clock_.now())) {
    parts_.metrics.ws_handshakes_refused.add();
    done(busy());
    return {};
  }
  ++polling_;
  open(make_connection(EngineTransport::kPolling), {std::move(request.authorization), std::move(request.origin)},
       std::move(done));
  return {};
}

core::Result<std::unique_ptr<Entrance>> EngineServer::admit(const Handshake& handshake) {
  const auto asked = decode_engine_query(handshake.query);
  if (!asked) return core::fail(bad_handshake(asked.error()));
  if (auto ticket = commands::ticket_in(handshake.query); !ticket) return core::fail(std::move(ticket.error()));
  if (asked->transport != EngineTransport::kWebSocket) return core::fail(bad_handshake(EngineError::kBadRequest));
  if (!asked->sid.empty()) {
    auto connection = find(asked->sid);
    if (!connection || !connection->may_probe()) return core::fail(bad_handshake(EngineError::kUnknownSid));
    return std::make_unique<ProbeLine>(std::move(connection));
  }
  return std::make_unique<NewLine>(*this, Caller{handshake.authorization, handshake.origin});
}

EngineServer::ConnectionPtr EngineServer::make_connection(EngineTransport transport) {
  auto connection = std::make_shared<EngineConnection>(parts_, new_sid(), transport);
  sessions_.emplace(connection->sid(), connection);
  parts_.metrics.socketio_sessions.add();
  return connection;
}

void EngineServer::open(const ConnectionPtr& connection, Caller caller, Done answer) {
  const bool polls = answer != nullptr;
  connection->open(make_session_(*connection, std::move(caller)), std::move(answer),
                   [this, polls, sid = connection->sid()] {
                     sessions_.erase(sid);
                     if (polls) --polling_;
                     parts_.metrics.socketio_sessions.sub();
                   });
}

std::string EngineServer::new_sid() const {
  return std::string(1, kDigits.at(options_.shard)) + auth::make_secret().substr(0, kRandomCharacters);
}

EngineServer::ConnectionPtr EngineServer::find(const std::string& sid) const {
  const auto at = sessions_.find(sid);
  return at == sessions_.end() ? nullptr : at->second;
}

std::optional<std::size_t> EngineServer::shard_of(std::string_view query) const {
  const auto asked = decode_engine_query(query);
  if (!asked || asked->sid.empty()) return std::nullopt;
  const auto shard = kDigits.find(asked->sid.front());
  return shard == std::string_view::npos ? std::nullopt : std::optional(shard);
}

void EngineServer::drain(std::chrono::milliseconds reconnect_within) {
  draining_ = true;
  std::uniform_int_distribution<std::int64_t> delay(0, std::max<std::int64_t>(0, reconnect_within.count()));
  std::vector<ConnectionPtr> polling;
  for (const auto& [sid, connection] : sessions_) {
    if (connection->polling()) polling.push_back(connection);
  }
  for (const auto& connection : polling) connection->drain_polling(std::chrono::milliseconds(delay(random_)));
}

}  // namespace belfry::dialects::socketio
