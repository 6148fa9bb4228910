#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the operator may choose. Each key is declared once, in keys.cpp; flags, variables, the file,
/// docs/configuration.md and `belfry check-config` all come from that table. Precedence: flag, environment, file,
/// default.
namespace belfry::config {

struct Endpoint {
  std::string address;  ///< IPv4 or IPv6 literal, without brackets
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
/// `127.0.0.1:8080`, `[::1]:8080`.
std::string to_text(const Endpoint& endpoint);

enum class Bus : std::uint8_t { kPostgres, kLocal, kNats };
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : std::uint8_t { kJson, kText };

/// Filled by `load`; every value is within its bounds, and they go together.
struct Settings {
  Endpoint listen;
  std::optional<Endpoint> ops_listen;
  std::string database_url;
  int db_connections = 0;
  Bus bus = Bus::kPostgres;
  std::vector<std::string> nats_servers;         ///< nats:// or tls:// URLs, which may hold a password
  std::string bus_ca;                            ///< path; empty: the system's certificates
  std::chrono::milliseconds event_retention{0};  ///< whole seconds
  std::optional<std::string> jwt_secret;
  std::optional<std::string> jwt_jwks;  ///< path or URL of a key set
  std::optional<std::string> jwt_issuer;
  std::optional<std::string> jwt_audience;
  std::optional<std::string> entitlements_url;  ///< not set: our own table decides
  std::string outbound_ca;                      ///< path; empty: the system's certificates
  int io_threads = 0;
  int cache_mib = 0;
  std::string attachment_base_url;
  std::vector<std::string> allowed_origins;
  int ws_handshake_rate = 0;
  int ws_command_burst = 0;
  int ws_command_rate = 0;
  std::chrono::milliseconds socketio_ping_interval{0};
  std::chrono::milliseconds socketio_ping_timeout{0};
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kJson;
  bool test_echo = false;  ///< then `listen` is a loopback address
};

/// One declaration. A secret has no flag; its value may stand in a file that `<name>_file` names.
struct Key {
  std::string_view name;           ///< as in the file: `event_retention`
  std::string_view type;           ///< "duration", "integer", …
  std::string_view default_value;  ///< in the notation of a file value; empty: not set
  std::string_view allowed;        ///< bounds and unit, as an error and the documentation say it
  std::string_view description;
  bool secret = false;
  /// Parses and stores. False: not allowed. Never keeps a view of the text.
  bool (*apply)(Settings& settings, std::string_view text) = nullptr;
};

std::span<const Key> keys();
std::string flag_name(const Key& key);      ///< `--event-retention`
std::string variable_name(const Key& key);  ///< `BELFRY_EVENT_RETENTION`

enum class Source : std::uint8_t { kDefault, kFile, kEnvironment, kFlag };

/// Where a value may come from. Nothing here is read from the process, so that tests need no environment.
struct Input {
  std::vector<std::pair<std::string, std::string>> flags;        ///< key name, value
  std::vector<std::pair<std::string, std::string>> environment;  ///< all of it; foreign names are skipped
  std::optional<std::string> config_path;                        ///< `--config`; else BELFRY_CONFIG
  /// Replace a key's default: what `belfry dev` prefers. Key name, value.
  std::vector<std::pair<std::string, std::string>> defaults;
  /// The bytes of a file, or why it cannot be read.
  std::function<std::expected<std::string, std::string>(const std::string& path)> read_file;
};

/// One key as it takes effect, for `belfry check-config`.
struct Effective {
  std::string name;
  std::string value;   ///< a secret: `set` or `unset`
  std::string source;  ///< `default`, `file /etc/belfry.toml`, `environment BELFRY_BUS`, `flag --bus`
};

struct Loaded {
  Settings settings;
  std::vector<Effective> effective;   ///< in the order of `keys()`
  std::vector<std::string> warnings;  ///< one line each: unknown BELFRY_* variables
};

/// Every problem found, one line each: key, source, what is allowed. Never the value of a secret.
std::expected<Loaded, std::vector<std::string>> load(const Input& input);

/// An integer and a unit: `500ms`, `2s`, `15m`, `12h`, `7d`. Nothing for any other text.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The machine's files: at most 64 KiB, regular files and pipes.
std::expected<std::string, std::string> read_small_file(const std::string& path);

/// docs/configuration.md.
std::string render_docs();

}  // namespace belfry::config
