#include <regex>

#include "unit/http/harness.hpp"

/// What a request answers when nothing is wrong with it, and what surrounds every answer.
namespace belfry::http {
namespace {

using namespace testing;
using domain::ChannelStatus;

struct Api : ::testing::Test {
  Harness harness{{.attachment_url_base = "https://cdn.example", .allowed_origins = {"https://app.example"}}};

  void SetUp() override {
    harness.work.add_channel(3);
    harness.work.add_discussion(1, 3);
    harness.work.add_channel(4, ChannelStatus::kDraft);
    harness.work.add_channel(5, ChannelStatus::kActive, "vip");
    for (const std::int64_t id : {1, 2, 3}) harness.work.add_post(id, 3);
    harness.work.add_message(11, 1, domain::testing::user(1));
  }
  std::string last_job() const { return harness.database.jobs.empty() ? "" : harness.database.jobs.back().name; }
};

TEST_F(Api, EveryRouteAnswersWithItsJob) {
  struct Case {
    std::string token, method, path, body;
    int status;
    std::string job;
  };
  const std::string user = "019ce156-0000-7000-8000-000000000001";
  const Case cases[] = {
      {"", "GET", "/api/mobile/channels", "", 200, "channels.list"},
      {"", "GET", "/api/mobile/channels/3", "", 200, "channels.view"},
      {"", "GET", "/api/mobile/channels/4", "", 404, "channels.view"},
      {"", "GET", "/api/mobile/channels/5", "", 403, "channels.view"},
      {"user", "GET", "/api/mobile/channels/9", "", 404, "channels.view"},
      {"user", "POST", "/api/mobile/channels/3/join", "", 200, "channels.join"},
      {"user", "POST", "/api/mobile/channels/3/leave", "{}", 200, "channels.leave"},
      {"", "GET", "/api/mobile/channels/3/posts", "", 200, "posts.list"},
      {"", "GET", "/api/mobile/posts/2", "", 200, "posts.view"},
      {"user", "GET", "/api/mobile/channels/3/discussion", "", 200, "discussions.view"},
      {"user", "GET", "/api/mobile/channels/3/discussion/messages", "", 200, "messages.list"},
      {"user", "POST", "/api/mobile/channels/3/discussion/messages", R"({"body":"hi"})", 201, "messages.create"},
      {"user", "PATCH", "/api/mobile/discussion-messages/11", R"({"body":"new"})", 200, "messages.edit"},
      {"other", "PATCH", "/api/mobile/discussion-messages/11", R"({"body":"new"})", 403, "messages.edit"},
      {"user", "DELETE", "/api/mobile/discussion-messages/11", "", 200, "messages.delete"},
      {"user", "POST", "/api/mobile/channels/3/read-state", R"({"last_seen_post_id":"2"})", 200, "read_state.update"},
      {"user", "GET", "/api/mobile/channels/3/read-state", "", 200, "read_state.view"},
      {"user", "POST", "/api/mobile/ws-tickets", "", 201, "tickets.issue"},
      {"admin", "POST", "/api/admin/channels", R"({"kind":"GROUP","title":"T"})", 201, "channels.create"},
      {"admin", "GET", "/api/admin/channels", "", 200, "channels.list_all"},
      {"admin", "GET", "/api/admin/channels/4", "", 200, "channels.find"},
      {"admin", "PATCH", "/api/admin/channels/3", R"({"title":"New"})", 200, "channels.update"},
      {"admin", "POST", "/api/admin/channels/3/posts", R"({"type":"TEXT","bodyText":"x"})", 201, "posts.create"},
      {"admin", "GET", "/api/admin/channels/3/posts", "", 200, "posts.list_all"},
      {"admin", "GET", "/api/admin/posts/2", "", 200, "posts.find"},
      {"admin", "PATCH", "/api/admin/posts/2", R"({"bodyText":"y"})", 200, "posts.update"},
      {"admin", "PUT", "/api/admin/posts/2/pin", "", 200, "posts.pin"},
      {"admin", "DELETE", "/api/admin/posts/2/pin", "", 200, "posts.unpin"},
      {"admin", "DELETE", "/api/admin/posts/2", "", 200, "posts.delete"},
      {"admin", "PUT", "/api/admin/channels/3/discussion", R"({"title":"New"})", 200, "discussions.put"},
      {"admin", "GET", "/api/admin/channels/3/discussion", "", 200, "discussions.find"},
      {"admin", "POST", "/api/admin/channels/3/discussion/messages", R"({"body":"hi"})", 201, "messages.create"},
      {"admin", "GET", "/api/admin/channels/3/discussion/messages", "", 200, "messages.list_all"},
      {"admin", "POST", "/api/admin/discussion-messages/11/restore", "", 200, "messages.restore"},
      {"admin", "PATCH", "/api/admin/discussion-messages/11", R"({"body":"z"})", 200, "messages.edit"},
      {"admin", "DELETE", "/api/admin/discussion-messages/11", "", 200, "messages.delete"},
      {"admin", "PUT", "/api/admin/channels/3/discussion/bans/" + user, R"({"reason":"spam"})", 200, "bans.set"},
      {"admin", "GET", "/api/admin/channels/3/discussion/bans", "", 200, "bans.list"},
      {"admin", "DELETE", "/api/admin/channels/3/discussion/bans/" + user, "", 200, "bans.lift"},
      {"admin", "PUT", "/api/admin/channels/3/discussion/mutes/" + user, "", 200, "mutes.set"},
      {"admin", "GET", "/api/admin/channels/3/discussion/mutes", "", 200, "mutes.list"},
      {"admin", "DELETE", "/api/admin/channels/3/discussion/mutes/" + user, "", 200, "mutes.lift"},
      {"admin", "PUT", "/api/admin/users/" + user + "/entitlements/vip", "", 200, "entitlements.set"},
      {"admin", "DELETE", "/api/admin/users/" + user + "/entitlements/vip", "", 200, "entitlements.revoke"},
      {"admin", "PUT", "/api/admin/users/" + user + "/features/a%3Ab", "", 200, "features.set"},
      {"admin", "DELETE", "/api/admin/users/" + user + "/features/a:b", "", 200, "features.revoke"},
      {"admin", "POST", "/api/admin/users/" + user + "/access-changed", "", 200, "users.access_changed"},
      {"admin", "GET", "/api/admin/users/" + user, "", 404, "users.view"},
      {"admin", "GET", "/api/admin/audit-log?action=channel.update", "", 200, "audit.list"},
  };
  for (const auto& [token, method, path, body, status, job] : cases) {
    const auto response = token.empty() ? harness.call(method, path, body) : harness.as(token, method, path, body);
    EXPECT_EQ(response.status, status) << method << " " << path << " " << response.body;
    EXPECT_EQ(last_job(), job) << method << " " << path;
    EXPECT_EQ(harness.database.jobs.back().mode == domain::JobMode::kRead, method == "GET") << path;
    EXPECT_EQ(!harness.database.jobs.back().callers.empty(), !token.empty()) << path;
    EXPECT_EQ(has(response, R"({"message":")"), status < 300) << response.body;
  }
}

TEST_F(Api, GrantKeysAreTheDecodedSegment) {
  const std::string user = "019ce156-0000-7000-8000-000000000001";
  harness.as("admin", "PUT", "/api/admin/users/" + user + "/features/a%3Ab", "");
  ASSERT_EQ(harness.work.grant_rows.size(), 1U);
  EXPECT_EQ(harness.work.grant_rows[0].grant.key, "a:b");
  EXPECT_EQ(harness.work.grant_rows[0].grant.kind, domain::GrantKind::kFeature);
}

TEST_F(Api, ARepeatedClientMessageIdAnswers200WithTheFirstMessage) {
  const std::string path = "/api/mobile/channels/3/discussion/messages";
  const auto first = harness.as("user", "POST", path, R"({"body":"one","clientMessageId":"c1"})");
  const auto again = harness.as("user", "POST", path, R"({"body":"two","clientMessageId":"c1"})");
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(first.body, again.body);
}

TEST_F(Api, OnlyAdminGetRoutesShowDeletedContent) {
  const std::string messages = "/channels/3/discussion/messages";
  const std::string body = R"({"body":"a secret","clientMessageId":"c1"})";
  const auto created = harness.as("user", "POST", "/api/mobile" + messages, body);
  std::smatch id;
  ASSERT_TRUE(std::regex_search(created.body, id, std::regex(R"~("id":(\d+))~")));
  harness.work.add_post(3, 3).body_text = "a secret";

  const auto gone = [&](const Response& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_FALSE(has(response, "a secret")) << response.body;
    EXPECT_TRUE(has(response, R"("isDeleted":true)")) << response.body;
  };
  gone(harness.as("admin", "DELETE", "/api/admin/discussion-messages/" + id[1].str()));
  gone(harness.as("admin", "DELETE", "/api/admin/discussion-messages/" + id[1].str()));
  gone(harness.as("user", "POST", "/api/mobile" + messages, body));
  gone(harness.as("user", "GET", "/api/mobile" + messages));
  gone(harness.as("user", "GET", "/api/mobile" + messages + "?view=compact"));
  EXPECT_TRUE(has(harness.as("admin", "GET", "/api/admin" + messages), "a secret"));
  gone(harness.as("admin", "DELETE", "/api/admin/posts/3"));
  gone(harness.as("admin", "DELETE", "/api/admin/posts/3"));
  gone(harness.call("GET", "/api/mobile/posts/3"));
  gone(harness.call("GET", "/api/mobile/channels/3/posts"));
  EXPECT_TRUE(has(harness.as("admin", "GET", "/api/admin/posts/3"), "a secret"));
  EXPECT_TRUE(has(harness.as("admin", "GET", "/api/admin/channels/3/posts"), "a secret"));
}

TEST_F(Api, CompactViewLeavesTheAuthorOut) {
  const std::string path = "/api/mobile/channels/3/discussion/messages";
  EXPECT_TRUE(has(harness.as("user", "GET", path + "?view=full"), R"("author":{)"));
  EXPECT_FALSE(has(harness.as("user", "GET", path + "?view=compact"), R"("author":{)"));
}

TEST_F(Api, ATicketStoresOnlyTheHashOfItsSecret) {
  const auto response = harness.as("user", "POST", "/api/mobile/ws-tickets");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(response.body, found, std::regex(R"~("ticket":"([A-Za-z0-9_-]+)")~"))) << response.body;
  ASSERT_EQ(harness.work.ticket_rows.size(), 1U);
  const auto& ticket = harness.work.ticket_rows.begin()->second;
  EXPECT_EQ(ticket.secret_hash, auth::sha256(found[1].str()));
  EXPECT_EQ(ticket.session_expires_at, domain::testing::at(600));
}

TEST_F(Api, HeadAnswersLikeGet) {
  const auto get = harness.call("GET", "/api/mobile/channels/3");
  const auto head = harness.call("HEAD", "/api/mobile/channels/3");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, get.body);
}

TEST_F(Api, FailuresOfTheDatabaseBecomeTheirStatusWithRetryAfter) {
  harness.database.failure = core::Error::unavailable("The database is busy.", 2);
  const auto response = harness.call("GET", "/api/mobile/channels");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(header(response, "Retry-After"), "2");
  EXPECT_TRUE(has(response, R"("code":"SERVICE_UNAVAILABLE")"));
}

TEST_F(Api, EveryResponseHasARequestIdTheCallersWhenWellFormed) {
  for (const auto& [given, kept] : {std::pair<std::string, bool>{"abc-1.2:3_4", true},
                                    {std::string(128, 'x'), true},
                                    {std::string(129, 'x'), false},
                                    {"a b", false},
                                    {"ü", false},
                                    {"", false}}) {
    for (const char* path : {"/api/mobile/channels", "/nowhere", "/healthz", "/api/admin/channels"}) {
      const auto response = harness.call("GET", path, "", {{"x-request-id", given}});
      EXPECT_EQ(header(response, "X-Request-Id") == given, kept) << given << path;
      EXPECT_FALSE(header(response, "X-Request-Id").empty());
      if (response.status >= 400) {
        EXPECT_TRUE(has(response, R"("requestId":")" + header(response, "X-Request-Id") + "\""));
      }
    }
  }
  EXPECT_NE(header(harness.call("GET", "/healthz"), "X-Request-Id"),
            header(harness.call("GET", "/healthz"), "X-Request-Id"));
}

TEST_F(Api, PreflightIsAnsweredForConfiguredOriginsOnly) {
  const auto preflight = [&](const std::string& origin) {
    return harness.call("OPTIONS", "/api/mobile/channels/3/read-state", "",
                        {{"origin", origin}, {"access-control-request-method", "POST"}});
  };
  const auto allowed = preflight("https://app.example");
  EXPECT_EQ(allowed.status, 204);
  EXPECT_TRUE(allowed.body.empty());
  EXPECT_EQ(header(allowed, "Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(header(allowed, "Access-Control-Allow-Methods"), "POST, GET, HEAD");
  EXPECT_NE(header(allowed, "Access-Control-Allow-Headers").find("Authorization"), std::string::npos);
  EXPECT_FALSE(header(allowed, "Access-Control-Max-Age").empty());
  EXPECT_EQ(header(allowed, "Vary"), "Origin");
  EXPECT_EQ(header(allowed, "Access-Control-Allow-Credentials"), "");
  for (const char* origin : {"https://evil.example", "null", "https://app.example.evil", "https://APP.example", ""}) {
    const auto refused = preflight(origin);
    EXPECT_EQ(header(refused, "Access-Control-Allow-Origin"), "") << origin;
    EXPECT_EQ(header(refused, "Access-Control-Allow-Methods"), "") << origin;
    EXPECT_EQ(header(refused, "Vary"), "Origin");
  }
  EXPECT_TRUE(harness.database.jobs.empty());
}

TEST_F(Api, AnswersAndFailuresCarryTheAllowedOrigin) {
  for (const char* path : {"/api/mobile/channels", "/nowhere", "/api/admin/channels"}) {
    const auto response = harness.call("GET", path, "", {{"origin", "https://app.example"}});
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "https://app.example") << path;
    EXPECT_EQ(
        header(harness.call("GET", path, "", {{"origin", "https://evil.example"}}), "Access-Control-Allow-Origin"), "");
  }
}

TEST(Cors, IsOffWithoutOrigins) {
  Harness harness;
  const auto response = harness.call("OPTIONS", "/api/mobile/channels", "",
                                     {{"origin", "https://app.example"}, {"access-control-request-method", "GET"}});
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(header(response, "Vary"), "");
  EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "");
}

TEST(Ops, HealthReadinessAndMetrics) {
  Harness harness;
  EXPECT_EQ(harness.call("GET", "/healthz", "", {{"authorization", "nonsense"}}).status, 200);
  EXPECT_EQ(harness.call("GET", "/readyz").status, 200);
  harness.readiness = {false, "The schema is behind: run migrate."};
  const auto response = harness.call("GET", "/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(has(response, "The schema is behind: run migrate."));
  EXPECT_EQ(harness.call("GET", "/healthz").status, 200);
  const auto metrics = harness.call("GET", "/metrics");
  EXPECT_TRUE(metrics.content_type.starts_with("text/plain; version=0.0.4"));
  EXPECT_EQ(harness.metrics.http_responses[2].value(), 4U);
  EXPECT_EQ(harness.metrics.http_responses[5].value(), 1U);
  EXPECT_EQ(harness.metrics.http_request_seconds.count(), 5U);
}

TEST(Ops, ListenersServeOnlyWhatTheyAreFor) {
  Harness api({.ops_routes = false});
  EXPECT_EQ(api.call("GET", "/healthz").status, 404);
  EXPECT_EQ(api.call("GET", "/api/mobile/channels").status, 200);
  Harness ops({.api_routes = false});
  EXPECT_EQ(ops.call("GET", "/healthz").status, 200);
  EXPECT_EQ(ops.call("GET", "/api/mobile/channels").status, 404);
}

const std::string kAccessChanged = "/api/admin/users/019ce156-0000-7000-8000-000000000001/access-changed";

TEST(AccessChanged, AsksTheProviderForEveryGatedKeyBeforeItIsRecorded) {
  Harness harness({}, true);
  harness.work.add_channel(5, ChannelStatus::kActive, "vip");
  harness.work.add_channel(6, ChannelStatus::kActive, "gold");
  EXPECT_EQ(harness.as("admin", "POST", kAccessChanged).status, 200);
  ASSERT_EQ(harness.provider.asked.size(), 1U);
  ASSERT_EQ(harness.provider.asked[0].size(), 2U);
  EXPECT_EQ(harness.provider.asked[0][0].key, "vip");
  EXPECT_EQ(harness.provider.asked[0][0].user.value.text(), "019ce156-0000-7000-8000-000000000001");
  ASSERT_EQ(harness.work.appended.size(), 1U);
  EXPECT_EQ(harness.work.appended[0].room, domain::kAccessLog);
}

TEST(AccessChanged, Is503AndNotRecordedWhileTheProviderIsSilent) {
  Harness harness({}, true);
  harness.work.add_channel(5, ChannelStatus::kActive, "vip");
  harness.provider.silent = true;
  const auto response = harness.as("admin", "POST", kAccessChanged);
  EXPECT_EQ(response.status, 503);
  EXPECT_FALSE(header(response, "Retry-After").empty());
  EXPECT_TRUE(harness.work.appended.empty());
}

TEST(AccessChanged, IsRecordedAtOnceWithoutAProvider) {
  Harness harness;
  EXPECT_EQ(harness.as("admin", "POST", kAccessChanged).status, 200);
  EXPECT_EQ(harness.work.appended.size(), 1U);
}

TEST(Problem, KeepsHttpLevelStatuses) {
  core::Error error = core::Error::malformed("", "took too long");
  const auto response = problem(error, "r-1", 408);
  EXPECT_EQ(response.status, 408);
  EXPECT_TRUE(has(response, R"("statusCode":408,"code":"VALIDATION_ERROR")"));
  EXPECT_EQ(header(response, "X-Request-Id"), "r-1");
}

class ThrowingDatabase final : public domain::Database {
 public:
  void submit(domain::JobMode, domain::JobOptions, Body, Done) override { throw std::runtime_error("broken"); }
  void create_message(domain::CreateMessage, domain::JobOptions, MessageDone) override { throw 5; }
};

TEST(Crash, BecomesA500WithoutTheReason) {
  Harness parts;
  ThrowingDatabase database;
  const auto service = make_service(
      {}, {database, parts.authenticator, nullptr, parts.clock, parts.metrics, [] { return Readiness{}; }});
  for (const auto& [method, path, body] :
       {std::tuple<std::string, std::string, std::string>{"GET", "/api/mobile/channels", ""},
        {"POST", "/api/mobile/channels/3/discussion/messages", R"({"body":"x"})"}}) {
    Request request{method, path, "", {{"authorization", "Bearer user"}}, body};
    std::optional<Response> answer;
    service->handle(std::move(request), [&](Response response) { answer = std::move(response); });
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 500);
    EXPECT_FALSE(has(*answer, "broken"));
    EXPECT_TRUE(has(*answer, "INTERNAL_ERROR"));
  }
}

}  // namespace
}  // namespace belfry::http
