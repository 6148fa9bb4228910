#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "belfry/core/mac.hpp"
#include "realtime/nats_hints.hpp"
#include "realtime/nats_inbox.hpp"

namespace belfry::realtime {
namespace {

const domain::RoomKey kPosts{domain::RoomKind::kPosts, 42};

std::string text_of(const domain::LogHint& hint) {
  std::string text = std::to_string(static_cast<int>(hint.room.kind)) + "." + std::to_string(hint.room.key) + "#" +
                     std::to_string(hint.last_seq);
  for (const auto& event : hint.events) text += " +" + std::to_string(event->seq);
  if (hint.timeline != 0) text += " @" + std::to_string(hint.timeline);
  return text;
}

/// `count` events after `first - 1`, one after another.
std::vector<domain::SharedEvent> stretch(std::int64_t first, std::int64_t count, std::string body = "Hello") {
  std::vector<domain::SharedEvent> events;
  const auto id = [](std::int64_t seq) {
    return core::EventId{core::Uuid::v7_floor(core::TimePoint{std::chrono::milliseconds{1'700'000'000'000 + seq}})};
  };
  for (auto seq = first; seq < first + count; ++seq) {
    domain::Event event;
    event.room = kPosts;
    event.id = id(seq);
    event.seq = seq;
    if (seq > 1) event.prev_id = event.prev_visible_id = id(seq - 1);
    event.access_seq = 3;
    event.entity_id = 100 + seq;
    domain::PostPayload payload;
    payload.post.id = {100 + seq};
    payload.post.channel_id = {42};
    payload.post.body_text = body;
    event.payload = payload;
    events.push_back(std::make_shared<const domain::Event>(event));
  }
  return events;
}

struct HintCase {
  std::string_view name, subject, payload;
  std::optional<std::string_view> expected;
};

class NatsHintsTest : public ::testing::Test {
 protected:
  std::optional<std::string> heard(const std::string& text) const { return heard(hints, text); }
  std::optional<std::string> heard(const NatsHints& by, const std::string& text,
                                   std::optional<std::string> subject = {}) const {
    const auto hint = by.hear(subject.value_or(by.room(kPosts)), text);
    return hint ? std::optional(text_of(*hint)) : std::nullopt;
  }
  /// What somebody with our key says, whatever it is.
  std::string forged(const std::string& position, const std::string& records) const {
    return position + "\n" +
           core::to_hex(core::hmac_sha256("key", hints.room(kPosts) + "\n" + position + "\n" + records)) + "\n" +
           records;
  }
  static std::string records_of(const std::string& text) { return text.substr(text.rfind('\n') + 1); }

  NatsHints hints{"1-2", "key"};
};

TEST_F(NatsHintsTest, PositionsAreTakenInTheirExactFormOnly) {
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
           {"unknown kind", "belfry.1-2.room.3.42", "7", {}},
           {"no kind", "42", "7", {}},
           {"no key", "belfry.1-2.room.1.", "7", {}},
           {"empty subject", "", "7", {}},
       }) {
    const auto hint = hints.hear(subject, payload);
    EXPECT_EQ(hint ? std::optional(text_of(*hint)) : std::nullopt, expected) << name;
  }
}

TEST_F(NatsHintsTest, EventsOfSeveralCommitsGoInOneMessage) {
  const auto said = hints.say({kPosts, 3, stretch(1, 3), 5}, 1 << 20);
  ASSERT_EQ(said.size(), 1U);
  const auto hint = hints.hear(hints.room(kPosts), said[0]);
  ASSERT_TRUE(hint);
  EXPECT_EQ(text_of(*hint), "1.42#3 +1 +2 +3 @5");
  const auto& event = *hint->events[1];
  EXPECT_EQ(event.room, kPosts);
  EXPECT_EQ(event.prev_id, hint->events[0]->id);
  EXPECT_EQ(event.access_seq, 3);
  EXPECT_EQ(event.entity_id, 102);
  EXPECT_EQ(std::get<domain::PostPayload>(event.payload).post.body_text, "Hello");
}

TEST_F(NatsHintsTest, MessagesStayBelowWhatTheServerTakes) {
  for (const std::size_t most : {std::size_t{1200}, std::size_t{4000}, std::size_t{1} << 20}) {
    const auto said = hints.say({kPosts, 200, stretch(1, 200, std::string(100, 'x')), 1}, most);
    EXPECT_GT(said.size(), 1U);
    std::int64_t next = 1;
    for (const auto& text : said) {
      EXPECT_LE(text.size(), std::min(most, NatsHints::kMostBytes));
      const auto hint = hints.hear(hints.room(kPosts), text);
      ASSERT_TRUE(hint && !hint->events.empty());
      EXPECT_EQ(hint->events.front()->seq, next);
      next = hint->last_seq + 1;
    }
    EXPECT_EQ(next, 201);
  }
}

TEST_F(NatsHintsTest, AnEventThatDoesNotFitIsAPositionOnly) {
  auto events = stretch(1, 1);
  const auto large = stretch(2, 1, std::string(70'000, 'x'));
  events.insert(events.end(), large.begin(), large.end());
  const auto said = hints.say({kPosts, 2, events, 1}, 1 << 20);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(heard(said[0]), "1.42#1 +1 @1");
  EXPECT_EQ(said[1], "2");
  EXPECT_EQ(hints.say({kPosts, 2, events, 1}, 100), (std::vector<std::string>{"2"}));
  EXPECT_EQ(hints.say({kPosts, 7, {}, 0}, 1 << 20), (std::vector<std::string>{"7"}));
}

TEST_F(NatsHintsTest, AHoleBetweenCommitsOfThisNodeEndsAMessage) {
  auto events = stretch(1, 1);
  const auto later = stretch(3, 2);
  events.insert(events.end(), later.begin(), later.end());
  const auto said = hints.say({kPosts, 4, events, 1}, 1 << 20);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(heard(said[0]), "1.42#1 +1 @1");
  EXPECT_EQ(heard(said[1]), "1.42#4 +3 +4 @1");
}

TEST_F(NatsHintsTest, EventsThatNobodyOfOursSignedAreAPosition) {
  const auto text = hints.say({kPosts, 2, stretch(1, 2), 1}, 1 << 20).at(0);
  ASSERT_EQ(heard(text), "1.42#2 +1 +2 @1");
  EXPECT_EQ(heard(NatsHints("1-2", "other key"), text), "1.42#2");
  EXPECT_EQ(heard(hints, text, "belfry.1-2.room.1.43"), "1.43#2") << "of another room";
  EXPECT_EQ(heard(hints, text, "belfry.1-3.room.1.42"), "1.42#2") << "of another deployment";
  EXPECT_EQ(heard("3" + text.substr(1)), "1.42#3") << "of another position";
  for (std::size_t at = 2; at < text.size(); at += 7) {
    auto changed = text;
    changed[at] = changed[at] == 'a' ? 'b' : 'a';
    EXPECT_EQ(heard(changed), "1.42#2") << at;
  }
  for (const auto* rest : {"\n", "\n\n", "\n{}", "\nx\n{}"}) EXPECT_EQ(heard(std::string("2") + rest), "1.42#2");
  EXPECT_EQ(heard(text.substr(0, 66)), "1.42#2") << "signature alone";
  EXPECT_EQ(heard(text + std::string(70'000, ' ')), "1.42#2") << "too long";
}

TEST_F(NatsHintsTest, SignedTextThatIsNotExactlyOursIsAPositionToo) {
  const auto records = records_of(hints.say({kPosts, 2, stretch(1, 2), 1}, 1 << 20).at(0));
  const auto other = records_of(hints.say({kPosts, 5, stretch(5, 1), 1}, 1 << 20).at(0));
  ASSERT_EQ(heard(forged("2", records)), "1.42#2 +1 +2 @1");
  const auto with = [&](std::string_view what, std::string_view instead) {
    auto changed = records;
    const auto at = changed.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return changed.replace(at, what.size(), instead);
  };
  const auto last_of = [](const std::string& text) { return text.substr(text.find("[") + 1); };
  for (const auto& text : {
           std::string(),
           std::string("{}"),
           std::string("[]"),
           std::string("{\"timeline\":1,\"schema\":1,\"records\":[]}"),
           records + " ",
           with("\"schema\":1", "\"schema\":2"),
           with("\"timeline\":1", "\"timeline\":4294967296"),
           with("\"seq\":2", "\"seq\":3"),
           with("\"seq\":1", "\"seq\":0"),
           with("\"type\":1", "\"type\":11"),
           with("\"type\":1", "\"type\":101"),
           with("\"audience\":0", "\"audience\":3"),
           with("\"access\":3", "\"access\":4"),
           with("\"access\":3", "\"access\":-1"),
           with("\"prev\":null", "\"prev\":7"),
           with("\"entity\":101", "\"entity\":101,\"more\":1"),
           with("\"changed\":0", "\"changed\":0,\"more\":1"),
           records.substr(0, records.size() - 2) + "," + last_of(other),
       }) {
    EXPECT_EQ(heard(forged("2", text)), "1.42#2") << text;
  }
  EXPECT_EQ(heard(forged("3", records)), "1.42#3") << "its position is not the last record's";
}

TEST_F(NatsHintsTest, DeploymentsAndRoomsAreApart) {
  const NatsHints other("1-3", "key");
  EXPECT_EQ(hints.room(kPosts), "belfry.1-2.room.1.42");
  EXPECT_NE(hints.room(kPosts), other.room(kPosts));
  EXPECT_NE(hints.room(kPosts), hints.room({domain::RoomKind::kDiscussion, 42}));
}

TEST(MergeHints, KeepsEventsInOrderOfOneHistoryAndWithinTheirBound) {
  const auto merged = [](domain::LogHint into, domain::LogHint more) {
    merge(into, std::move(more), 3);
    return text_of(into);
  };
  EXPECT_EQ(merged({kPosts, 2, stretch(2, 1), 1}, {kPosts, 1, stretch(1, 1), 1}), "1.42#2 +1 +2 @1");
  EXPECT_EQ(merged({kPosts, 2, stretch(1, 2), 1}, {kPosts, 4, stretch(3, 2), 1}), "1.42#4 +1 +2 @1");
  EXPECT_EQ(merged({kPosts, 2, {}, 0}, {kPosts, 3, stretch(3, 1), 1}), "1.42#3 +3 @1");
  EXPECT_EQ(merged({kPosts, 3, stretch(3, 1), 1}, {kPosts, 2, {}, 0}), "1.42#3 +3 @1");
  EXPECT_EQ(merged({kPosts, 2, stretch(1, 2), 1}, {kPosts, 2, stretch(2, 1), 2}), "1.42#2 +2 @2");
  EXPECT_EQ(merged({kPosts, 2, stretch(2, 1), 2}, {kPosts, 3, stretch(3, 1), 1}), "1.42#3 +2 @2");
}

class NatsInboxTest : public ::testing::Test {
 protected:
  NatsInboxTest() {
    inbox.on_hint(
        [this](const std::optional<domain::LogHint>& hint) { heard.push_back(hint ? text_of(*hint) : "any"); });
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
  for (const std::int64_t seq : {1, 3, 2}) inbox.grew({.room = room(7), .last_seq = seq});
  EXPECT_EQ(posted.size(), 1U);
  run();
  EXPECT_EQ(heard, (std::vector<std::string>{"1.7#3"}));
  EXPECT_EQ(metrics.bus_messages.value(), 3U);
}

TEST_F(NatsInboxTest, TheAccessLogComesFirst) {
  for (std::int64_t key = 1; key < 20; ++key) inbox.grew({.room = room(key), .last_seq = 1});
  inbox.grew({.room = domain::kAccessLog, .last_seq = 4});
  run();
  EXPECT_EQ(heard.front(), "0.0#4");
  EXPECT_EQ(heard.size(), 20U);
}

TEST_F(NatsInboxTest, EventsArriveInOrderWithWhatLeadsThere) {
  const auto hints = std::make_shared<const NatsHints>("1-2", "key");
  inbox.arrived(hints->room(kPosts), "1");
  inbox.understand(hints);
  for (const std::int64_t seq : {2, 1, 2}) {
    inbox.arrived(hints->room(kPosts), hints->say({kPosts, seq, stretch(seq, 1), 1}, 1 << 20).at(0));
  }
  inbox.arrived(hints->room(kPosts), "7");
  run();
  EXPECT_EQ(heard, (std::vector<std::string>{"1.42#7 +1 +2 +2 @1"}));
  EXPECT_EQ(metrics.bus_messages.value(), 4U);
  EXPECT_EQ(metrics.bus_messages_with_events.value(), 3U);
}

TEST_F(NatsInboxTest, AFloodOfEventsBecomesPositions) {
  const auto event = stretch(1, 1);
  for (std::int64_t key = 1; key <= 200; ++key) {
    inbox.grew({.room = room(key), .last_seq = 1, .events = event, .timeline = 1}, 64'000);
  }
  run();
  EXPECT_EQ(std::ranges::count_if(heard, [](const std::string& text) { return text.contains('+'); }), 65);
  EXPECT_EQ(heard.size(), 200U);
  heard.clear();
  inbox.grew({.room = room(1), .last_seq = 2, .events = event, .timeline = 1}, 64'000);
  run();
  EXPECT_EQ(heard, (std::vector<std::string>{"1.1#2 +1 @1"}));
}

TEST_F(NatsInboxTest, AFloodOfRoomsBecomesOneHintOfAny) {
  for (std::int64_t key = 1; key <= 10'500; ++key) inbox.grew({.room = room(key), .last_seq = 1});
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
  inbox.grew({.room = room(7), .last_seq = 1});
  inbox.close();
  run();
  inbox.grew({.room = room(7), .last_seq = 2});
  inbox.may_have_grown();
  inbox.wake();
  EXPECT_TRUE(posted.empty());
  EXPECT_TRUE(heard.empty());
  EXPECT_EQ(woken, 0);
}

}  // namespace
}  // namespace belfry::realtime
