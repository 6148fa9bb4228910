#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "belfry/core/time.hpp"
#include "belfry/dialects/dialect.hpp"
#include "belfry/telemetry/metrics.hpp"
#include "dialects/commands/command_budget.hpp"
#include "dialects/socketio/engine_connection.hpp"
#include "dialects/socketio/engine_request.hpp"

namespace belfry::dialects::socketio {

/// What a session's first request said about the client.
struct Caller {
  std::optional<std::string> authorization;
  std::optional<std::string> origin;
};

struct EngineServerOptions {
  EngineOptions engine;
  std::size_t shard = 0;  ///< below 64: the first character of each sid
  /// That begin by polling, on this shard; beyond, and above the rate, a new one is refused with 503. The others are
  /// bounded by their connections, and admitted by `net`.
  std::size_t max_sessions = 18'000;
  int sessions_per_second = 2000;            ///< twice as many at once
  std::vector<std::string> allowed_origins;  ///< CORS; empty: none
};

/// The Engine.IO sessions of one shard: begins them, finds them again by their `sid`, answers what belongs to none. I/O
/// thread only.
class EngineServer final : public Requests {
 public:
  /// What runs over a new session; `sink` outlives it.
  using MakeSession = std::function<std::unique_ptr<Session>(FrameSink& sink, Caller caller)>;

  EngineServer(EngineServerOptions options, runtime::Wheel& wheel, const core::Clock& clock,
               std::function<void(std::move_only_function<void()>)> post, telemetry::Metrics& metrics,
               MakeSession make_session);
  EngineServer(const EngineServer&) = delete;
  EngineServer& operator=(const EngineServer&) = delete;
  ~EngineServer() override;

  std::move_only_function<void()> handle(PlainRequest request, Done done) override;
  /// A WebSocket for a new session, or the probe of one that is there.
  core::Result<std::unique_ptr<Entrance>> admit(const Handshake& handshake);
  std::optional<std::size_t> shard_of(std::string_view query) const;
  void drain(std::chrono::milliseconds reconnect_within);

 private:
  class NewLine;
  class ProbeLine;
  using ConnectionPtr = std::shared_ptr<EngineConnection>;

  Done with_headers(const PlainRequest& request, Done done) const;
  std::optional<std::string> allowed_origin(const std::optional<std::string>& origin) const;
  std::move_only_function<void()> begin_polling(PlainRequest request, Done done);
  ConnectionPtr make_connection(EngineTransport transport);
  void open(const ConnectionPtr& connection, Caller caller, Done answer);
  std::string new_sid() const;
  ConnectionPtr find(const std::string& sid) const;

  EngineServerOptions options_;
  EngineParts parts_;
  const core::Clock& clock_;
  commands::CommandBudget admission_;
  std::size_t polling_ = 0;  ///< that began so
  MakeSession make_session_;
  bool draining_ = false;
  std::unordered_map<std::string, ConnectionPtr> sessions_;
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace belfry::dialects::socketio
