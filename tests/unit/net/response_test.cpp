#include "net/response.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/gzip.hpp"

namespace belfry::net {
namespace {

http::Response response_of(int status, std::string body = {}) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

TEST(Response, IsWrittenAsBytes) {
  auto response = response_of(201, "{}");
  response.headers.emplace_back("X-Request-Id", "abc");
  const auto encoded = encode_response(std::move(response), {});
  EXPECT_EQ(encoded.head,
            "HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nX-Request-Id: abc\r\n"
            "Content-Length: 2\r\n\r\n");
  EXPECT_EQ(encoded.body, "{}");
}

TEST(Response, WithoutContentHasNeitherTypeNorLength) {
  for (const int status : {204, 304}) {
    const auto encoded = encode_response(response_of(status, "never"), {});
    EXPECT_EQ(encoded.head.find("Content-"), std::string::npos) << status;
    EXPECT_EQ(encoded.body, "") << status;
  }
  EXPECT_NE(encode_response(response_of(200), {}).head.find("Content-Length: 0\r\n"), std::string::npos);
}

TEST(Response, HeadersThatWouldSplitTheAnswerAreDropped) {
  auto response = response_of(200);
  response.headers = {{"Good", "1"},    {"Bad", "a\r\nSet-Cookie: x"}, {"Ba d", "2"}, {"", "3"},
                      {"Bad\r\n", "4"}, {"Null", std::string("\0", 1)}};
  const auto head = encode_response(std::move(response), {}).head;
  EXPECT_NE(head.find("Good: 1\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Ba"), std::string::npos);
  EXPECT_EQ(head.find("Null"), std::string::npos);
  EXPECT_EQ(head.find("Set-Cookie"), std::string::npos);
}

TEST(Response, IsPackedAboveAKilobyteOnly) {
  EXPECT_EQ(encode_response(response_of(200, std::string(1024, 'a')), {.gzip = true}).body.size(), 1024u);
  const auto packed = encode_response(response_of(200, std::string(1025, 'a')), {.gzip = true});
  EXPECT_LT(packed.body.size(), 100u);
  EXPECT_NE(packed.head.find("Content-Length: " + std::to_string(packed.body.size()) + "\r\n"), std::string::npos);
  EXPECT_NE(packed.head.find("Vary: Accept-Encoding\r\n"), std::string::npos);
}

TEST(Response, SharedTextIsPackedOnceAndNotCopied) {
  http::Response response;
  response.shared = std::make_shared<const core::SharedText>(std::string(2000, 'a'));
  const auto plain = encode_response(response, {});
  EXPECT_EQ(plain.body.data(), response.shared->text().data());
  EXPECT_EQ(response.shared->bytes(), 2000U) << "nobody wanted it packed yet";
  const auto packed = encode_response(response, {.gzip = true});
  EXPECT_EQ(packed.body, gzip(response.shared->text()));
  EXPECT_EQ(encode_response(response, {.gzip = true}).body.data(), packed.body.data());
  EXPECT_EQ(response.shared->bytes(), 2000U + packed.body.size());
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
