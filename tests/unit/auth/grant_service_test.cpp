#include "belfry/auth/grant_service.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <tuple>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "auth/known_grants.hpp"

namespace belfry::auth {
namespace {

using core::TimePoint;
using domain::GrantKind;
using domain::GrantQuestion;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Answers = domain::GrantProvider::Answers;

class FixedClock final : public core::Clock {
 public:
  TimePoint now() const override { return at; }
  TimePoint at{seconds(1'800'000'000)};
};

const core::UserId kAda{*core::Uuid::parse("0190c0de-1647-75b9-a5ba-000000000001")};
const core::UserId kBob{*core::Uuid::parse("0190c0de-1647-75b9-a5ba-000000000002")};

class GrantServiceTest : public testing::Test {
 protected:
  using Pending = std::pair<outbound::HttpCall, std::move_only_function<void(core::Result<outbound::HttpAnswer>)>>;
  using Outcome = std::shared_ptr<std::optional<core::Result<Answers>>>;

  Outcome ask(std::vector<GrantQuestion> questions, bool fresh = false) {
    auto outcome = std::make_shared<std::optional<core::Result<Answers>>>();
    service_.ask(std::move(questions), fresh,
                 [outcome](core::Result<Answers> answers) { *outcome = std::move(answers); });
    return outcome;
  }
  static GrantQuestion question(core::UserId user, std::string key) {
    return {user, GrantKind::kEntitlement, std::move(key)};
  }
  void answer(std::string body, int status = 200) {
    auto pending = std::move(calls_.front());
    calls_.pop_front();
    pending.second(outbound::HttpAnswer{status, std::move(body)});
  }
  static std::string grants(core::UserId user, const std::string& key, const std::string& grant) {
    return R"({"grants":{")" + user.value.text() + R"(":{")" + key + "\":" + grant + "}}}";
  }

  FixedClock clock_;
  telemetry::Metrics metrics_;
  std::deque<Pending> calls_;
  GrantService service_{
      {.url = "http://provider.test/grants"},
      [this](outbound::HttpCall call, auto done) { calls_.emplace_back(std::move(call), std::move(done)); },
      clock_,
      metrics_};
};

TEST_F(GrantServiceTest, AnActiveGrantComesBackWithItsEndAndIsRemembered) {
  const auto first = ask({question(kAda, "vip")});
  ASSERT_EQ(calls_.size(), 1U);
  const auto body = nlohmann::json::parse(calls_.front().first.body);
  EXPECT_EQ(body["users"], nlohmann::json::array({kAda.value.text()}));
  EXPECT_EQ(body["keys"], nlohmann::json::array({"vip"}));
  answer(grants(kAda, "vip", R"({"active":true,"validUntil":"2030-01-01T00:00:00Z"})"));
  ASSERT_TRUE(*first && (*first)->has_value());
  const auto& grant = (**first)->at(0).second;
  ASSERT_TRUE(grant);
  EXPECT_EQ(core::format_iso8601(*grant->valid_until), "2030-01-01T00:00:00.000Z");
  const auto second = ask({question(kAda, "vip")});
  EXPECT_TRUE(calls_.empty());
  EXPECT_TRUE(second->has_value());
}

TEST_F(GrantServiceTest, WhatIsMissingIsNo) {
  const auto outcome = ask({question(kAda, "vip")});
  answer(R"({"grants":{}})");
  ASSERT_TRUE((*outcome)->has_value());
  EXPECT_FALSE((**outcome)->at(0).second);
}

TEST_F(GrantServiceTest, ARememberedGrantEndsAtItsInstant) {
  ask({question(kAda, "vip")});
  answer(
      grants(kAda, "vip", R"({"active":true,"validUntil":")" + core::format_iso8601(clock_.at + seconds(3)) + "\"}"));
  clock_.at += seconds(3);
  const auto outcome = ask({question(kAda, "vip")});
  ASSERT_TRUE(outcome->has_value());
  EXPECT_FALSE((**outcome)->at(0).second);
}

TEST_F(GrantServiceTest, QuestionsThatComeMeanwhileShareTheNextCall) {
  const auto first = ask({question(kAda, "a")});
  const auto second = ask({question(kAda, "b")});
  const auto third = ask({question(kBob, "c")});
  ASSERT_EQ(calls_.size(), 1U);
  answer(R"({"grants":{}})");
  ASSERT_EQ(calls_.size(), 1U);
  const auto body = nlohmann::json::parse(calls_.front().first.body);
  EXPECT_EQ(body["users"].size(), 2U);
  EXPECT_EQ(body["keys"].size(), 2U);
  answer(R"({"grants":{}})");
  EXPECT_TRUE(first->has_value() && second->has_value() && third->has_value());
}

TEST_F(GrantServiceTest, EveryAnswerButAWellFormed200IsUnknownNeverNo) {
  const std::pair<std::string, int> table[] = {{R"({"grants":{}})", 500},
                                               {R"({"grants":{}})", 404},
                                               {"", 200},
                                               {"garbage", 200},
                                               {"[]", 200},
                                               {R"({"grants":[]})", 200},
                                               {R"({"grants":{"nobody":{}}})", 200},
                                               {grants(kAda, "vip", "true"), 200},
                                               {grants(kAda, "vip", R"({"active":"yes"})"), 200},
                                               {grants(kAda, "vip", R"({"active":true,"validUntil":"soon"})"), 200},
                                               {grants(kAda, "vip", R"({"active":true,"validUntil":5})"), 200}};
  for (const auto& [body, status] : table) {
    clock_.at += seconds(60);
    const auto outcome = ask({question(kAda, "vip")});
    ASSERT_EQ(calls_.size(), 1U) << body;
    answer(body, status);
    ASSERT_TRUE(outcome->has_value());
    ASSERT_FALSE((*outcome)->has_value()) << body;
    EXPECT_EQ((*outcome)->error().code, core::ErrorCode::kUnavailable);
  }
}

TEST_F(GrantServiceTest, ASilentServiceIsNotAskedForEveryRequest) {
  for (int i = 0; i < 5; ++i) {
    ask({question(kAda, "vip")});
    answer("", 500);
  }
  const auto refused = ask({question(kAda, "vip")});
  EXPECT_TRUE(calls_.empty());
  ASSERT_TRUE(refused->has_value() && !(*refused)->has_value());
  clock_.at += seconds(2);
  ask({question(kAda, "vip")});
  EXPECT_EQ(calls_.size(), 1U) << "one trial after the pause";
  answer(R"({"grants":{}})");
  ask({question(kBob, "vip")});
  EXPECT_EQ(calls_.size(), 1U) << "closed again after a success";
}

TEST_F(GrantServiceTest, AClockThatIsSetBackMakesNothingFresh) {
  ask({question(kAda, "vip")});
  answer(grants(kAda, "vip", R"({"active":true,"validUntil":null})"));
  clock_.at -= seconds(3600);
  ask({question(kAda, "vip")});
  EXPECT_EQ(calls_.size(), 1U) << "nobody knows how old the remembered answer is";
  answer("", 500);
  for (int i = 0; i < 4; ++i) {
    ask({question(kAda, "vip")});
    answer("", 500);
  }
  ask({question(kAda, "vip")});
  EXPECT_TRUE(calls_.empty());
  clock_.at -= seconds(3600);
  ask({question(kAda, "vip")});
  EXPECT_EQ(calls_.size(), 1U) << "a pause does not last an hour";
}

TEST_F(GrantServiceTest, ForgetAndFreshAskAgain) {
  ask({question(kAda, "vip")});
  answer(grants(kAda, "vip", R"({"active":true,"validUntil":null})"));
  ask({question(kAda, "vip")}, true);
  EXPECT_EQ(calls_.size(), 1U);
  answer(grants(kAda, "vip", R"({"active":true,"validUntil":null})"));
  service_.forget(kAda);
  ask({question(kAda, "vip")});
  EXPECT_EQ(calls_.size(), 1U);
}

TEST_F(GrantServiceTest, AnAnswerOlderThanTheChangeIsNotRemembered) {
  ask({question(kAda, "vip")});
  service_.forget(kAda);
  answer(grants(kAda, "vip", R"({"active":true,"validUntil":null})"));
  ask({question(kAda, "vip")});
  EXPECT_EQ(calls_.size(), 1U);
}

TEST_F(GrantServiceTest, AnAnswerOlderThanTheChangeIsNotRememberedThoughAnotherCallLeavesMeanwhile) {
  ask({question(kBob, "first")});
  service_.ask({question(kBob, "vip")}, false, [this](const auto&) { ask({question(kBob, "next")}); });
  ask({question(kAda, "vip")});
  answer(R"({"grants":{}})");
  service_.forget(kAda);
  answer(grants(kAda, "vip", R"({"active":true,"validUntil":null})"));
  answer(R"({"grants":{}})");
  ASSERT_TRUE(calls_.empty());
  ask({question(kAda, "vip")});
  EXPECT_EQ(calls_.size(), 1U);
}

/// Asks as many users about as many keys, and answers as a service does that holds callers to the agreed limits.
class GrantServiceLimits : public GrantServiceTest {
 protected:
  static core::UserId user(int i) {
    const std::string digits = std::to_string(i);
    return {*core::Uuid::parse("0190c0de-1647-75b9-a5ba-" + std::string(12 - digits.size(), '0') + digits)};
  }
  static std::string key(int i) {
    const std::string digits = std::to_string(i);
    return std::string(128 - digits.size(), 'k') + digits;
  }
  static std::vector<GrantQuestion> each(int users, int keys) {
    std::vector<GrantQuestion> questions;
    for (int u = 0; u < users; ++u) {
      for (int k = 0; k < keys; ++k) questions.push_back(question(user(u), key(k)));
    }
    return questions;
  }
  /// Grants all that is asked, with the end given.
  void grant(const std::string& valid_until = "2030-01-01T00:00:00.000Z") {
    ASSERT_FALSE(calls_.empty());
    const auto asked = nlohmann::json::parse(calls_.front().first.body);
    const auto users = asked["users"].size();
    const auto keys = asked["keys"].size();
    if (users > 500 || keys > 500 || users * keys > 10'000) return answer("too much", 400);
    nlohmann::json grants = nlohmann::json::object();
    for (const std::string user : asked["users"]) {
      for (const std::string key : asked["keys"]) grants[user][key] = {{"active", true}, {"validUntil", valid_until}};
    }
    auto body = nlohmann::json{{"grants", std::move(grants)}}.dump();
    answer_bytes_ = body.size();
    answer(std::move(body));
  }

  std::size_t answer_bytes_ = 0;
};

TEST_F(GrantServiceLimits, WhatIsTooMuchForOneCallIsAskedInSeveralAndAnsweredOnce) {
  std::vector<GrantQuestion> pairs;
  for (int i = 0; i < 150; ++i) pairs.push_back(question(user(i), key(i)));
  auto by_key = each(250, 50);
  std::ranges::sort(by_key, {}, [](const GrantQuestion& one) { return std::tie(one.key, one.user); });
  const std::tuple<const char*, std::vector<GrantQuestion>, std::size_t> table[] = {
      {"as much as fits", each(1, 500), 1}, {"keys", each(1, 501), 2},           {"users", each(501, 1), 2},
      {"many keys", each(1, 1700), 4},      {"users by keys", each(250, 50), 2}, {"keys by users", by_key, 2},
      {"each user another key", pairs, 2}};
  for (const auto& [name, questions, expected_calls] : table) {
    clock_.at += seconds(60);
    int answered = 0;
    core::Result<Answers> got;
    service_.ask(questions, false, [&](core::Result<Answers> answers) {
      ++answered;
      got = std::move(answers);
    });
    std::size_t calls = 0;
    for (; !calls_.empty(); ++calls) {
      EXPECT_EQ(answered, 0) << name;
      ASSERT_EQ(calls_.size(), 1U) << name << ": one call at a time";
      grant();
    }
    EXPECT_EQ(calls, expected_calls) << name;
    EXPECT_EQ(answered, 1) << name;
    ASSERT_TRUE(got) << name;
    ASSERT_EQ(got->size(), questions.size()) << name;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      ASSERT_TRUE((*got)[i].first.user == questions[i].user && (*got)[i].first.key == questions[i].key) << name;
      ASSERT_TRUE((*got)[i].second) << name;
    }
  }
}

TEST_F(GrantServiceLimits, TheLongestAnswerToAFullCallIsReadWithRoomToSpare) {
  const auto outcome = ask(each(500, 20));
  const auto most = calls_.front().first.max_response_bytes;
  grant();
  EXPECT_TRUE(outcome->has_value() && calls_.empty());
  EXPECT_LT(2 * answer_bytes_, most);
}

TEST_F(GrantServiceLimits, QuestionsThatTogetherAreTooMuchShareNoCall) {
  ask({question(kBob, "first")});
  std::vector<Outcome> outcomes;
  for (int u = 0; u < 150; ++u) {
    std::vector<GrantQuestion> questions;
    for (int k = 0; k < 99; ++k) questions.push_back(question(user(u), key(k)));
    outcomes.push_back(ask(std::move(questions)));
  }
  answer(R"({"grants":{}})");
  ASSERT_EQ(calls_.size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(calls_.front().first.body)["users"].size(), 101U);
  grant();
  for (int u = 0; u < 150; ++u) EXPECT_EQ(outcomes[static_cast<std::size_t>(u)]->has_value(), u < 101) << u;
  grant();
  for (const auto& one : outcomes) EXPECT_TRUE(one->has_value() && (*one)->has_value());
  EXPECT_TRUE(calls_.empty());
}

TEST_F(GrantServiceLimits, WhatWouldFitBesideAPartOfWhatWasCutWaits) {
  ask({question(kBob, "first")});
  const auto large = ask(each(1, 1001));
  const auto small = ask({question(user(1), key(0))});
  answer(R"({"grants":{}})");
  for (int call = 0; call < 2; ++call) {
    grant();
    EXPECT_FALSE(large->has_value() || small->has_value());
  }
  grant();
  for (const auto& one : {large, small}) {
    ASSERT_TRUE(one->has_value() && (*one)->has_value());
    EXPECT_TRUE((**one)->back().second);
  }
  EXPECT_TRUE(calls_.empty()) << "it went with the last part";
}

TEST_F(GrantServiceLimits, ACallThatFailsFailsTheWholeOfWhatWasCut) {
  const auto large = ask(each(1, 1200));
  const auto small = ask({question(kBob, "vip")});
  grant();
  EXPECT_FALSE(large->has_value() || small->has_value());
  answer("", 500);
  ASSERT_TRUE(large->has_value());
  EXPECT_EQ((*large)->error().code, core::ErrorCode::kUnavailable);
  ASSERT_EQ(calls_.size(), 1U) << "the rest of it is not asked any more";
  EXPECT_EQ(nlohmann::json::parse(calls_.front().first.body)["keys"], nlohmann::json::array({"vip"}));
  grant();
  EXPECT_TRUE(small->has_value() && (*small)->has_value());
}

TEST_F(GrantServiceLimits, WhatEndsBeforeTheLastOfItsCallsIsNoGrant) {
  const auto outcome = ask(each(1, 501));
  grant(core::format_iso8601(clock_.at + seconds(1)));
  clock_.at += seconds(1);
  grant();
  ASSERT_TRUE(outcome->has_value() && (*outcome)->has_value());
  EXPECT_FALSE((**outcome)->front().second);
  EXPECT_TRUE((**outcome)->back().second);
}

TEST_F(GrantServiceLimits, NoQuestionIsNoCall) {
  const auto outcome = ask({}, true);
  EXPECT_TRUE(calls_.empty());
  EXPECT_TRUE(outcome->has_value() && (*outcome)->has_value());
}

TEST(KnownGrants, WhoseRightsChangedIsKeptOnlyWhileACallIsOnItsWay) {
  KnownGrants known(100);
  known.forget(kAda);
  EXPECT_EQ(known.changed(), 0U) << "no call whose answer could be older";
  known.call_leaves();
  for (int i = 0; i < 3; ++i) known.forget(kAda);
  EXPECT_EQ(known.changed(), 1U);
  known.remember({kAda, "vip"}, {});
  known.remember({kBob, "vip"}, {});
  EXPECT_EQ(known.find({kAda, "vip"}), nullptr);
  EXPECT_NE(known.find({kBob, "vip"}), nullptr);
  known.call_ended();
  EXPECT_EQ(known.changed(), 0U);
  known.forget(kBob);
  EXPECT_EQ(known.changed(), 0U);
  EXPECT_EQ(known.find({kBob, "vip"}), nullptr);
}

}  // namespace
}  // namespace belfry::auth
