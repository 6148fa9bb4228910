#include "net/response.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/gzip.hpp"
#include "net/http_date.hpp"

namespace belfry::net {
namespace {

http::Response response_of(int status, std::string body = {}) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

EncodedResponse encode(http::Response response, const ResponseContext& context) {
  return encode_response(std::move(response), context, "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Response, IsWrittenAsBytes) {
  auto response = response_of(201, "{}");
  response.headers.emplace_back("X-Request-Id", "abc");
  const auto encoded = encode(std::move(response), {});
  EXPECT_EQ(encoded.head,
            "HTTP/1.1 201 Created\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json; charset=utf-8\r\nX-Request-Id: abc\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(encoded.body, "{}");
}

TEST(Response, WithoutContentHasNeitherTypeNorLength) {
  for (const int status : {204, 304}) {
    const auto encoded = encode(response_of(status, "never"), {});
    EXPECT_EQ(encoded.head.find("Content-"), std::string::npos) << status;
    EXPECT_EQ(encoded.body, "") << status;
  }
  EXPECT_NE(encode(response_of(200), {}).head.find("Content-Length: 0\r\n"), std::string::npos);
}

TEST(Response, HeadersThatWouldSplitTheAnswerAreDropped) {
  auto response = response_of(200);
  response.headers = {{"Good", "1"},    {"Bad", "a\r\nSet-Cookie: x"}, {"Ba d", "2"}, {"", "3"},
                      {"Bad\r\n", "4"}, {"Null", std::string("\0", 1)}};
  const auto head = encode(std::move(response), {}).head;
  EXPECT_NE(head.find("Good: 1\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Ba"), std::string::npos);
  EXPECT_EQ(head.find("Null"), std::string::npos);
  EXPECT_EQ(head.find("Set-Cookie"), std::string::npos);
}

TEST(Response, IsPackedAboveAKilobyteOnly) {
  EXPECT_EQ(encode(response_of(200, std::string(1024, 'a')), {.gzip = true}).body.size(), 1024u);
  const auto packed = encode(response_of(200, std::string(1025, 'a')), {.gzip = true});
  EXPECT_LT(packed.body.size(), 100u);
  EXPECT_NE(packed.head.find("Content-Length: " + std::to_string(packed.body.size()) + "\r\n"), std::string::npos);
  EXPECT_NE(packed.head.find("Vary: Accept-Encoding\r\n"), std::string::npos);
}

TEST(Response, SharedTextIsPackedOnceAndNotCopied) {
  http::Response response;
  response.shared = std::make_shared<const core::SharedText>(std::string(2000, 'a'));
  const auto plain = encode(response, {});
  EXPECT_EQ(plain.body.data(), response.shared->text().data());
  EXPECT_EQ(response.shared->bytes(), 2000U) << "nobody wanted it packed yet";
  const auto packed = encode(response, {.gzip = true});
  EXPECT_EQ(packed.body, gzip(response.shared->text()));
  EXPECT_EQ(encode(response, {.gzip = true}).body.data(), packed.body.data());
  EXPECT_EQ(response.shared->bytes(), 2000U + packed.body.size());
}

TEST(HttpDate, IsWrittenInTheFixedFormOfTheStandard) {
  HttpDate date;
  const auto at = [&](int seconds) {
    return std::string(date.at(std::chrono::sys_seconds(std::chrono::seconds(seconds))));
  };
  EXPECT_EQ(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(at(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(at(784'111'778), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(at(951'782'399), "Mon, 28 Feb 2000 23:59:59 GMT");
  EXPECT_EQ(at(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(at(1'798'761'599), "Thu, 31 Dec 2026 23:59:59 GMT");
}

TEST(HttpDate, FollowsTheClock) {
  const auto second = [] { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); };
  HttpDate date;
  HttpDate other;
  auto before = second();
  auto now = std::string(date.now());
  while (second() != before) {  // the second ended in between
    before = second();
    now = date.now();
  }
  EXPECT_EQ(now, other.at(before));
}

TEST(Gzip, IsAcceptedByNameOrStarUnlessRefused) {
  struct Case {
    std::string header;
    bool accepted;
  };
  const std::vector<Case> cases{
      {"", false},
      {"gzip", true},
      {"GZip", true},
      {"x-gzip", true},
      {"br", false},
      {"deflate, gzip;q=1.0, *;q=0.5", true},
      {"gzip;q=0", false},
      {"gzip;q=0.000", false},
      {"gzip; q=0.001", true},
      {"gzip ; Q=0", false},
      {"*", true},
      {"*;q=0", false},
      {"*;q=0, gzip", true},
      {"gzip;q=0, *", false},
      {"identity;q=1, *;q=0", false},
      {"gzipped", false},
      {",,gzip,", true},
      {"gzip;level=1;q=0", false},
      {";;;,;q=0", false},
  };
  for (const auto& test : cases) EXPECT_EQ(accepts_gzip(test.header), test.accepted) << test.header;
}

TEST(Gzip, GivesNothingWhenItWouldNotShrink) {
  std::string noise;
  for (unsigned i = 0; i < 2000; ++i) noise.push_back(static_cast<char>((i * 2654435761u) >> 11));
  const auto packed = gzip("ab");
  EXPECT_FALSE(packed);
  if (const auto tried = gzip(noise)) EXPECT_LT(tried->size(), noise.size());
  EXPECT_TRUE(gzip(std::string(2000, 'a')));
}

}  // namespace
}  // namespace belfry::net
