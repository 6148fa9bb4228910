#include <algorithm>
#include <array>

#include "config/values.hpp"

/// The one table of settings. To add one: a member of Settings and a row here.
namespace belfry::config {
namespace {

template <auto Member>
bool endpoint(Settings& settings, std::string_view text) {
  const auto value = parse_endpoint(text);
  if (value) settings.*Member = *value;
  return value.has_value();
}

template <auto Member, std::int64_t Min, std::int64_t Max>
bool integer(Settings& settings, std::string_view text) {
  const auto value = parse_integer(text);
  if (!value || *value < Min || *value > Max) return false;
  settings.*Member = static_cast<int>(*value);
  return true;
}

template <auto Member, std::int64_t MinSeconds, std::int64_t MaxSeconds>
bool whole_seconds(Settings& settings, std::string_view text) {
  const auto value = parse_duration(text);
  if (!value || value->count() % 1000 != 0) return false;
  if (*value < std::chrono::seconds(MinSeconds) || *value > std::chrono::seconds(MaxSeconds)) return false;
  settings.*Member = *value;
  return true;
}

template <auto Member, std::int64_t MinMilliseconds, std::int64_t MaxMilliseconds>
bool duration(Settings& settings, std::string_view text) {
  const auto value = parse_duration(text);
  if (!value || value->count() < MinMilliseconds || value->count() > MaxMilliseconds) return false;
  settings.*Member = *value;
  return true;
}

template <auto Member>
bool boolean(Settings& settings, std::string_view text) {
  const auto value = parse_boolean(text);
  if (value) settings.*Member = *value;
  return value.has_value();
}

template <auto Member, std::size_t Min, std::size_t Max>
bool text_of(Settings& settings, std::string_view text) {
  if (text.size() < Min || text.size() > Max || text.find('\0') != std::string_view::npos) return false;
  settings.*Member = std::string(text);
  return true;
}

template <auto Member>
bool base_url(Settings& settings, std::string_view text) {
  if (!is_base_url(text)) return false;
  settings.*Member = std::string(text);
  return true;
}

template <auto Member>
bool origins(Settings& settings, std::string_view text) {
  auto items = split_list(text);
  if (!items || items->size() > 100 || !std::ranges::all_of(*items, is_origin)) return false;
  settings.*Member = std::move(*items);
  return true;
}

bool bus(Settings& settings, std::string_view text) {
  settings.nats_servers.clear();
  if (text.starts_with("nats://") || text.starts_with("tls://")) {
    auto servers = parse_nats_servers(text);
    if (!servers) return false;
    settings.bus = Bus::kNats;
    settings.nats_servers = std::move(*servers);
    return true;
  }
  if (text != "postgres" && text != "local") return false;
  settings.bus = text == "local" ? Bus::kLocal : Bus::kPostgres;
  return true;
}

bool entitlements(Settings& settings, std::string_view text) {
  settings.entitlements_url.reset();
  if (text == "postgres") return true;
  if (!is_base_url(text)) return false;
  settings.entitlements_url = std::string(text);
  return true;
}

bool log_level(Settings& settings, std::string_view text) {
  constexpr std::array<std::string_view, 5> names{"debug", "info", "warn", "error", "off"};
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return false;
  settings.log_level = static_cast<LogLevel>(found - names.begin());
  return true;
}

bool log_format(Settings& settings, std::string_view text) {
  if (text != "json" && text != "text") return false;
  settings.log_format = text == "json" ? LogFormat::kJson : LogFormat::kText;
  return true;
}

constexpr std::int64_t kYear = 365LL * 24 * 3600;

constexpr std::array kKeys{
    Key{.name = "listen",
        .type = "address",
        .default_value = "127.0.0.1:8080",
        .allowed = "an IP address and a port: 0.0.0.0:8080, [::1]:8080; port 0 takes any free one",
        .description =
            "Where the API and the rooms are served. The log line `listening` names the port that was bound.",
        .apply = endpoint<&Settings::listen>},
    Key{.name = "ops_listen",
        .type = "address",
        .default_value = "",
        .allowed = "an IP address and a port: 127.0.0.1:9090",
        .description =
            "Moves /healthz, /readyz and /metrics to an address of their own. Not set: they are served at `listen`.",
        .apply = endpoint<&Settings::ops_listen>},
    Key{.name = "database_url",
        .type = "text",
        .default_value = "postgresql:///belfry",
        .allowed = "a libpq connection string of 1 to 4096 bytes: postgresql://user:password@host:5432/name",
        .description = "The PostgreSQL database, version 15 or later. A secret because it may carry a password.",
        .secret = true,
        .apply = text_of<&Settings::database_url, 1, 4096>},
    Key{.name = "db_connections",
        .type = "integer",
        .default_value = "8",
        .allowed = "2 to 256",
        .description = "Connections for requests, about five in eight for reads. The process opens a few more: for "
                       "message batches, for the bus, for "
                       "housekeeping.",
        .apply = integer<&Settings::db_connections, 2, 256>},
    Key{.name = "bus",
        .type = "text",
        .default_value = "postgres",
        .allowed = "postgres, local, or up to 16 servers: nats://[user:password@]host:port[,host:port], or tls://…",
        .description =
            "How nodes tell each other that a log grew. `local` is for a single process: a second node on the same "
            "database makes it not ready. NATS is for many nodes: a node hears only of the rooms that somebody on it "
            "reads. With `tls://` what is said is encrypted and the server must show a certificate for its host. A "
            "user and password in the address are never shown; a flag is seen by everybody on the machine, so "
            "give them by variable or file.",
        .apply = bus},
    Key{.name = "bus_ca",
        .type = "text",
        .default_value = "",
        .allowed = "the path of a PEM file, at most 4096 bytes",
        .description = "Certificates that a bus of `tls://` servers trusts. Not set: the system's.",
        .apply = text_of<&Settings::bus_ca, 1, 4096>},
    Key{.name = "io_threads",
        .type = "integer",
        .default_value = "1",
        .allowed = "1 to 64",
        .description =
            "Threads that serve connections, each with its own; they are dealt out in turn. More than there are "
            "processors is no use. The limits of connections and handshakes are divided among them, and so is "
            "`cache_mib`; each looks for new events in the database by itself, as a node of its own would.",
        .apply = integer<&Settings::io_threads, 1, 64>},
    Key{.name = "cache_mib",
        .type = "integer",
        .default_value = "64",
        .allowed = "0 to 65536, in MiB",
        .description =
            "Memory for pages and replays that many ask for at once. They are served only after the database "
            "has said that nothing is newer. 0: every read is a job of its own.",
        .apply = integer<&Settings::cache_mib, 0, 65536>},
    Key{.name = "event_retention",
        .type = "duration",
        .default_value = "7d",
        .allowed = "1s to 365d, in whole seconds",
        .description =
            "How long a client may be away and still resume from its last event. Older events are reported as a gap.",
        .apply = whole_seconds<&Settings::event_retention, 1, kYear>},
    Key{.name = "jwt_secret",
        .type = "text",
        .default_value = "",
        .allowed = "32 to 4096 bytes",
        .description = "Shared secret that verifies HS256 tokens. `serve` needs it or `jwt_jwks`.",
        .secret = true,
        .apply = text_of<&Settings::jwt_secret, 32, 4096>},
    Key{.name = "jwt_jwks",
        .type = "text",
        .default_value = "",
        .allowed = "the path of a file or an http or https URL, at most 2048 bytes",
        .description =
            "Key set (JWKS) that verifies RS256, ES256 and EdDSA tokens. Read again every ten minutes and, at most "
            "every ten seconds, when a token names a key that is not in it.",
        .apply = text_of<&Settings::jwt_jwks, 1, 2048>},
    Key{.name = "jwt_issuer",
        .type = "text",
        .default_value = "",
        .allowed = "1 to 512 bytes",
        .description = "When set, a token must carry exactly this `iss`.",
        .apply = text_of<&Settings::jwt_issuer, 1, 512>},
    Key{.name = "jwt_audience",
        .type = "text",
        .default_value = "",
        .allowed = "1 to 512 bytes",
        .description = "When set, a token must carry this `aud`, alone or in a list.",
        .apply = text_of<&Settings::jwt_audience, 1, 512>},
    Key{.name = "entitlements",
        .type = "text",
        .default_value = "postgres",
        .allowed = "postgres, or an http or https URL",
        .description =
            "Who knows what users are entitled to: our own table, or a service that is asked by POST. While the "
            "service cannot answer, what needs it is answered 503, never allowed.",
        .apply = entitlements},
    Key{.name = "outbound_ca",
        .type = "text",
        .default_value = "",
        .allowed = "the path of a PEM file, at most 4096 bytes",
        .description = "Certificates that calls to `jwt_jwks` and `entitlements` trust. Not set: the system's.",
        .apply = text_of<&Settings::outbound_ca, 1, 4096>},
    Key{.name = "attachment_base_url",
        .type = "url",
        .default_value = "",
        .allowed = "an http or https URL without query or fragment, at most 2048 bytes",
        .description = "Put in front of an attachment's storage key to make its `url`. Not set: `url` is null.",
        .apply = base_url<&Settings::attachment_base_url>},
    Key{.name = "allowed_origins",
        .type = "list",
        .default_value = "",
        .allowed = "origins between commas, at most 100: https://app.example.org,http://localhost:3000",
        .description = "Browser origins that may call the API (CORS). Not set: none.",
        .apply = origins<&Settings::allowed_origins>},
    Key{.name = "ws_handshake_rate",
        .type = "integer",
        .default_value = "2000",
        .allowed = "1 to 100000, per second",
        .description =
            "WebSocket handshakes that a node admits, twice as many at once after a pause. The others are answered 503 "
            "with a time to come back; so are Socket.IO sessions that begin by polling, which are counted apart. A "
            "node that "
            "stops spreads its clients by it as well: set it alike on all nodes.",
        .apply = integer<&Settings::ws_handshake_rate, 1, 100000>},
    Key{.name = "ws_command_burst",
        .type = "integer",
        .default_value = "50",
        .allowed = "1 to 100000",
        .description = "Commands that a connection may send at once before it is closed: with 4029, over Socket.IO by "
                       "a disconnect.",
        .apply = integer<&Settings::ws_command_burst, 1, 100000>},
    Key{.name = "ws_command_rate",
        .type = "integer",
        .default_value = "20",
        .allowed = "1 to 100000, per second",
        .description = "Commands per second that a connection regains.",
        .apply = integer<&Settings::ws_command_rate, 1, 100000>},
    Key{.name = "socketio_ping_interval",
        .type = "duration",
        .default_value = "25s",
        .allowed = "100ms to 5m",
        .description =
            "How often a Socket.IO client is asked for a sign of life. A proxy that cuts silent connections sooner "
            "needs less.",
        .apply = duration<&Settings::socketio_ping_interval, 100, 300'000>},
    Key{.name = "socketio_ping_timeout",
        .type = "duration",
        .default_value = "20s",
        .allowed = "100ms to 5m",
        .description =
            "How long the answer of a Socket.IO client may take before its session is over. The client waits for the "
            "next question as long as this and `socketio_ping_interval` together, then it connects anew.",
        .apply = duration<&Settings::socketio_ping_timeout, 100, 300'000>},
    Key{.name = "log_level",
        .type = "choice",
        .default_value = "info",
        .allowed = "debug, info, warn, error, off",
        .description = "The least level that is written to stderr.",
        .apply = log_level},
    Key{.name = "log_format",
        .type = "choice",
        .default_value = "json",
        .allowed = "json, text",
        .description = "One JSON object per line, or text for people. `belfry dev` prefers text.",
        .apply = log_format},
    Key{.name = "test_echo",
        .type = "boolean",
        .default_value = "false",
        .allowed = "true, false, 1, 0; true only with a loopback address in `listen`",
        .description =
            "Handlers that echo, for conformance tests of Socket.IO clients; refused unless the server listens on "
            "loopback (127.0.0.0/8 or ::1). Not for production.",
        .apply = boolean<&Settings::test_echo>},
};

}  // namespace

std::span<const Key> keys() { return kKeys; }

std::string flag_name(const Key& key) {
  std::string name = "--" + std::string(key.name);
  std::ranges::replace(name, '_', '-');
  return name;
}

std::string variable_name(const Key& key) {
  std::string name = "BELFRY_" + std::string(key.name);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; });
  return name;
}

std::string to_text(const Endpoint& endpoint) {
  const bool v6 = endpoint.address.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.address + "]" : endpoint.address) + ":" + std::to_string(endpoint.port);
}

}  // namespace belfry::config
