#include <algorithm>
#include <set>

#include "unit/http/harness.hpp"

/// What is refused before the database is asked, and in which order.
namespace belfry::http {
namespace {

using namespace testing;

struct Route {
  std::string method, path;
};

std::vector<Route> routes(std::string_view prefix) {
  std::vector<Route> found;
  for (const auto& line : list_routes()) {
    const auto space = line.find(' ');
    if (line.substr(space + 1).starts_with(prefix)) found.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  return found;
}

TEST(Routes, AreThoseOfTheContract) {
  const std::set<std::string> expected{
      "GET /api/mobile/channels",
      "GET /api/mobile/channels/{id}",
      "POST /api/mobile/channels/{id}/join",
      "POST /api/mobile/channels/{id}/leave",
      "GET /api/mobile/channels/{id}/posts",
      "GET /api/mobile/posts/{postId}",
      "GET /api/mobile/channels/{id}/discussion",
      "GET /api/mobile/channels/{id}/discussion/messages",
      "POST /api/mobile/channels/{id}/discussion/messages",
      "PATCH /api/mobile/discussion-messages/{id}",
      "DELETE /api/mobile/discussion-messages/{id}",
      "POST /api/mobile/channels/{id}/read-state",
      "GET /api/mobile/channels/{id}/read-state",
      "POST /api/mobile/ws-tickets",
      "POST /api/admin/channels",
      "GET /api/admin/channels",
      "GET /api/admin/channels/{id}",
      "PATCH /api/admin/channels/{id}",
      "POST /api/admin/channels/{id}/posts",
      "GET /api/admin/channels/{id}/posts",
      "GET /api/admin/posts/{postId}",
      "PATCH /api/admin/posts/{postId}",
      "DELETE /api/admin/posts/{postId}",
      "PUT /api/admin/posts/{postId}/pin",
      "DELETE /api/admin/posts/{postId}/pin",
      "PUT /api/admin/channels/{id}/discussion",
      "GET /api/admin/channels/{id}/discussion",
      "POST /api/admin/channels/{id}/discussion/messages",
      "GET /api/admin/channels/{id}/discussion/messages",
      "PATCH /api/admin/discussion-messages/{id}",
      "DELETE /api/admin/discussion-messages/{id}",
      "POST /api/admin/discussion-messages/{id}/restore",
      "GET /api/admin/channels/{id}/discussion/bans",
      "PUT /api/admin/channels/{id}/discussion/bans/{userId}",
      "DELETE /api/admin/channels/{id}/discussion/bans/{userId}",
      "GET /api/admin/channels/{id}/discussion/mutes",
      "PUT /api/admin/channels/{id}/discussion/mutes/{userId}",
      "DELETE /api/admin/channels/{id}/discussion/mutes/{userId}",
      "GET /api/admin/users/{userId}",
      "PUT /api/admin/users/{userId}/entitlements/{key}",
      "DELETE /api/admin/users/{userId}/entitlements/{key}",
      "PUT /api/admin/users/{userId}/features/{key}",
      "DELETE /api/admin/users/{userId}/features/{key}",
      "POST /api/admin/users/{userId}/access-changed",
      "GET /api/admin/audit-log",
      "GET /healthz",
      "GET /readyz",
      "GET /metrics",
  };
  const auto listed = list_routes();
  EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()), expected);
  EXPECT_EQ(listed.size(), expected.size());
}

TEST(Order, UnknownPathsAreNoRouteWhateverElseIsWrong) {
  Harness harness;
  for (const char* path : {"/", "", "/api", "/api/mobile", "/api/mobile/channels/", "/api/mobile/channels//posts",
                           "/api/mobile/channels/3/posts/", "//api/mobile/channels", "/api/mobile/Channels",
                           "/api/mobile/channels/3/x", "/metrics/", "/%zz", "/api/mobile/channels/3%2Fposts/4"}) {
    const auto response = harness.as("old", "BREW", path, "nonsense");
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_TRUE(has(response, R"("reason":"NO_ROUTE")")) << path;
  }
  EXPECT_TRUE(harness.database.jobs.empty());
}

TEST(Order, MethodComesBeforeAuthenticationAndAllowListsWhatThePathHas) {
  Harness harness;
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"DELETE", "/api/mobile/channels/x", "GET, HEAD"},
      {"PUT", "/api/mobile/channels/3/read-state", "POST, GET, HEAD"},
      {"GET", "/api/mobile/channels/3/join", "POST"},
      {"HEAD", "/api/mobile/channels/3/join", "POST"},
      {"OPTIONS", "/api/admin/posts/3", "GET, HEAD, PATCH, DELETE"},
      {"get", "/api/admin/audit-log", "GET, HEAD"},
      {"POST", "/healthz", "GET, HEAD"},
  };
  for (const auto& [method, path, allow] : cases) {
    const auto response = harness.as("old", method, path);
    EXPECT_EQ(response.status, 405) << path;
    EXPECT_EQ(header(response, "Allow"), allow) << path;
    EXPECT_TRUE(has(response, R"("code":"METHOD_NOT_ALLOWED")")) << path;
  }
}

TEST(Order, AuthenticationComesBeforeThePathIdAndTheBody) {
  Harness harness;
  for (const auto& prefix : {"/api/mobile", "/api/admin"}) {
    for (auto [method, path] : routes(prefix)) {
      for (const std::string parameter : {"{id}", "{postId}", "{userId}", "{key}"}) {
        if (const auto at = path.find(parameter); at != std::string::npos) path.replace(at, parameter.size(), "-1");
      }
      for (const auto& [token, reason] : {std::pair{"old", "TOKEN_EXPIRED"}, {"junk", "TOKEN_INVALID"}}) {
        const auto response = harness.as(token, method, path, "nonsense");
        EXPECT_EQ(response.status, 401) << method << path;
        EXPECT_TRUE(has(response, reason)) << method << path;
        EXPECT_EQ(header(response, "WWW-Authenticate"), "Bearer");
      }
      EXPECT_EQ(harness.call(method, path, "nonsense", {{"authorization", "Basic dTpw"}}).status, 401)
          << method << path;
      EXPECT_EQ(harness.call(method, path, "nonsense", {{"authorization", ""}}).status, 401) << method << path;
      EXPECT_EQ(harness.as("down", method, path).status, 503) << method << path;
    }
  }
  EXPECT_TRUE(harness.database.jobs.empty());
}

TEST(Order, WithoutATokenOnlyOptionalRoutesGoOn) {
  Harness harness;
  const std::set<std::string> optional{"/api/mobile/channels", "/api/mobile/channels/{id}",
                                       "/api/mobile/channels/{id}/posts", "/api/mobile/posts/{postId}"};
  for (const auto& prefix : {"/api/mobile", "/api/admin"}) {
    for (const auto& [method, path] : routes(prefix)) {
      const auto response = harness.call(method, concrete(path), "nonsense");
      if (method == "GET" && optional.contains(path)) {
        EXPECT_NE(response.status, 401) << path;
      } else {
        EXPECT_EQ(response.status, 401) << method << path;
        EXPECT_TRUE(has(response, "LOGIN_REQUIRED")) << method << path;
      }
    }
  }
}

TEST(Order, AdminRoutesRefuseUsersBeforeTheyLookAtAnything) {
  Harness harness;
  for (const auto& [method, path] : routes("/api/admin")) {
    auto bad = path;
    if (const auto at = bad.find("{id}"); at != std::string::npos) bad.replace(at, 4, "-1");
    const auto response = harness.as("user", method, bad, "nonsense");
    EXPECT_EQ(response.status, 403) << method << path;
    EXPECT_TRUE(has(response, "ADMIN_REQUIRED")) << method << path;
  }
  EXPECT_TRUE(harness.database.jobs.empty());
}

TEST(Order, PathParametersComeBeforeTheBody) {
  Harness harness;
  const std::string bad_numbers[] = {
      "-1",  "0", "007", "+1",   "1e3",    "9223372036854775808",     "%203", "3%20", "1.0", "0x1", "abc",
      "%zz", "%", "%00", "3%00", "%D9%A3", "99999999999999999999999", "NaN"};
  const std::string bad_users[] = {"3",
                                   "x",
                                   "019ce156-0000-7000-8000-00000000000",
                                   "019ce156000070008000000000000001",
                                   "{019ce156-0000-7000-8000-000000000001}",
                                   "%zz"};
  const std::string bad_keys[] = {"a%20b", "%C3%BC", "a%2Fb", std::string(129, 'k'), "%zz", "a%00"};
  for (const auto& prefix : {"/api/mobile", "/api/admin"}) {
    for (const auto& [method, path] : routes(prefix)) {
      const auto check = [&](const std::string& parameter, const std::string& value) {
        const auto at = path.find(parameter);
        if (at == std::string::npos) return;
        auto target = path;
        const auto response =
            harness.as("admin", method, concrete(target.replace(at, parameter.size(), value)), "nonsense");
        EXPECT_EQ(response.status, 400) << method << target;
        EXPECT_TRUE(has(response, R"("field":")" + parameter.substr(1, parameter.size() - 2) + "\"")) << response.body;
      };
      for (const auto& value : bad_numbers) check("{id}", value);
      for (const auto& value : bad_numbers) check("{postId}", value);
      for (const auto& value : bad_users) check("{userId}", value);
      for (const auto& value : bad_keys) check("{key}", value);
    }
  }
  EXPECT_TRUE(harness.database.jobs.empty());
}

TEST(Order, ABodyThatIsNoObjectIsRefusedByEveryWrite) {
  Harness harness;
  const std::string bodies[] = {
      "nonsense", "[]", "null", "5", "{", R"({"body":"\ud800"})", "{\"body\":\"\xff\"}", std::string(10000, '['), " "};
  const std::set<std::string> needs_a_body{"POST /api/mobile/channels/{id}/discussion/messages",
                                           "PATCH /api/mobile/discussion-messages/{id}",
                                           "POST /api/mobile/channels/{id}/read-state",
                                           "POST /api/admin/channels",
                                           "PATCH /api/admin/channels/{id}",
                                           "POST /api/admin/channels/{id}/posts",
                                           "PATCH /api/admin/posts/{postId}",
                                           "PUT /api/admin/channels/{id}/discussion",
                                           "POST /api/admin/channels/{id}/discussion/messages",
                                           "PATCH /api/admin/discussion-messages/{id}"};
  for (const auto& line : list_routes()) {
    const auto space = line.find(' ');
    const auto method = line.substr(0, space);
    if (method == "GET") continue;
    const auto target = concrete(line.substr(space + 1));
    for (const auto& body : bodies) {
      EXPECT_EQ(harness.as("admin", method, target, body).status, 400) << line << " " << body.substr(0, 50);
    }
    EXPECT_EQ(harness.as("admin", method, target, R"({"surprise":1})").status, 422) << line;
    EXPECT_TRUE(harness.database.jobs.empty()) << line;
    const auto nothing = harness.as("admin", method, target, "");
    EXPECT_EQ(nothing.status == 400, needs_a_body.contains(line)) << line;
    harness.database.jobs.clear();
  }
}

TEST(Values, OfBodiesAreRefusedBeforeTheDatabase) {
  Harness harness;
  const std::tuple<std::string, std::string, std::string, std::string> cases[] = {
      {"POST", "/api/mobile/channels/9/discussion/messages", R"({"body":"a\u0000"})", "body"},
      {"POST", "/api/mobile/channels/9/discussion/messages", R"({"body":"  "})", "body"},
      {"POST", "/api/mobile/channels/9/discussion/messages", R"({"body":5})", "body"},
      {"PATCH", "/api/mobile/discussion-messages/9", R"({"body":null})", "body"},
      {"POST", "/api/mobile/channels/9/read-state", R"({"last_seen_post_id":5})", "last_seen_post_id"},
      {"POST", "/api/admin/channels", R"({"kind":"GROUP"})", "title"},
      {"PATCH", "/api/admin/channels/9", R"({"title":""})", "title"},
      {"POST", "/api/admin/channels/9/posts", R"({"type":"LINK"})", "linkUrl"},
      {"PATCH", "/api/admin/posts/9", R"({"type":"X"})", "type"},
      {"PUT", "/api/admin/channels/9/discussion", R"({"slowModeIntervalSeconds":1.0})", "slowModeIntervalSeconds"},
      {"PUT", "/api/admin/users/019ce156-0000-7000-8000-000000000001/features/f", R"({"validUntil":"x"})",
       "validUntil"},
  };
  for (const auto& [method, path, body, field] : cases) {
    const auto response = harness.as("admin", method, path, body);
    EXPECT_EQ(response.status, 422) << path << body;
    EXPECT_TRUE(has(response, R"("field":")" + field + "\"")) << response.body;
  }
  EXPECT_TRUE(harness.database.jobs.empty());
}

TEST(Values, OfQueriesAreRefusedBeforeTheDatabase) {
  Harness harness;
  const std::string posts[] = {"/api/mobile/channels/9/posts", "/api/admin/channels/9/posts"};
  const std::string messages[] = {"/api/mobile/channels/9/discussion/messages",
                                  "/api/admin/channels/9/discussion/messages"};
  const std::string lists[] = {"/api/mobile/channels",
                               "/api/admin/channels",
                               "/api/admin/audit-log",
                               posts[0],
                               posts[1],
                               messages[0],
                               messages[1]};
  const auto refuse = [&](const std::string& target, std::string_view field) {
    const auto response = harness.as("admin", "GET", target);
    EXPECT_EQ(response.status, 422) << target;
    EXPECT_TRUE(has(response, R"("field":")" + std::string(field) + "\"")) << target << response.body;
  };
  for (const auto& list : lists) {
    for (const char* limit : {"0", "101", "-1", "NaN", "1e1", "020", "20.0", "%2020", "+20", "99999999999999999999",
                              "a", "%zz", "%ff", "5%00"}) {
      refuse(list + "?limit=" + limit, "limit");
    }
    refuse(list + "?limit=5&limit=6", "limit");
    refuse(list + "?l%69mit=0", "limit");
  }
  for (const auto& list : posts) {
    for (const char* id : {"-1", "007", "x", "1e3", "9223372036854775808", "%", "1%00"}) {
      refuse(list + "?after_id=" + id, "after_id");
      refuse(list + "?before_id=" + id, "before_id");
    }
    refuse(list + "?after_id=1&before_id=4", "after_id");
    refuse(list + "?pinned=false", "pinned");
    refuse(list + "?pinned=1", "pinned");
  }
  for (const auto& list : messages) refuse(list + "?before_id=-1", "before_id");
  refuse(messages[0] + "?view=short", "view");
  for (const char* cursor : {"x", "e30", "%ff", "eyJpZCI6MX0"}) {
    refuse(std::string("/api/mobile/channels?cursor=") + cursor, "cursor");
    refuse(std::string("/api/admin/channels?cursor=") + cursor, "cursor");
    refuse(std::string("/api/admin/audit-log?cursor=") + cursor, "cursor");
  }
  refuse("/api/admin/audit-log?adminId=5", "adminId");
  refuse("/api/admin/audit-log?action=" + std::string(129, 'a'), "action");
  refuse("/api/admin/audit-log?entityId=%ff", "entityId");
  EXPECT_TRUE(harness.database.jobs.empty());
}

TEST(Values, UnknownAndEmptyQueryParametersAreAsIfAbsent) {
  Harness harness;
  for (const char* query : {"?", "?x=%zz", "?limit=", "?limit", "?&&=&", "?cursor=&limit=20", "?%zz=1"}) {
    EXPECT_EQ(harness.call("GET", std::string("/api/mobile/channels") + query).status, 200) << query;
  }
}

TEST(IdempotencyKeys, AreVisibleAsciiOfAtMost128) {
  Harness harness;
  harness.work.add_channel(3);
  harness.work.add_discussion(1, 3);
  const std::pair<std::string, std::string> creators[] = {
      {"/api/mobile/channels/3/discussion/messages", R"({"body":"x"})"},
      {"/api/admin/channels/3/discussion/messages", R"({"body":"x"})"},
      {"/api/admin/channels", R"({"kind":"GROUP","title":"T"})"},
      {"/api/admin/channels/3/posts", R"({"type":"TEXT","bodyText":"x"})"},
  };
  for (const auto& [path, body] : creators) {
    for (const auto& key :
         {std::string(), std::string("a b"), std::string("ü"), std::string(129, 'k'), std::string("\x7f")}) {
      const auto response = harness.as("admin", "POST", path, body, {{"idempotency-key", key}});
      EXPECT_EQ(response.status, 422) << path << key;
      EXPECT_TRUE(has(response, R"("field":"Idempotency-Key")"));
    }
    EXPECT_TRUE(harness.database.jobs.empty());
    const Headers key{{"idempotency-key", std::string(128, 'k')}};
    const auto first = harness.as("admin", "POST", path, body, key);
    EXPECT_EQ(first.status, 201) << path << first.body;
    const auto again = harness.as("admin", "POST", path, body, key);
    EXPECT_EQ(again.body, first.body);
    const auto other = harness.as("admin", "POST", path, body + " ", key);
    EXPECT_EQ(other.status, 409) << path;
    EXPECT_TRUE(has(other, "IDEMPOTENCY_KEY_REUSED"));
    harness.database.jobs.clear();
  }
}

TEST(IdempotencyKeys, BelongToTheDecodedPathAndTheCaller) {
  Harness harness;
  harness.work.add_channel(3);
  harness.work.add_discussion(1, 3);
  const Headers key{{"idempotency-key", "k"}};
  const std::string body = R"({"body":"x"})";
  const auto first = harness.as("user", "POST", "/api/mobile/channels/3/discussion/messages", body, key);
  EXPECT_EQ(harness.as("user", "POST", "/api/mobile/channels/%33/discussion/messages", body, key).body, first.body);
  EXPECT_NE(harness.as("other", "POST", "/api/mobile/channels/3/discussion/messages", body, key).body, first.body);
}

}  // namespace
}  // namespace belfry::http
