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

}  // namespace
}  // namespace belfry::realtime
