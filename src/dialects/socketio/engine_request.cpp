#include "dialects/socketio/engine_request.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace belfry::dialects::socketio {
namespace {

constexpr std::size_t kMaxSid = 64;

struct Named {
  std::string_view name;
  std::optional<std::string_view> value{};
};

bool sid_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

std::string_view engine_error_body(EngineError error) {
  constexpr std::array<std::string_view, 6> kBodies{R"({"code":0,"message":"Transport unknown"})",
                                                    R"({"code":1,"message":"Session ID unknown"})",
                                                    R"({"code":2,"message":"Bad handshake method"})",
                                                    R"({"code":3,"message":"Bad request"})",
                                                    R"({"code":4,"message":"Forbidden"})",
                                                    R"({"code":5,"message":"Unsupported protocol version"})"};
  return kBodies.at(static_cast<std::size_t>(error));
}

std::expected<EngineRequest, EngineError> decode_engine_query(std::string_view query) {
  std::array<Named, 3> wanted{{{"EIO"}, {"transport"}, {"sid"}}};
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const auto name = pair.substr(0, pair.find('='));
    const auto at = std::ranges::find(wanted, name, &Named::name);
    if (at == wanted.end()) continue;
    if (at->value) return std::unexpected(EngineError::kBadRequest);
    at->value = pair.substr(std::min(name.size() + 1, pair.size()));
  }
  const auto& [version, transport, sid] = wanted;
  if (transport.value != "polling" && transport.value != "websocket") {
    return std::unexpected(EngineError::kUnknownTransport);
  }
  if (version.value != "4") return std::unexpected(EngineError::kUnsupportedVersion);
  const auto id = sid.value.value_or("");
  if (id.size() > kMaxSid || !std::ranges::all_of(id, sid_character)) return std::unexpected(EngineError::kUnknownSid);
  return EngineRequest{transport.value == "polling" ? EngineTransport::kPolling : EngineTransport::kWebSocket,
                       std::string(id)};
}

}  // namespace belfry::dialects::socketio
