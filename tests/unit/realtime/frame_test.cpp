#include "belfry/realtime/frame.hpp"

#include <gtest/gtest.h>

namespace belfry::realtime {
namespace {

TEST(FrameTest, CarriesTheHeaderOfAnUnmaskedFinalTextFrame) {
  struct Case {
    std::size_t length;
    std::string header;
  };
  const std::vector<Case> cases{
      {0, std::string("\x81\x00", 2)},
      {125, std::string("\x81\x7d", 2)},
      {126, std::string("\x81\x7e\x00\x7e", 4)},
      {65535, std::string("\x81\x7e\xff\xff", 4)},
      {65536, std::string("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10)},
  };
  for (const auto& [length, header] : cases) {
    SCOPED_TRACE(length);
    const std::string text(length, 'x');
    const Frame frame(text);
    EXPECT_EQ(frame.wire(), header + text);
    EXPECT_EQ(frame.text(), text);
  }
}

TEST(FrameTest, HasItsBodyWithoutHeadAndTail) {
  const Mark mark{domain::RoomKind::kDiscussion, core::ChannelId{7}, core::EventId{}};
  const Frame frame(FrameParts{.head = "<", .body = "event", .tail = " 1>", .mark = mark});
  EXPECT_EQ(frame.wire(), "\x81\x09<event 1>");
  EXPECT_EQ(frame.text(), "<event 1>");
  EXPECT_EQ(frame.head(), "<");
  EXPECT_EQ(frame.body(), "event");
  EXPECT_EQ(frame.mark(), mark);
}

TEST(FrameTest, PlainTextIsAllBodyAndMarksNothing) {
  const Frame frame("event");
  EXPECT_EQ(frame.head(), "");
  EXPECT_EQ(frame.body(), "event");
  EXPECT_FALSE(frame.mark());
}

TEST(FrameTest, MessagesThatLeaveTogetherKeepTheirParts) {
  const Mark mark{domain::RoomKind::kPosts, core::ChannelId{7}, core::EventId{}};
  const auto first = make_frame(FrameParts{.head = "<", .body = "first", .tail = ">", .mark = mark});
  const auto joined = join_frames({first, make_frame("second")});
  ASSERT_EQ(joined->count(), 2U);
  EXPECT_EQ(joined->wire(), "\x81\x07<first>\x81\x06second");
  EXPECT_EQ(joined->head(0), "<");
  EXPECT_EQ(joined->body(0), "first");
  EXPECT_EQ(joined->mark(0), mark);
  EXPECT_EQ(joined->body(1), "second");
  EXPECT_FALSE(joined->mark(1));
}

}  // namespace
}  // namespace belfry::realtime
