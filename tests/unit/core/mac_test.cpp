#include "belfry/core/mac.hpp"

#include <gtest/gtest.h>

namespace belfry::core {
namespace {

/// The vectors of RFC 4231, 4.2 to 4.4.
TEST(Mac, GivesWhatTheStandardSays) {
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd'))),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}

TEST(Mac, KeyThatIsKeptGivesTheSameEachTime) {
  for (const std::string& key : {std::string("k"), std::string(64, 'k'), std::string(200, 'k')}) {
    HmacSha256 mac(key);
    for (const std::string& text : {std::string(), std::string("one"), std::string(1000, 'x'), std::string("one")}) {
      EXPECT_EQ(mac.of(text), hmac_sha256(key, text));
    }
  }
}

TEST(Mac, SecretsAreTheSameOnlyAsAWhole) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "ab"));
}

}  // namespace
}  // namespace belfry::core
