#include "config/values.hpp"

#include <gtest/gtest.h>

namespace belfry::config {
namespace {

struct DurationCase {
  std::string_view name;
  std::string_view text;
  std::optional<std::int64_t> milliseconds;
};

TEST(DurationTest, AcceptsAWholeNumberAndAUnitOnly) {
  for (const auto& [name, text, expected] : std::vector<DurationCase>{
           {"milliseconds", "500ms", 500},
           {"seconds", "2s", 2000},
           {"minutes", "15m", 900'000},
           {"hours", "12h", 43'200'000},
           {"days", "7d", 604'800'000},
           {"zero", "0s", 0},
           {"no unit", "5", {}},
           {"no number", "s", {}},
           {"empty", "", {}},
           {"space", "5 s", {}},
           {"negative", "-5s", {}},
           {"plus", "+5s", {}},
           {"fraction", "1.5s", {}},
           {"leading zero", "05s", {}},
           {"unknown unit", "5w", {}},
           {"upper case", "5S", {}},
           {"two units", "1h30m", {}},
           {"past 64 bits", "99999999999999999999s", {}},
           {"past 64 bits after the unit", "9223372036854775807d", {}},
       }) {
    const auto value = parse_duration(text);
    EXPECT_EQ(value ? std::optional(value->count()) : std::nullopt, expected) << name;
  }
}

struct NatsCase {
  std::string_view name;
  std::string_view text;
  std::optional<std::vector<std::string>> expected;
};

TEST(NatsServersTest, AcceptsHostsWithPortsAndOptionallyALogin) {
  for (const auto& [name, text, expected] : std::vector<NatsCase>{
           {"one", "nats://127.0.0.1:4222", {{"nats://127.0.0.1:4222"}}},
           {"IPv6", "nats://[::1]:4222", {{"nats://[::1]:4222"}}},
           {"several", "nats://a:1, b.example:2,nats://c:3", {{"nats://a:1", "nats://b.example:2", "nats://c:3"}}},
           {"login", "nats://me:pw@a:1,you@b:2", {{"nats://me:pw@a:1", "nats://you@b:2"}}},
           {"encrypted", "tls://me:pw@a:1,b:2", {{"tls://me:pw@a:1", "tls://b:2"}}},
           {"encrypted later", "tls://a:1,nats://b:2", {}},
           {"no port", "nats://a", {}},
           {"port 0", "nats://a:0", {}},
           {"port too great", "nats://a:65536", {}},
           {"no host", "nats://:4222", {}},
           {"empty", "nats://", {}},
           {"empty item", "nats://a:1,,b:2", {}},
           {"other scheme", "ws://a:1", {}},
           {"other scheme later", "nats://a:1,tls://b:2", {}},
           {"path", "nats://a:1/x", {}},
           {"empty user", "nats://@a:1", {}},
           {"empty password", "nats://me:@a:1", {}},
           {"two at signs", "nats://me:p@w@a:1", {}},
           {"space", "nats://a b:1", {}},
           {"line", "nats://a:1\nx", {}},
           {"17 servers", "nats://a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1", {}},
       }) {
    EXPECT_EQ(parse_nats_servers(text), expected) << name;
  }
}

struct EndpointCase {
  std::string_view text;
  std::optional<Endpoint> expected;
};

TEST(EndpointTest, AcceptsIpLiteralsWithAPort) {
  for (const auto& [text, expected] : std::vector<EndpointCase>{
           {"127.0.0.1:8080", Endpoint{"127.0.0.1", 8080}},
           {"0.0.0.0:0", Endpoint{"0.0.0.0", 0}},
           {"[::1]:65535", Endpoint{"::1", 65535}},
           {"[::]:80", Endpoint{"::", 80}},
           {"127.0.0.1", {}},
           {"127.0.0.1:", {}},
           {":8080", {}},
           {"8080", {}},
           {"127.0.0.1:65536", {}},
           {"127.0.0.1:-1", {}},
           {"127.0.0.1:08", {}},
           {"127.0.0.1:80 ", {}},
           {"localhost:80", {}},
           {"::1:80", {}},
           {"[127.0.0.1]:80", {}},
           {"[]:80", {}},
           {"", {}},
       }) {
    EXPECT_EQ(parse_endpoint(text), expected) << text;
  }
}

TEST(EndpointTest, TextCanBeParsedAgain) {
  for (const std::string text : {"127.0.0.1:8080", "[::1]:9"}) EXPECT_EQ(to_text(*parse_endpoint(text)), text);
}

TEST(EndpointTest, LoopbackIsWhatOnlyThisMachineReaches) {
  for (const std::string here : {"127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(is_loopback({here, 1})) << here;
  }
  for (const std::string there :
       {"0.0.0.0", "128.0.0.1", "126.0.0.1", "10.127.0.1", "::", "::2", "1::1", "::ffff:127.0.0.1", "fe80::1"}) {
    EXPECT_FALSE(is_loopback({there, 1})) << there;
  }
}

TEST(BooleanTest, IsAWordOrADigitAndNothingElse) {
  EXPECT_EQ(parse_boolean("true"), true);
  EXPECT_EQ(parse_boolean("1"), true);
  EXPECT_EQ(parse_boolean("false"), false);
  EXPECT_EQ(parse_boolean("0"), false);
  for (const std::string_view bad : {"", "TRUE", "yes", "on", "01", "2", " true", "true ", "-1"}) {
    EXPECT_EQ(parse_boolean(bad), std::nullopt) << bad;
  }
}

TEST(OriginTest, IsSchemeHostAndPortWithNothingBehind) {
  for (const std::string_view good : {"https://app.example.org", "http://localhost:3000", "http://[::1]:3000"}) {
    EXPECT_TRUE(is_origin(good)) << good;
  }
  for (const std::string_view bad :
       {"*", "app.example.org", "https://", "https://a/", "https://a?x", "https://A.example", "ftp://a", "https://a:0",
        "https://a:70000", "https://a b", "https://user@a", "null", ""}) {
    EXPECT_FALSE(is_origin(bad)) << bad;
  }
}

TEST(BaseUrlTest, IsHttpWithoutQueryOrFragment) {
  for (const std::string_view good :
       {"https://cdn.example.org", "https://cdn.example.org/files/", "http://127.0.0.1:9000/b"}) {
    EXPECT_TRUE(is_base_url(good)) << good;
  }
  for (const std::string_view bad : {"", "cdn", "file:///x", "https://", "https:///x", "https://a/?q", "https://a/#f",
                                     "https://a/ b", "https://a/\n"}) {
    EXPECT_FALSE(is_base_url(bad)) << bad;
  }
  EXPECT_FALSE(is_base_url("https://a/" + std::string(2048, 'x')));
}

TEST(ListTest, SplitsAtCommasAndRefusesEmptyItems) {
  EXPECT_EQ(split_list("a, b ,c"), (std::vector<std::string>{"a", "b", "c"}));
  for (const std::string_view bad : {"", " ", "a,", ",a", "a,,b"}) EXPECT_FALSE(split_list(bad)) << bad;
}

}  // namespace
}  // namespace belfry::config
