#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "belfry/config/settings.hpp"

namespace belfry::config {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Pairs = std::vector<std::pair<std::string, std::string>>;

const std::string kGoodSecret(32, 'k');
const std::string kOtherSecret(40, 'z');

/// Files by path; everything else does not exist.
Input make_input(Pairs flags, Pairs environment, std::map<std::string, std::string> files = {}) {
  Input input;
  input.flags = std::move(flags);
  input.environment = std::move(environment);
  input.read_file = [files = std::move(files)](const std::string& path) -> std::expected<std::string, std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::unexpected("No such file or directory");
    return found->second;
  };
  return input;
}

Input with_file(std::string toml, Pairs environment = {}, Pairs flags = {}) {
  environment.emplace_back("BELFRY_CONFIG", "/belfry.toml");
  return make_input(std::move(flags), std::move(environment), {{"/belfry.toml", std::move(toml)}});
}

Loaded load_well(const Input& input) {
  auto loaded = load(input);
  EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().front());
  return loaded.value_or(Loaded{});
}

std::vector<std::string> problems(const Input& input) {
  auto loaded = load(input);
  return loaded ? std::vector<std::string>{} : loaded.error();
}

const Effective& effective(const Loaded& loaded, std::string_view name) {
  return *std::ranges::find(loaded.effective, name, &Effective::name);
}

TEST(LoadTest, DefaultsAreWithinTheirOwnBounds) {
  const auto settings = load_well(make_input({}, {})).settings;
  EXPECT_EQ(settings.listen, (Endpoint{"127.0.0.1", 8080}));
  EXPECT_FALSE(settings.ops_listen);
  EXPECT_EQ(settings.db_connections, 8);
  EXPECT_EQ(settings.io_threads, 1);
  EXPECT_EQ(settings.bus, Bus::kPostgres);
  EXPECT_EQ(settings.event_retention, std::chrono::days(7));
  EXPECT_FALSE(settings.jwt_secret);
  EXPECT_THAT(settings.allowed_origins, IsEmpty());
  EXPECT_EQ(settings.ws_command_burst, 50);
  EXPECT_EQ(settings.ws_command_rate, 20);
  EXPECT_EQ(settings.socketio_ping_interval, std::chrono::seconds(25));
  EXPECT_EQ(settings.socketio_ping_timeout, std::chrono::seconds(20));
  EXPECT_EQ(settings.log_format, LogFormat::kJson);
  EXPECT_FALSE(settings.test_echo);
}

struct PrecedenceCase {
  std::string name;
  bool flag, environment, file, preferred;
  int expected;
  std::string source;
};

TEST(LoadTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  for (const auto& c : std::vector<PrecedenceCase>{
           {"all", true, true, true, true, 5, "flag --db-connections"},
           {"flag over file", true, false, true, false, 5, "flag --db-connections"},
           {"environment over file", false, true, true, false, 2, "environment BELFRY_DB_CONNECTIONS"},
           {"environment over preferred default", false, true, false, true, 2, "environment BELFRY_DB_CONNECTIONS"},
           {"file over preferred default", false, false, true, true, 3, "file /belfry.toml"},
           {"preferred default over default", false, false, false, true, 4, "default"},
           {"default", false, false, false, false, 8, "default"},
       }) {
    auto input = with_file(c.file ? "db_connections = 3\n" : "");
    if (c.flag) input.flags.emplace_back("db_connections", "5");
    if (c.environment) input.environment.emplace_back("BELFRY_DB_CONNECTIONS", "2");
    if (c.preferred) input.defaults.emplace_back("db_connections", "4");
    const auto loaded = load_well(input);
    EXPECT_EQ(loaded.settings.db_connections, c.expected) << c.name;
    EXPECT_EQ(effective(loaded, "db_connections").source, c.source) << c.name;
    EXPECT_EQ(effective(loaded, "db_connections").value, std::to_string(c.expected)) << c.name;
  }
}

TEST(LoadTest, EveryKeyCanBeSetFromTheEnvironment) {
  const auto settings = load_well(make_input({},
                                             {
                                                 {"BELFRY_LISTEN", "[::1]:1"},
                                                 {"BELFRY_OPS_LISTEN", "127.0.0.1:2"},
                                                 {"BELFRY_DATABASE_URL", "host=/run"},
                                                 {"BELFRY_DB_CONNECTIONS", "3"},
                                                 {"BELFRY_BUS", "local"},
                                                 {"BELFRY_IO_THREADS", "64"},
                                                 {"BELFRY_EVENT_RETENTION", "2s"},
                                                 {"BELFRY_JWT_SECRET", kGoodSecret},
                                                 {"BELFRY_JWT_ISSUER", "i"},
                                                 {"BELFRY_JWT_AUDIENCE", "a"},
                                                 {"BELFRY_ATTACHMENT_BASE_URL", "https://cdn/"},
                                                 {"BELFRY_ALLOWED_ORIGINS", "https://a, https://b"},
                                                 {"BELFRY_WS_COMMAND_BURST", "5"},
                                                 {"BELFRY_WS_COMMAND_RATE", "6"},
                                                 {"BELFRY_SOCKETIO_PING_INTERVAL", "100ms"},
                                                 {"BELFRY_SOCKETIO_PING_TIMEOUT", "5m"},
                                                 {"BELFRY_LOG_LEVEL", "debug"},
                                                 {"BELFRY_LOG_FORMAT", "text"},
                                                 {"BELFRY_TEST_ECHO", "1"},
                                             }))
                            .settings;
  EXPECT_EQ(settings.listen, (Endpoint{"::1", 1}));
  EXPECT_EQ(settings.ops_listen, (Endpoint{"127.0.0.1", 2}));
  EXPECT_EQ(settings.database_url, "host=/run");
  EXPECT_EQ(settings.db_connections, 3);
  EXPECT_EQ(settings.bus, Bus::kLocal);
  EXPECT_EQ(settings.io_threads, 64);
  EXPECT_EQ(settings.event_retention, std::chrono::seconds(2));
  EXPECT_EQ(settings.jwt_secret, kGoodSecret);
  EXPECT_EQ(settings.jwt_issuer, "i");
  EXPECT_EQ(settings.jwt_audience, "a");
  EXPECT_EQ(settings.attachment_base_url, "https://cdn/");
  EXPECT_THAT(settings.allowed_origins, ElementsAre("https://a", "https://b"));
  EXPECT_EQ(settings.ws_command_burst, 5);
  EXPECT_EQ(settings.ws_command_rate, 6);
  EXPECT_EQ(settings.socketio_ping_interval, std::chrono::milliseconds(100));
  EXPECT_EQ(settings.socketio_ping_timeout, std::chrono::minutes(5));
  EXPECT_EQ(settings.log_level, LogLevel::kDebug);
  EXPECT_EQ(settings.log_format, LogFormat::kText);
  EXPECT_TRUE(settings.test_echo);
}

TEST(LoadTest, WhatAnAddressHidesIsNotShown) {
  const auto loaded = load_well(make_input({}, {{"BELFRY_ENTITLEMENTS", "https://shop.test:8443/hook/hush"},
                                                {"BELFRY_JWT_JWKS", "https://me:hush@issuer.test/jwks.json"}}));
  EXPECT_EQ(effective(loaded, "entitlements").value, "https://shop.test:8443/…");
  EXPECT_EQ(effective(loaded, "jwt_jwks").value, "https://…@issuer.test/jwks.json");
  const auto plain =
      load_well(make_input({}, {{"BELFRY_ENTITLEMENTS", "http://shop.test"}, {"BELFRY_JWT_JWKS", "/etc/keys.json"}}));
  EXPECT_EQ(effective(plain, "entitlements").value, "http://shop.test");
  EXPECT_EQ(effective(plain, "jwt_jwks").value, "/etc/keys.json");
  for (const auto& line : problems(make_input({}, {{"BELFRY_ENTITLEMENTS", "ftp://shop.test/hush"}}))) {
    EXPECT_EQ(line.find("hush"), std::string::npos) << line;
  }
}

TEST(LoadTest, NatsServersAreTakenFromTheBusAndTheirPasswordIsNotShown) {
  const auto loaded = load_well(make_input({}, {{"BELFRY_BUS", "nats://me:hush@a:1,b:2"}}));
  EXPECT_EQ(loaded.settings.bus, Bus::kNats);
  EXPECT_THAT(loaded.settings.nats_servers, ElementsAre("nats://me:hush@a:1", "nats://b:2"));
  EXPECT_EQ(effective(loaded, "bus").value, "nats://…@a:1,b:2");
  const auto encrypted = load_well(make_input({}, {{"BELFRY_BUS", "tls://me:hush@a:1,you:hush@b:2"}}));
  EXPECT_EQ(effective(encrypted, "bus").value, "tls://…@b:2");
  for (const std::string wrong :
       {"nats://me:hush@a", "tls://me:hush@a", "nats:me:hush", "nats://me:hush@a:1,,", " NATS://me:hush@a:1"}) {
    for (const auto& line : problems(make_input({}, {{"BELFRY_BUS", wrong}}))) {
      EXPECT_EQ(line.find("hush"), std::string::npos) << line;
    }
    EXPECT_FALSE(problems(make_input({}, {{"BELFRY_BUS", wrong}})).empty()) << wrong;
  }
}

TEST(LoadTest, ALaterLayerReplacesNatsServers) {
  auto input =
      make_input({}, {{"BELFRY_CONFIG", "/a.toml"}, {"BELFRY_BUS", "postgres"}}, {{"/a.toml", "bus = 'nats://a:1'"}});
  const auto settings = load_well(input).settings;
  EXPECT_EQ(settings.bus, Bus::kPostgres);
  EXPECT_THAT(settings.nats_servers, IsEmpty());
}

TEST(LoadTest, AnEmptyVariableCountsAsNotSet) {
  const auto loaded = load_well(make_input({}, {{"BELFRY_BUS", ""}, {"BELFRY_JWT_SECRET", ""}, {"BELFRY_CONFIG", ""}}));
  EXPECT_EQ(loaded.settings.bus, Bus::kPostgres);
  EXPECT_FALSE(loaded.settings.jwt_secret);
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST(LoadTest, TheConfigFlagBeatsTheVariable) {
  auto input =
      make_input({}, {{"BELFRY_CONFIG", "/a.toml"}}, {{"/a.toml", "bus = 'local'"}, {"/b.toml", "db_connections = 9"}});
  input.config_path = "/b.toml";
  const auto settings = load_well(input).settings;
  EXPECT_EQ(settings.db_connections, 9);
  EXPECT_EQ(settings.bus, Bus::kPostgres);
}

TEST(LoadTest, TheFileTakesTextNumbersBooleansAndLists) {
  const auto settings =
      load_well(
          with_file("db_connections = 3\nws_command_rate = \"7\"\nallowed_origins = [\"https://a\", \"https://b\"]\n"
                    "test_echo = true\n"))
          .settings;
  EXPECT_EQ(settings.db_connections, 3);
  EXPECT_EQ(settings.ws_command_rate, 7);
  EXPECT_THAT(settings.allowed_origins, ElementsAre("https://a", "https://b"));
  EXPECT_TRUE(settings.test_echo);
}

struct BadCase {
  std::string name;
  Input input;
  std::vector<std::string> parts;  ///< all in one problem line
};

TEST(LoadTest, BadValuesNameTheKeyItsSourceAndWhatIsAllowed) {
  for (const auto& c : std::vector<BadCase>{
           {"flag",
            make_input({{"db_connections", "0"}}, {}),
            {"db_connections", "flag --db-connections", "\"0\"", "2 to 256"}},
           {"no thread",
            make_input({{"io_threads", "0"}}, {}),
            {"io_threads", "flag --io-threads", "\"0\"", "1 to 64"}},
           {"too many threads", make_input({}, {{"BELFRY_IO_THREADS", "65"}}), {"io_threads", "1 to 64"}},
           {"variable", make_input({}, {{"BELFRY_BUS", "nats"}}), {"bus", "environment BELFRY_BUS", "postgres, local"}},
           {"file", with_file("event_retention = '1500ms'"), {"event_retention", "file /belfry.toml", "whole seconds"}},
           {"hidden by a better place",
            with_file("log_level = 'loud'", {{"BELFRY_LOG_LEVEL", "info"}}),
            {"log_level", "loud"}},
           {"above the bound", make_input({}, {{"BELFRY_EVENT_RETENTION", "366d"}}), {"event_retention", "365d"}},
           {"endpoint", make_input({}, {{"BELFRY_LISTEN", "localhost"}}), {"listen", "BELFRY_LISTEN", "IP address"}},
           {"ops endpoint", make_input({}, {{"BELFRY_OPS_LISTEN", "9090"}}), {"ops_listen"}},
           {"url", make_input({}, {{"BELFRY_ATTACHMENT_BASE_URL", "cdn"}}), {"attachment_base_url"}},
           {"origin", make_input({}, {{"BELFRY_ALLOWED_ORIGINS", "https://a,*"}}), {"allowed_origins"}},
           {"format", make_input({}, {{"BELFRY_LOG_FORMAT", "xml"}}), {"log_format", "json, text"}},
           {"burst", make_input({}, {{"BELFRY_WS_COMMAND_BURST", "-1"}}), {"ws_command_burst"}},
           {"ping too often",
            make_input({{"socketio_ping_interval", "99ms"}}, {}),
            {"socketio_ping_interval", "flag --socketio-ping-interval", "100ms to 5m"}},
           {"ping too seldom", make_input({}, {{"BELFRY_SOCKETIO_PING_INTERVAL", "300001ms"}}), {"100ms to 5m"}},
           {"answer due at once",
            make_input({}, {{"BELFRY_SOCKETIO_PING_TIMEOUT", "0s"}}),
            {"socketio_ping_timeout", "100ms to 5m"}},
           {"answer due too late",
            make_input({}, {{"BELFRY_SOCKETIO_PING_TIMEOUT", "6m"}}),
            {"socketio_ping_timeout", "100ms to 5m"}},
           {"boolean", make_input({}, {{"BELFRY_TEST_ECHO", "yes"}}), {"test_echo", "\"yes\"", "true, false"}},
           {"empty flag", make_input({{"jwt_issuer", ""}}, {}), {"jwt_issuer", "1 to 512"}},
           {"secret too short",
            make_input({}, {{"BELFRY_JWT_SECRET", std::string(31, 'q')}}),
            {"jwt_secret", "32 to 4096"}},
           {"secret file missing",
            make_input({}, {{"BELFRY_JWT_SECRET_FILE", "/no"}}),
            {"jwt_secret", "BELFRY_JWT_SECRET_FILE", "/no"}},
           {"secret twice",
            make_input({}, {{"BELFRY_JWT_SECRET", kGoodSecret}, {"BELFRY_JWT_SECRET_FILE", "/s"}}),
            {"not both"}},
           {"no file", make_input({}, {{"BELFRY_CONFIG", "/no.toml"}}), {"/no.toml", "No such file"}},
           {"no TOML", with_file("bus = 'local'\nwhat is this"), {"/belfry.toml", "line 2"}},
           {"a table whose name is none", with_file("[::1]:8080"), {"/belfry.toml", "line 1"}},
           {"a table's name that is a quote", with_file("[[\"a]"), {"/belfry.toml", "line 1"}},
           {"letters beyond ASCII outside of quotes", with_file("50Гv"), {"/belfry.toml", "line 1"}},
           {"unknown key in the file", with_file("buss = 'local'"), {"/belfry.toml", "unknown key", "buss"}},
           {"table in the file", with_file("[server]\nlisten = '127.0.0.1:1'"), {"unknown key", "server"}},
           {"table for a key", with_file("[listen]\nport = 1"), {"listen", "no tables"}},
           {"float", with_file("db_connections = 1.5"), {"db_connections", "integer"}},
           {"comma in a list item",
            with_file("allowed_origins = ['https://a,https://b']"),
            {"allowed_origins", "commas"}},
           {"flag of a secret", make_input({{"jwt_secret", kGoodSecret}}, {}), {"unknown flag", "jwt_secret"}},
           {"twin of what is no secret", with_file("bus_file = '/x'"), {"unknown key", "bus_file"}},
       }) {
    const auto lines = problems(c.input);
    const bool found = std::ranges::any_of(lines, [&](const std::string& line) {
      return std::ranges::all_of(c.parts,
                                 [&](const std::string& part) { return line.find(part) != std::string::npos; });
    });
    EXPECT_TRUE(found) << c.name << ": " << testing::PrintToString(lines);
  }
}

TEST(LoadTest, EchoIsForALoopbackAddressOnlyWhereverBothAreSet) {
  for (const std::string there : {"0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[::ffff:127.0.0.1]:80"}) {
    EXPECT_THAT(problems(make_input({{"listen", there}}, {{"BELFRY_TEST_ECHO", "true"}})),
                ElementsAre(AllOf(HasSubstr("test_echo (environment BELFRY_TEST_ECHO)"),
                                  HasSubstr("listen (flag --listen)"), HasSubstr("\"" + there + "\""))));
    EXPECT_THAT(problems(make_input({{"listen", there}, {"test_echo", "0"}}, {{"BELFRY_TEST_ECHO", "1"}})), IsEmpty())
        << "only what takes effect counts";
  }
  EXPECT_THAT(problems(with_file("test_echo = true\nlisten = '10.0.0.1:80'")),
              ElementsAre(AllOf(HasSubstr("test_echo (file /belfry.toml)"), HasSubstr("listen (file /belfry.toml)"))));
  for (const std::string here : {"127.0.0.1:80", "127.8.9.10:0", "[::1]:80", "[0:0:0:0:0:0:0:1]:80"}) {
    EXPECT_TRUE(load_well(make_input({{"listen", here}, {"test_echo", "true"}}, {})).settings.test_echo) << here;
  }
}

TEST(LoadTest, AllProblemsAreToldAtOnce) {
  EXPECT_EQ(problems(make_input({{"bus", "x"}}, {{"BELFRY_LISTEN", "y"}})).size(), 2U);
}

TEST(LoadTest, AProblemIsOneLineWhateverTheValue) {
  const auto lines = problems(make_input({}, {{"BELFRY_BUS", "x\nfake line\x1b[2J"}}));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].find_first_of("\n\x1b"), std::string::npos);
}

TEST(LoadTest, UnknownVariablesAreOneWarningEachAndNothingElse) {
  const auto loaded =
      load_well(make_input({}, {{"BELFRY_PORT", "tcp://10.0.0.1:80"}, {"PATH", "/bin"}, {"BELFRY_BUS_FILE", "x"}}));
  EXPECT_THAT(loaded.warnings,
              ElementsAre(AllOf(HasSubstr("BELFRY_PORT"), Not(HasSubstr("10.0.0.1"))), HasSubstr("BELFRY_BUS_FILE")));
}

TEST(SecretTest, ComesFromVariableFileOrTwin) {
  const std::map<std::string, std::string> files{{"/secret", kOtherSecret + "\n"}};
  EXPECT_EQ(load_well(make_input({}, {{"BELFRY_JWT_SECRET_FILE", "/secret"}}, files)).settings.jwt_secret,
            kOtherSecret);
  EXPECT_EQ(load_well(with_file("jwt_secret = '" + kGoodSecret + "'")).settings.jwt_secret, kGoodSecret);
  auto both = make_input({}, {{"BELFRY_CONFIG", "/c"}, {"BELFRY_JWT_SECRET", kGoodSecret}},
                         {{"/c", "jwt_secret_file = '/secret'"}, {"/secret", kOtherSecret}});
  const auto loaded = load_well(both);
  EXPECT_EQ(loaded.settings.jwt_secret, kGoodSecret) << "the environment beats the file";
  EXPECT_EQ(effective(loaded, "jwt_secret").source, "environment BELFRY_JWT_SECRET");
}

TEST(SecretTest, IsShownAsSetOrUnset) {
  const auto loaded = load_well(
      make_input({}, {{"BELFRY_JWT_SECRET", kGoodSecret}, {"BELFRY_DATABASE_URL", "postgresql://u:hunter2@h/d"}}));
  EXPECT_EQ(effective(loaded, "jwt_secret").value, "set");
  EXPECT_EQ(effective(loaded, "database_url").value, "set");
  EXPECT_EQ(effective(load_well(make_input({}, {})), "jwt_secret").value, "unset");
}

TEST(SecretTest, NeverAppearsInAProblem) {
  const std::string secret = "hunter2hunter2";  // too short
  for (const auto& input : {
           make_input({}, {{"BELFRY_JWT_SECRET", secret}}),
           make_input({}, {{"BELFRY_JWT_SECRET_FILE", "/s"}}, {{"/s", secret}}),
           make_input({}, {{"BELFRY_JWT_SECRET", secret}, {"BELFRY_JWT_SECRET_FILE", "/s"}}, {{"/s", secret}}),
           make_input({}, {{"BELFRY_DATABASE_URL", secret + std::string(5000, 'x')}}),
           with_file("jwt_secret = '" + secret + "'"),
           with_file("jwt_secret = " + secret),
           with_file("jwt_secret = ['" + secret + "', 1]"),
           with_file("jwt_secret = '" + secret),
           make_input({{"jwt_secret", secret}}, {}),
       }) {
    const auto lines = problems(input);
    EXPECT_THAT(lines, Not(IsEmpty()));
    EXPECT_THAT(lines, Not(Contains(HasSubstr(secret))));
  }
}

TEST(KeysTest, NamesFollowEachOther) {
  const auto key = std::ranges::find(keys(), "event_retention", &Key::name);
  ASSERT_NE(key, keys().end());
  EXPECT_EQ(flag_name(*key), "--event-retention");
  EXPECT_EQ(variable_name(*key), "BELFRY_EVENT_RETENTION");
}

TEST(DocsTest, EveryKeyIsDescribedAndSecretsHaveNoFlag) {
  const auto docs = render_docs();
  for (const auto& key : keys()) {
    EXPECT_THAT(docs, HasSubstr("## " + std::string(key.name) + "\n"));
    EXPECT_THAT(docs, HasSubstr(variable_name(key)));
    EXPECT_FALSE(key.description.empty()) << key.name;
    if (key.secret) {
      EXPECT_THAT(docs, HasSubstr(variable_name(key) + "_FILE"));
      EXPECT_THAT(docs, Not(HasSubstr(flag_name(key))));
    }
  }
}

}  // namespace
}  // namespace belfry::config
