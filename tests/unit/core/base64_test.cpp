#include "belfry/core/base64.hpp"

#include <gtest/gtest.h>

namespace belfry::core {
namespace {

/// RFC 4648, 10, and what tells the two alphabets apart.
TEST(Base64, GivesWhatTheStandardSays) {
  const struct {
    std::string bytes, plain, url;
  } cases[] = {
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {std::string("\0\0", 2), "AAA=", "AAA"},
      {"\xfb\xff\xfe", "+//+", "-__-"},
  };
  for (const auto& [bytes, plain, url] : cases) {
    EXPECT_EQ(encode_base64(bytes), plain);
    EXPECT_EQ(decode_base64(plain), bytes) << plain;
    EXPECT_EQ(encode_base64url(bytes), url);
    EXPECT_EQ(decode_base64url(url), bytes) << url;
  }
}

TEST(Base64, OnlyOneTextStandsForTheBytes) {
  for (const char* text : {"A", "AA", "AAA", "A===", "AA=", "AA==A", "AB==", "AAB=", "AA==\n",
                           " AA==", "====", "A=A=", "-_-_", "AAAA====", "Zg==Zg=="}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
  for (const char* text : {"A", "AB", "AAB", "AA==", "AA=", "+A", "/A", "AAAAA", "AA\n"}) {
    EXPECT_FALSE(decode_base64url(text)) << text;
  }
}

}  // namespace
}  // namespace belfry::core
