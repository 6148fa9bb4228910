#include "belfry/domain/access.hpp"

#include <gtest/gtest.h>

#include "unit/domain/fake_work.hpp"

namespace belfry::domain::testing {
namespace {

Grant grant(std::optional<TimePoint> from, std::optional<TimePoint> until) {
  return {GrantKind::kEntitlement, "vip", from, until};
}

Sanction sanction(std::optional<TimePoint> until = {}) {
  Sanction sanction;
  sanction.until = until;
  return sanction;
}

std::string verdict_of(const AccessDecision& decision) {
  return decision.allowed() ? "ok" : verdict(core::Result<void>(core::fail(*decision.refusal)));
}

Channel channel(ChannelStatus status, AccessPolicy policy) {
  Channel channel;
  channel.status = status;
  channel.access_policy = policy;
  if (policy == AccessPolicy::kExternalGated) channel.entitlement_key = "vip";
  return channel;
}

TEST(DecideChannel, AnswersTheTable) {
  using enum ChannelStatus;
  using enum AccessPolicy;
  struct Case {
    const char* name;
    Actor actor;
    ChannelStatus status;
    AccessPolicy policy;
    ChannelStanding standing;
    const char* expected;
    bool locked;
    std::optional<TimePoint> valid_until;
  };
  const Case cases[] = {
      {"open, anonymous", anonymous(), kActive, kOpen, {}, "ok", false, {}},
      {"open, user", user(1), kActive, kOpen, {}, "ok", false, {}},
      {"open, archived", user(1), kArchived, kOpen, {}, "ok", false, {}},
      {"draft, anonymous", anonymous(), kDraft, kOpen, {}, "NOT_FOUND", false, {}},
      {"draft, entitled", user(1), kDraft, kExternalGated, {grant(at(-9), {}), true}, "NOT_FOUND", false, {}},
      {"draft, admin", admin(), kDraft, kOpen, {}, "NOT_FOUND", false, {}},
      {"gated, anonymous", anonymous(), kActive, kExternalGated, {}, "FORBIDDEN/LOGIN_REQUIRED", false, {}},
      {"gated, stranger", user(1), kActive, kExternalGated, {}, "FORBIDDEN/ENTITLEMENT_REQUIRED", false, {}},
      {"gated, joined once", user(1), kActive, kExternalGated, {{}, true}, "FORBIDDEN/CHANNEL_LOCKED", true, {}},
      {"gated, admin", admin(), kActive, kExternalGated, {}, "ok", false, {}},
      {"gated, entitled without end", user(1), kActive, kExternalGated, {grant(at(-9), {}), false}, "ok", false, {}},
      {"gated, entitled with an end",
       user(1),
       kArchived,
       kExternalGated,
       {grant({}, at(9)), false},
       "ok",
       false,
       at(9)},
      {"gated, from this instant", user(1), kActive, kExternalGated, {grant(at(0), at(9)), false}, "ok", false, at(9)},
      {"gated, from later",
       user(1),
       kActive,
       kExternalGated,
       {grant(at(1), {}), false},
       "FORBIDDEN/ENTITLEMENT_REQUIRED",
       false,
       {}},
      {"gated, until this instant",
       user(1),
       kActive,
       kExternalGated,
       {grant(at(-9), at(0)), true},
       "FORBIDDEN/CHANNEL_LOCKED",
       true,
       {}},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    const auto decision = decide_channel(test.actor, channel(test.status, test.policy), test.standing, at(0));
    EXPECT_EQ(verdict_of(decision), test.expected);
    EXPECT_EQ(decision.locked, test.locked);
    EXPECT_EQ(decision.valid_until, test.valid_until);
  }
}

TEST(DecideDiscussion, AnswersTheTable) {
  struct Case {
    const char* name;
    Actor actor;
    std::optional<Grant> entitlement;
    bool enabled;
    bool feature_required;
    std::optional<Grant> feature;
    std::optional<Sanction> ban;
    const char* expected;
    std::optional<TimePoint> valid_until;
  };
  const auto endless = grant(at(-9), {});
  const Case cases[] = {
      {"channel refuses first", user(1), {}, false, true, {}, sanction(), "FORBIDDEN/ENTITLEMENT_REQUIRED", {}},
      {"disabled before feature", user(1), endless, false, true, {}, sanction(), "FORBIDDEN/DISCUSSION_DISABLED", {}},
      {"feature before ban", user(1), endless, true, true, {}, sanction(), "FORBIDDEN/FEATURE_REQUIRED", {}},
      {"ban last", user(1), endless, true, true, endless, sanction(), "FORBIDDEN/DISCUSSION_BANNED", {}},
      {"ban without feature", user(1), endless, true, false, {}, sanction(at(1)), "FORBIDDEN/DISCUSSION_BANNED", {}},
      {"ban over at this instant", user(1), endless, true, false, {}, sanction(at(0)), "ok", {}},
      {"allowed", user(1), endless, true, false, {}, {}, "ok", {}},
      {"ends with the entitlement", user(1), grant({}, at(5)), true, true, grant({}, at(7)), {}, "ok", at(5)},
      {"ends with the feature", user(1), grant({}, at(7)), true, true, grant({}, at(5)), {}, "ok", at(5)},
      {"feature over at this instant",
       user(1),
       endless,
       true,
       true,
       grant({}, at(0)),
       {},
       "FORBIDDEN/FEATURE_REQUIRED",
       {}},
      {"admin passes feature and ban", admin(), {}, true, true, {}, sanction(), "ok", {}},
      {"admin does not pass the switch", admin(), {}, false, false, {}, {}, "FORBIDDEN/DISCUSSION_DISABLED", {}},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    Discussion discussion;
    discussion.is_enabled = test.enabled;
    if (test.feature_required) discussion.required_feature_key = "chat";
    const auto decision = decide_discussion(test.actor, channel(ChannelStatus::kActive, AccessPolicy::kExternalGated),
                                            {test.entitlement, false}, discussion, {test.feature, test.ban}, at(0));
    EXPECT_EQ(verdict_of(decision), test.expected);
    EXPECT_EQ(decision.valid_until, test.valid_until);
  }
}

TEST(DecideDiscussion, AsksTheAnonymousToLogInEvenWhereTheChannelIsOpen) {
  const auto decision =
      decide_discussion(anonymous(), channel(ChannelStatus::kActive, AccessPolicy::kOpen), {}, Discussion{}, {}, at(0));
  EXPECT_EQ(verdict_of(decision), "UNAUTHORIZED/LOGIN_REQUIRED");
}

TEST(DecideMuted, TellsTheEndAndSparesAdmins) {
  EXPECT_EQ(verdict(decide_muted(user(1), std::nullopt, at(0))), "ok");
  EXPECT_EQ(verdict(decide_muted(user(1), sanction(at(0)), at(0))), "ok");
  EXPECT_EQ(verdict(decide_muted(admin(), sanction(), at(0))), "ok");
  const auto timed = decide_muted(user(1), sanction(at(5)), at(0));
  ASSERT_EQ(verdict(timed), "FORBIDDEN/DISCUSSION_MUTED");
  EXPECT_TRUE(timed.error().muted);
  EXPECT_EQ(timed.error().muted_until, at(5));
  const auto endless = decide_muted(user(1), sanction(), at(0));
  ASSERT_FALSE(endless);
  EXPECT_TRUE(endless.error().muted);
  EXPECT_EQ(endless.error().muted_until, std::nullopt);
}

TEST(DecideSlowMode, AnswersTheTable) {
  struct Case {
    const char* name;
    Actor actor;
    bool enabled;
    std::optional<TimePoint> last;
    std::optional<int> retry_after;  // absent: allowed
  };
  const auto ms = [](int count) { return at(0) + std::chrono::milliseconds{count}; };
  const Case cases[] = {
      {"off", user(1), false, at(0), {}},          {"first message", user(1), true, {}, {}},
      {"admin", admin(), true, at(0), {}},         {"same instant", user(1), true, at(0), 10},
      {"rounded up", user(1), true, ms(-9999), 1}, {"just over", user(1), true, ms(-10000), {}},
      {"half way", user(1), true, ms(-4500), 6},   {"clock set back", user(1), true, at(60), 10},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    Discussion discussion;
    discussion.slow_mode_enabled = test.enabled;
    discussion.slow_mode_interval_seconds = 10;
    const auto outcome = decide_slow_mode(test.actor, discussion, test.last, at(0));
    EXPECT_EQ(verdict(outcome), test.retry_after ? "RATE_LIMITED/SLOW_MODE" : "ok");
    if (!outcome) EXPECT_EQ(outcome.error().retry_after_seconds, test.retry_after);
  }
}

TEST(RequireActive, RefusesOnlyTheArchived) {
  EXPECT_EQ(verdict(require_active(channel(ChannelStatus::kActive, AccessPolicy::kOpen))), "ok");
  EXPECT_EQ(verdict(require_active(channel(ChannelStatus::kDraft, AccessPolicy::kOpen))), "ok");
  EXPECT_EQ(verdict(require_active(channel(ChannelStatus::kArchived, AccessPolicy::kOpen))),
            "CONFLICT/CHANNEL_ARCHIVED");
}

TEST(Masks, TakeTheContentOutAndLeaveTheRest) {
  Post post;
  post.id = PostId{4};
  post.body_text = "secret";
  post.link_url = "https://example.org";
  post.chart_payload_json = "{}";
  post.attachments.emplace_back();
  post.pinned_at = at(0);
  post.mask();
  EXPECT_FALSE(post.body_text || post.link_url || post.chart_payload_json);
  EXPECT_TRUE(post.attachments.empty());
  EXPECT_EQ(post.id, PostId{4});
  EXPECT_EQ(post.pinned_at, at(0));
  Message message;
  message.body = "secret";
  message.client_message_id = "c1";
  message.mask();
  EXPECT_TRUE(message.masked);
  EXPECT_EQ(message.body, "");
  EXPECT_EQ(message.client_message_id, "c1");
}

TEST(Names, AreThoseOfTheWire) {
  EXPECT_EQ(actor_type_name(ActorType::kUser), "USER");
  EXPECT_EQ(actor_type_name(ActorType::kAdmin), "ADMIN");
  EXPECT_EQ(actor_type_name(ActorType::kSystem), "SYSTEM");
  EXPECT_EQ(event_type_name(EventType::kPostCreated), "channel_post.created");
  EXPECT_EQ(event_type_name(EventType::kPostPinned), "channel_post.pinned");
  EXPECT_EQ(event_type_name(EventType::kMessageRestored), "discussion_message.restored");
  EXPECT_EQ(event_type_name(EventType::kControl), "");
  EXPECT_EQ(event_type_name(EventType::kAccessChanged), "");
}

}  // namespace
}  // namespace belfry::domain::testing
