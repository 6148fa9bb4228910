#include "belfry/core/text.hpp"

#include <string>

#include <gtest/gtest.h>

namespace belfry::core {
namespace {

using namespace std::string_view_literals;

struct Normalised {
  const char* name;
  std::string_view input;
  std::optional<std::string_view> expected;  ///< absent: refused
};

class NormaliseText : public testing::TestWithParam<Normalised> {};

TEST_P(NormaliseText, Keeps) {
  const auto result = normalise_text(GetParam().input, {1, 5, false}, "body");
  ASSERT_EQ(result.has_value(), GetParam().expected.has_value());
  if (result) {
    EXPECT_EQ(*result, *GetParam().expected);
  } else {
    EXPECT_EQ(result.error().code, ErrorCode::kInvalid);
    ASSERT_EQ(result.error().details.size(), 1U);
    EXPECT_EQ(result.error().details[0].field, "body");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, NormaliseText,
    testing::Values(Normalised{"Plain", "hello", "hello"}, Normalised{"Trimmed", " \t\n hi \r\n", "hi"},
                    Normalised{"UnicodeSpaceTrimmed", "\u2003\u00a0hi\u3000", "hi"},
                    Normalised{"InnerSpaceKept", "a  b", "a  b"}, Normalised{"CrLf", "a\r\nb", "a\nb"},
                    Normalised{"LoneCr", "a\rb", std::nullopt}, Normalised{"TabKept", "a\tb", "a\tb"},
                    Normalised{"FiveCodePoints", "äöü€𝄞", "äöü€𝄞"}, Normalised{"SixCodePoints", "äöü€𝄞x", std::nullopt},
                    Normalised{"Empty", "", std::nullopt}, Normalised{"OnlySpace", " \u2028 ", std::nullopt},
                    Normalised{"Nul", "a\0b"sv, std::nullopt}, Normalised{"Escape", "a\x1b", std::nullopt},
                    Normalised{"Delete", "a\x7f", std::nullopt}, Normalised{"C1", "a\u0081", std::nullopt},
                    Normalised{"Overlong", "\xc0\xaf", std::nullopt},
                    Normalised{"Surrogate", "\xed\xa0\x80", std::nullopt},
                    Normalised{"Truncated", "a\xe2\x82", std::nullopt},
                    Normalised{"AboveUnicode", "\xf4\x90\x80\x80", std::nullopt},
                    Normalised{"LoneContinuation", "\x80", std::nullopt}),
    [](const auto& info) { return info.param.name; });

TEST(NormaliseTextSingleLine, RefusesBreaksInside) {
  EXPECT_FALSE(normalise_text("a\nb", {1, 10, true}, "title"));
  EXPECT_FALSE(normalise_text("a\tb", {1, 10, true}, "title"));
  EXPECT_EQ(*normalise_text("\na b\n", {1, 10, true}, "title"), "a b");
}

TEST(Decimals, OnlyPlainOnes) {
  EXPECT_EQ(parse_positive_decimal("1"), 1);
  EXPECT_EQ(parse_positive_decimal("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_non_negative_decimal("0"), 0);
  for (const char* text : {"", "0", "-1", "+1", "007", "1e3", " 3", "3 ", "9223372036854775808", "0x10", "1.0", "١"}) {
    EXPECT_FALSE(parse_positive_decimal(text)) << text;
  }
}

TEST(Keys, CharacterSetAndLength) {
  EXPECT_TRUE(is_key_text("vip.signals:2026_a-B"));
  EXPECT_TRUE(is_key_text(std::string(128, 'k')));
  for (const std::string& text :
       {std::string(), std::string(129, 'k'), std::string("a b"), std::string("ä"), std::string("a/b")}) {
    EXPECT_FALSE(is_key_text(text)) << text;
  }
  EXPECT_TRUE(is_visible_ascii("!~", 1, 2));
  EXPECT_FALSE(is_visible_ascii("a b", 1, 5));
  EXPECT_FALSE(is_visible_ascii("abc", 1, 2));
}

}  // namespace
}  // namespace belfry::core
