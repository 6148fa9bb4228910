#include <gtest/gtest.h>

#include <deque>

#include "realtime/nats_inbox.hpp"
#include "realtime/nats_subjects.hpp"

namespace belfry::realtime {
namespace {

struct HintCase {
  std::string_view name, subject, payload;
  std::optional<std::string_view> expected;
};

TEST(NatsHintTest, IsTakenInItsExactFormOnly) {
  for (const auto& [name, subject, payload, expected] : std::vector<HintCase>{
           {"posts", "belfry.1-2.room.1.42", "7", "1.42#7"},
           {"access log", "belfry.1-2.room.0.0", "9", "0.0#9"},
           {"greatest", "belfry.1-2.room.2.9223372036854775807", "9223372036854775807",
            "2.9223372036854775807#9223372036854775807"},
           {"empty payload", "belfry.1-2.room.1.42", "", {}},
           {"zero", "belfry.1-2.room.1.42", "0", {}},
           {"negative", "belfry.1-2.room.1.42", "-1", {}},
           {"plus", "belfry.1-2.room.1.42", "+1", {}},
           {"leading zero", "belfry.1-2.room.1.42", "01", {}},
           {"past 64 bits", "belfry.1-2.room.1.42", "9223372036854775808", {}},
           {"words", "belfry.1-2.room.1.42", "seven", {}},
           {"more behind", "belfry.1-2.room.1.42", "7\n", {}},
           {"unknown kind", "belfry.1-2.room.3.42", "7", {}},
           {"no kind", "42", "7", {}},
           {"no key", "belfry.1-2.room.1.", "7", {}},
           {"empty subject", "", "7", {}},
       }) {
    const auto hint = parse_nats_hint(subject, payload);
    const auto text = hint ? std::optional(std::to_string(static_cast<int>(hint->room.kind)) + "." +
                                           std::to_string(hint->room.key) + "#" + std::to_string(hint->last_seq))
                           : std::nullopt;
    EXPECT_EQ(text, expected) << name;
  }
}

TEST(NatsSubjectsTest, DeploymentsAndRoomsAreApart) {
  const NatsSubjects one("1-2");
  const NatsSubjects other("1-3");
  EXPECT_EQ(one.room({domain::RoomKind::kPosts, 42}), "belfry.1-2.room.1.42");
  EXPECT_NE(one.room({domain::RoomKind::kPosts, 42}), other.room({domain::RoomKind::kPosts, 42}));
  EXPECT_NE(one.room({domain::RoomKind::kPosts, 42}), one.room({domain::RoomKind::kDiscussion, 42}));
  const auto parsed = parse_nats_hint(one.room({domain::RoomKind::kDiscussion, 5}), "3");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->room, (domain::RoomKey{domain::RoomKind::kDiscussion, 5}));
}

class NatsInboxTest : public ::testing::Test {
 protected:
  NatsInboxTest() {
    inbox.on_hint([this](const std::optional<domain::LogHint>& hint) {
      heard.push_back(hint ? std::to_string(hint->room.key) + "#" + std::to_string(hint->last_seq) : "any");
    });
  }
  ~NatsInboxTest() override { inbox.close(); }
  void run() {
    while (!posted.empty()) {
      auto task = std::move(posted.front());
      posted.pop_front();
      task();
    }
  }
  static domain::RoomKey room(std::int64_t key) { return {domain::RoomKind::kPosts, key}; }

  std::deque<std::move_only_function<void()>> posted;
  telemetry::Metrics metrics;
  int woken = 0;
  NatsInbox inbox{[this](std::move_only_function<void()> task) { posted.push_back(std::move(task)); }, metrics,
                  [this] { ++woken; }};
  std::vector<std::string> heard;
};

TEST_F(NatsInboxTest, ManyHintsOfARoomAreOneTaskAndTheGreatest) {
  for (const std::int64_t seq : {1, 3, 2}) inbox.grew({room(7), seq});
  EXPECT_EQ(posted.size(), 1U);
  run();
  EXPECT_EQ(heard, (std::vector<std::string>{"7#3"}));
  EXPECT_EQ(metrics.bus_messages.value(), 3U);
}

TEST_F(NatsInboxTest, TheAccessLogComesFirst) {
  for (std::int64_t key = 1; key < 20; ++key) inbox.grew({room(key), 1});
  inbox.grew({domain::kAccessLog, 4});
  run();
  EXPECT_EQ(heard.front(), "0#4");
  EXPECT_EQ(heard.size(), 20U);
}

TEST_F(NatsInboxTest, AFloodOfRoomsBecomesOneHintOfAny) {
  for (std::int64_t key = 1; key <= 10'500; ++key) inbox.grew({room(key), 1});
  run();
  EXPECT_EQ(heard.size(), 10'001U);
  EXPECT_EQ(heard.back(), "any");
}

TEST_F(NatsInboxTest, OnlyTheExpectedEchoCounts) {
  inbox.echoed("");
  inbox.expect("abc");
  inbox.echoed("abd");
  EXPECT_FALSE(inbox.heard_at());
  inbox.echoed("abc");
  EXPECT_TRUE(inbox.heard_at());
  EXPECT_EQ(woken, 1);
  inbox.expect("def");
  inbox.echoed("abc");
  EXPECT_FALSE(inbox.heard_at());
}

TEST_F(NatsInboxTest, IsDeafOnceClosed) {
  inbox.grew({room(7), 1});
  inbox.close();
  run();
  inbox.grew({room(7), 2});
  inbox.may_have_grown();
  inbox.wake();
  EXPECT_TRUE(posted.empty());
  EXPECT_TRUE(heard.empty());
  EXPECT_EQ(woken, 0);
}

}  // namespace
}  // namespace belfry::realtime
