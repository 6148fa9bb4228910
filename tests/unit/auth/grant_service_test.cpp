#include "belfry/auth/grant_service.hpp"

#include <deque>
#include <set>

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
