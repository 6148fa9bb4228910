#include "app/verify/checker.hpp"

#include <gmock/gmock.h>

#include <fmt/format.h>

namespace belfry::verify {
namespace {

using ::testing::HasSubstr;

// A room with two events: a message that was written at 10..20 and one at 30..40.
constexpr const char* kRight = R"(
{"kind":"log","room":"R","eventId":"a","prevEventId":null,"type":"m.created","entity":1,"content":"#one#","actor":"u","at":1000}
{"kind":"log","room":"R","eventId":"b","prevEventId":"a","type":"m.created","entity":2,"content":"#two#","actor":"u","at":3000}
{"kind":"write","who":"u","room":"R","type":"m.created","entity":1,"content":"#one#","begun":10,"done":20,"outcome":"acknowledged"}
{"kind":"write","who":"u","room":"R","type":"m.created","entity":2,"content":"#two#","begun":30,"done":40,"outcome":"acknowledged"}
)";

Checker judge(const std::string& text) {
  std::vector<Record> records;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (end > at) records.push_back(parse_record(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  Checker checker;
  for (const auto& record : records) checker.learn(record);
  for (const auto& record : records) checker.check(record);
  checker.finish();
  return checker;
}

struct Case {
  std::string name;
  std::string more;       ///< what follows the right history
  int promise = 0;        ///< of the violation; -1: none
  std::string what = "";  ///< part of what is said
};

std::string join(int begun, const char* last, int done) {
  return fmt::format(R"({{"kind":"join","reader":"r","user":"v","room":"R","lastEventId":{},"begun":{},"done":{}}})"
                     "\n",
                     last, begun, done);
}
std::string frame(const char* id, const char* previous, int at, int entity, const char* content = "null") {
  return fmt::format(
      R"({{"kind":"frame","reader":"r","user":"v","room":"R","eventId":"{}","prevEventId":{},"type":"m.created","entity":{},"content":{},"at":{}}})"
      "\n",
      id, previous, entity, content, at);
}
std::string access(bool may, int begun, int done, const char* more = "") {
  return fmt::format(
      R"({{"kind":"access","user":"v","rooms":["R"],"cause":"key","may":{},"begun":{},"done":{},"outcome":"acknowledged"{}}})"
      "\n",
      may, begun, done, more);
}
std::string sync(const char* since, const char* events, const char* last, const char* rest, int begun, int done) {
  return fmt::format(
      R"({{"kind":"sync","user":"v","room":"R","since":{},"events":[{}],"lastEventId":{},{},"begun":{},"done":{}}})"
      "\n",
      since, events, last, rest, begun, done);
}
std::string page(const char* order, const char* cursor, const char* items, bool more, int begun, int done) {
  return fmt::format(
      R"({{"kind":"page","user":"v","room":"R","order":"{}","cursor":{},"items":[{}],"limit":2,"hasMore":{},"begun":{},"done":{}}})"
      "\n",
      order, cursor, items, more, begun, done);
}
std::string write(const char* type, int entity, const char* content, int begun, int done, const char* outcome,
                  const char* who = "u") {
  return fmt::format(
      R"({{"kind":"write","who":"{}","room":"R","type":"m.{}","entity":{},"content":{},"begun":{},"done":{},"outcome":"{}"}})"
      "\n",
      who, type, entity, content, begun, done, outcome);
}
std::string log(const char* id, const char* previous, const char* type, int entity, const char* content,
                int at = 9000) {
  return fmt::format(
      R"({{"kind":"log","room":"R","eventId":"{}","prevEventId":{},"type":"m.{}","entity":{},"content":{},"actor":"u","at":{}}})"
      "\n",
      id, previous, type, entity, content, at);
}

constexpr const char* kA = R"({"eventId":"a","type":"m.created","entity":1,"content":"#one#"})";
constexpr const char* kB = R"({"eventId":"b","type":"m.created","entity":2,"content":"#two#"})";
constexpr const char* kAMasked = R"({"eventId":"a","type":"m.created","entity":1,"content":null})";
constexpr const char* kWhole = R"("hasMore":false,"gap":false)";
constexpr const char* kGap = R"("hasMore":false,"gap":true)";
constexpr const char* kOne = R"({"entity":1,"content":"#one#"})";
constexpr const char* kTwo = R"({"entity":2,"content":"#two#"})";

// Events may be a millisecond on their way.
std::string prompt() {
  return R"({"kind":"prompt","milliseconds":1})"
         "\n";
}
std::string closed(int at) {
  return fmt::format(R"({{"kind":"closed","reader":"r","at":{}}})"
                     "\n",
                     at);
}
std::string sleepy(std::string join) { return join.insert(1, R"("sleepy":true,)"); }

std::string both(const char* first, const char* second) { return fmt::format("{},{}", first, second); }
std::string deleted() {
  return log("c", R"("b")", "deleted", 1, "null") + write("deleted", 1, "null", 50, 60, "acknowledged");
}

class Histories : public ::testing::TestWithParam<Case> {};

TEST_P(Histories, AreJudged) {
  const auto& given = GetParam();
  const auto checker = judge(kRight + given.more);
  if (given.promise < 0) {
    EXPECT_EQ(checker.violation_count(), 0U) << (checker.violations().empty() ? "" : checker.violations().front().what);
    return;
  }
  ASSERT_GE(checker.violation_count(), 1U);
  EXPECT_EQ(checker.violations().front().promise, given.promise) << checker.violations().front().what;
  EXPECT_THAT(checker.violations().front().what, HasSubstr(given.what));
}

const Case kCases[] = {
    {"NothingElse", "", -1},
    // 1: writes and their events
    {"AcknowledgedWithoutEvent", write("created", 3, "\"#three#\"", 50, 60, "acknowledged"), 1, "has no event"},
    {"UnknownWithoutEvent", write("created", 3, "\"#three#\"", 50, 60, "unknown"), -1},
    {"RefusedWithEvent",
     log("c", R"("b")", "created", 3, "\"#x#\"") + write("created", 3, "\"#x#\"", 50, 60, "refused"), 1, "refused"},
    {"EventOfNobody", log("c", R"("b")", "created", 3, "\"#x#\""), 1, "nobody wrote"},
    {"TwoEventsOfOneWrite", log("c", R"("b")", "created", 3, "\"#two#\""), 1, "several events"},
    {"EventOfAnotherEntity",
     log("c", R"("b")", "created", 4, "\"#x#\"") + write("created", 3, "\"#x#\"", 50, 60, "acknowledged"), 1,
     "not that of"},
    {"DeletionWithoutEvent", write("deleted", 1, "null", 50, 60, "acknowledged"), 1, "have 0 events"},
    {"DeletionTwiceInTheLog", deleted() + log("d", R"("c")", "deleted", 1, "null"), 1, "have 2 events"},
    {"DeletionOnce", deleted(), -1},
    // 2: one stream, once, in order
    {"FramesInOrder", join(1, "null", 2) + frame("a", "null", 21, 1) + frame("b", R"("a")", 41, 2), -1},
    {"FrameMissing", join(1, "null", 2) + frame("b", R"("a")", 41, 2), 2, "1 events are missing"},
    {"FrameTwice", join(1, "null", 2) + frame("a", "null", 21, 1) + frame("a", "null", 22, 1), 2, "again"},
    {"FramesTurnedRound", join(1, "\"a\"", 2) + frame("b", R"("a")", 41, 2) + frame("a", "null", 42, 1), 2, "again"},
    {"FrameWithoutJoin", frame("a", "null", 21, 1), 2, "not in"},
    {"FrameAfterLeave",
     join(1, "null", 2) +
         R"({"kind":"left","reader":"r","room":"R","at":3})"
         "\n" +
         frame("a", "null", 21, 1),
     2, "not in"},
    {"FrameOfNoEvent", join(1, "null", 2) + frame("x", "null", 21, 1), 1, "not in the log"},
    {"FrameOfAnotherChain", join(1, "\"a\"", 2) + frame("b", "null", 41, 2), 8, "another event before it"},
    {"FrameWithOtherContent", join(1, "null", 2) + frame("a", "null", 21, 1, "\"#else#\""), 3, "otherwise"},
    {"HeadOlderThanAcknowledged", join(25, "null", 26), 2, "older than what was acknowledged"},
    {"HeadOfNoEvent", join(1, "\"x\"", 2), 2, "not in the log"},
    {"EndSaidTwice",
     join(1, "null", 2) +
         R"({"kind":"left","reader":"r","room":"R","reason":"X","at":3})"
         "\n" +
         R"({"kind":"left","reader":"r","room":"R","reason":"X","at":4})"
         "\n",
     2, "without one"},
    {"SettledBehind",
     join(1, "\"a\"", 2) + R"({"kind":"settled","reader":"r","user":"v","room":"R","at":90})"
                           "\n",
     2, "misses the last 1"},
    {"SettledAtHead",
     join(1, "\"b\"", 2) + R"({"kind":"settled","reader":"r","user":"v","room":"R","at":90})"
                           "\n",
     -1},
    // replays
    {"ReplayWhole", sync("null", both(kA, kB).c_str(), "\"b\"", kWhole, 50, 60), -1},
    {"ReplayWithHole", sync("null", kB, "\"b\"", kWhole, 50, 60), 2, "belongs"},
    {"ReplayTooShort", sync("null", kA, "\"a\"", kWhole, 50, 60), 2, "ends before"},
    {"ReplayTooShortButBegunBefore", sync("null", kA, "\"a\"", kWhole, 25, 60), -1},
    {"ReplayWithWrongLast", sync("null", both(kA, kB).c_str(), "\"a\"", kWhole, 50, 60), 8, "last id"},
    {"ReplayThatPromisesMore", sync("\"a\"", kB, "\"b\"", R"("hasMore":true,"gap":false)", 50, 60), 3, "promises more"},
    // 3: order of ids, pages, and of writes that follow each other
    {"ChainBroken", log("c", R"("a")", "created", 3, "null"), 2, "chain"},
    {"IdsFall", log("B", R"("b")", "created", 3, "null"), 3, "ids do not rise"},
    {"EntitiesFall", log("c", R"("b")", "created", 2, "null"), 3, "stands before"},
    {"WrittenBeforeButLoggedBehind",
     log("c", R"("b")", "created", 3, "\"#x#\"") + write("created", 3, "\"#x#\"", 22, 25, "acknowledged"), 3,
     "stands behind"},
    {"PageUp", page("after", "0", both(kOne, kTwo).c_str(), false, 50, 60), -1},
    {"PageDown", page("before", "3", both(kTwo, kOne).c_str(), false, 50, 60), -1},
    {"NewestPage", page("newest", "null", both(kTwo, kOne).c_str(), false, 50, 60), -1},
    {"PageUpWithHole", page("after", "0", kTwo, false, 50, 60), 3, "where the log has 1"},
    {"PageDownTurnedRound", page("before", "3", both(kOne, kTwo).c_str(), false, 50, 60), 3, "where the log has"},
    {"PageUpTooShort", page("after", "0", kOne, false, 50, 60), 3, "ends before entity 2"},
    {"NewestPageTooOld", page("newest", "null", kOne, false, 50, 60), 3, "lacks entity 2"},
    {"NewestPageEmpty", page("newest", "null", "", false, 50, 60), 3, "is empty"},
    {"PageThatPromisesMore", page("after", "1", kTwo, true, 50, 60), 3, "promises more"},
    {"PageThatDeniesMore", page("before", "3", kTwo, false, 50, 60), 3, "nothing older"},
    // 4: the last state
    {"FinalState",
     R"({"kind":"final","room":"R","entity":1,"deleted":false,"content":"#one#"})"
     "\n",
     -1},
    {"FinalStateOfAnother",
     R"({"kind":"final","room":"R","entity":1,"deleted":false,"content":"#two#"})"
     "\n",
     4, "state"},
    {"FinalStateWithoutEvents",
     R"({"kind":"final","room":"R","entity":7,"deleted":false,"content":"#x#"})"
     "\n",
     4, "state"},
    {"FinalStateDeletedByNobody",
     R"({"kind":"final","room":"R","entity":1,"deleted":true,"content":null})"
     "\n",
     4, "state"},
    // 5: nothing after a revocation
    {"WrittenAfterRevocation", access(false, 21, 25) + join(1, "\"a\"", 2) + frame("b", R"("a")", 41, 2), 5,
     "after a revocation"},
    {"WrittenBeforeItsAnswer", access(false, 21, 35) + join(1, "\"a\"", 2) + frame("b", R"("a")", 41, 2), -1},
    {"BehindItInTheLog",
     access(false, 21, 35, R"(,"after":{"R":"a"})") + join(1, "\"a\"", 2) + frame("b", R"("a")", 41, 2), 5,
     "stands behind"},
    {"ReceivedAfterItWasGivenBack",
     access(false, 21, 25) + access(true, 45, 46) + join(47, "\"b\"", 48) + sync("\"a\"", kB, "\"b\"", kWhole, 50, 60),
     -1},
    {"ReplayAfterRevocation", access(false, 41, 45) + sync("\"b\"", "", "\"b\"", kWhole, 50, 60), 5,
     "replay succeeded"},
    {"PageAfterRevocation", access(false, 41, 45) + page("after", "2", "", false, 50, 60), 5, "page was given"},
    {"JoinAfterRevocation", access(false, 41, 45) + join(50, "\"b\"", 60), 5, "join succeeded"},
    {"SubscriptionOutlivesTheRight",
     join(1, "\"b\"", 2) + access(false, 41, 45) +
         R"({"kind":"settled","reader":"r","user":"v","room":"R","at":90})"
         "\n",
     5, "outlived"},
    {"PageHasWhatStandsBehindIt",
     access(false, 21, 35, R"(,"after":{"R":"a"})") + page("after", "0", both(kOne, kTwo).c_str(), false, 5, 60), 5,
     "page has what was written behind"},
    {"PageHasWhatStandsBeforeIt",
     access(false, 21, 35, R"(,"after":{"R":"b"})") + page("after", "0", both(kOne, kTwo).c_str(), false, 5, 60), -1},
    {"ReplayHasWhatStandsBehindIt",
     access(false, 21, 35, R"(,"after":{"R":"a"})") + sync("null", both(kA, kB).c_str(), "\"b\"", kWhole, 5, 60), 5,
     "replay has an event that stands behind"},
    {"ReplayHasWhatWasWrittenAfterIt",
     access(false, 21, 25) + sync("null", both(kA, kB).c_str(), "\"b\"", kWhole, 5, 60), 5, "stands behind"},
    {"ReplayEndedAfterItWasAskedBack",
     access(false, 21, 25) + access(true, 45, 46) + sync("null", both(kA, kB).c_str(), "\"b\"", kWhole, 5, 60), -1},
    {"MuteDoesNotConcernReading", access(false, 41, 45, R"(,"reading":false)") + page("after", "2", "", false, 50, 60),
     -1},
    // 6: nothing deleted is read again
    {"PageShowsDeleted", deleted() + page("after", "0", both(kOne, kTwo).c_str(), false, 70, 80), 6,
     "content after its deletion"},
    {"PageBegunBeforeTheDeletion", deleted() + page("after", "0", both(kOne, kTwo).c_str(), false, 55, 80), -1},
    {"ReplayShowsDeleted",
     deleted() + sync("null", both(kA, kB).c_str(), "\"b\"", R"("hasMore":true,"gap":false)", 70, 80), 6,
     "content after"},
    {"ReplayMasksDeleted",
     deleted() + sync("null", both(kAMasked, kB).c_str(), "\"b\"", R"("hasMore":true,"gap":false)", 70, 80), -1},
    {"MaskedAndNobodyDeletedIt",
     page("after", "0", both(R"({"entity":1,"content":null})", kTwo).c_str(), false, 50, 60), 4, "nobody deleted"},
    // 7: exact
    {"CursorWentBack",
     R"({"kind":"cursor","user":"v","channel":"1","value":5,"begun":1,"done":2})"
     "\n"
     R"({"kind":"cursor","user":"v","channel":"1","value":4,"begun":3,"done":4})"
     "\n",
     7, "went back"},
    {"CursorsAtTheSameTime",
     R"({"kind":"cursor","user":"v","channel":"1","value":5,"begun":1,"done":4})"
     "\n"
     R"({"kind":"cursor","user":"v","channel":"1","value":4,"begun":3,"done":5})"
     "\n",
     -1},
    {"TicketTwice",
     R"({"kind":"ticket","ticket":"t","outcome":"acknowledged"})"
     "\n"
     R"({"kind":"ticket","ticket":"t","outcome":"acknowledged"})"
     "\n",
     7, "worked 2 times"},
    {"TicketNever",
     R"({"kind":"ticket","ticket":"t","outcome":"refused"})"
     "\n",
     7, "nobody"},
    {"TicketOnce",
     R"({"kind":"ticket","ticket":"t","outcome":"refused"})"
     "\n"
     R"({"kind":"ticket","ticket":"t","outcome":"acknowledged"})"
     "\n",
     -1},
    {"SlowModeKept",
     R"({"kind":"slow","room":"R","seconds":2})"
     "\n",
     -1},
    {"SlowModeBroken",
     R"({"kind":"slow","room":"R","seconds":3})"
     "\n",
     7, "2000 ms between"},
    {"WrittenByWhoIsBanned",
     access(false, 41, 45) + log("c", R"("b")", "created", 3, "\"#x#\"") +
         write("created", 3, "\"#x#\"", 50, 60, "acknowledged", "v"),
     7, "accepted from who"},
    {"WrittenByWhoIsMuted",
     access(false, 41, 45, R"(,"reading":false)") + log("c", R"("b")", "created", 3, "\"#x#\"") +
         write("created", 3, "\"#x#\"", 50, 60, "acknowledged", "v"),
     7, "accepted from who"},
    {"WrittenBehindTheBanThoughBegunBefore",
     access(false, 41, 45, R"(,"after":{"R":"b"})") + log("c", R"("b")", "created", 3, "\"#x#\"") +
         write("created", 3, "\"#x#\"", 42, 60, "acknowledged", "v"),
     7, "stands behind the loss"},
    {"WrittenBeforeTheBanThoughAnsweredBehind",
     access(false, 41, 45, R"(,"after":{"R":"c"})") + log("c", R"("b")", "created", 3, "\"#x#\"") +
         write("created", 3, "\"#x#\"", 42, 60, "acknowledged", "v"),
     -1},
    // 2: in time
    {"FrameInTime", prompt() + join(1, "\"a\"", 2) + frame("b", R"("a")", 1'000'040, 2), -1},
    {"FrameTooLate", prompt() + join(1, "\"a\"", 2) + frame("b", R"("a")", 1'000'041, 2), 2, "is not with a reader"},
    {"FrameLateForWhoSleeps", prompt() + sleepy(join(1, "\"a\"", 2)) + frame("b", R"("a")", 1'000'041, 2), -1},
    {"FrameThatNeverCame", prompt() + join(1, "\"a\"", 2) + closed(1'000'041), 2, "is not with a reader"},
    {"FrameThatHadTime", prompt() + join(1, "\"a\"", 2) + closed(1'000'040), -1},
    {"FrameThatWillNotComeAfterALoss", prompt() + access(false, 35, 38) + join(1, "\"a\"", 2) + closed(1'000'041), -1},
    // 8: a gap is said iff there is one
    {"GapSaid", sync("\"x\"", "", "\"b\"", kGap, 50, 60), -1},
    {"GapNotSaid", sync("\"x\"", "", "\"x\"", kWhole, 50, 60), 8, "not said"},
    {"GapSaidWithoutOne", sync("\"a\"", "", "\"b\"", kGap, 50, 60), 8, "there is none"},
    {"GapThatLooksComplete", sync("\"x\"", kB, "\"b\"", kGap, 50, 60), 8, "looks complete"},
    {"GapWithAnOldHead", sync("\"x\"", "", "\"a\"", kGap, 50, 60), 8, "present head"},
    // 9: nothing is left
    {"BackAtTheBaseline",
     R"({"kind":"baseline","node":"n","before":{"rooms":0,"timers":3},"after":{"rooms":0,"timers":3}})"
     "\n",
     -1},
    {"RoomsAreLeft",
     R"({"kind":"baseline","node":"n","before":{"rooms":0},"after":{"rooms":2}})"
     "\n",
     9, "rooms was 0"},
    // 10: answered
    {"AnsweredInTime",
     R"({"kind":"wait","what":"GET /","begun":1,"done":3,"bound":2})"
     "\n",
     -1},
    {"NotAnsweredInTime",
     R"({"kind":"wait","what":"GET /","begun":1,"done":4,"bound":2})"
     "\n",
     10, "no answer for"},
    // what had to happen
    {"DrivenAndTallied",
     R"({"kind":"driven","what":["naps"]})"
     "\n"
     R"({"kind":"tally","what":"naps","count":2})"
     "\n",
     -1},
    {"DrivenAndSeen",
     R"({"kind":"driven","what":["writes"]})"
     "\n",
     -1},
    {"DrivenAndNeverSeen",
     R"({"kind":"driven","what":["gaps"]})"
     "\n",
     0, "none was seen: gaps"},
};

INSTANTIATE_TEST_SUITE_P(Wrong, Histories, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(Checker, ShowsTheLogAndTheReadersLastFramesAroundAHole) {
  const auto checker = judge(kRight + join(1, "null", 2) + frame("b", R"("a")", 41, 2));
  ASSERT_EQ(checker.violations().size(), 1U);
  const auto& history = checker.violations().front().history;
  ASSERT_EQ(history.size(), 4U);  // both events, the join, the frame
  EXPECT_THAT(history[0], HasSubstr("#0: a m.created"));
  EXPECT_THAT(history[2], HasSubstr("join"));
  EXPECT_THAT(history[3], HasSubstr("frame 41 r"));
}

TEST(Checker, AGrantOfUnknownOutcomeMakesTheNextLossUncertain) {
  const std::string unknown =
      R"({"kind":"access","user":"v","rooms":["R"],"cause":"key","may":true,"begun":22,"done":23,"outcome":"unknown"})"
      "\n";
  EXPECT_EQ(judge(kRight + unknown + access(false, 41, 45) + join(50, "\"b\"", 60)).violation_count(), 0U);
}

TEST(Recording, NamesTheFieldThatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "not a JSON object"},
      {"{", "not a JSON object"},
      {R"({"kind":"poem"})", "kind"},
      {R"({"room":"R"})", "kind"},
      {R"({"kind":"closed"})", "reader"},
      {R"({"kind":"closed","reader":4})", "reader"},
      {R"({"kind":"ticket","ticket":"t","outcome":"maybe"})", "outcome"},
      {R"({"kind":"baseline","node":"n","before":{"rooms":"2"},"after":{}})", "rooms"},
      {R"({"kind":"tally","what":"naps"})", "count"},
      {R"({"kind":"driven","what":[1]})", "what"},
      {R"({"kind":"page","user":"u","room":"R","order":"after","items":[],"limit":1,"hasMore":false,"begun":1,"done":2})",
       "cursor"},
  };
  for (const auto& [line, named] : cases) {
    try {
      parse_record(line);
      ADD_FAILURE() << line;
    } catch (const Malformed& malformed) {
      EXPECT_THAT(malformed.what(), HasSubstr(named)) << line;
    }
  }
}

}  // namespace
}  // namespace belfry::verify
