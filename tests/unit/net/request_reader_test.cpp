#include "net/request_reader.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace belfry::net {
namespace {

using State = RequestReader::State;

/// Feeds in pieces of `step` bytes until a request is complete, refused, or all is fed.
State feed(RequestReader& reader, std::string_view& bytes, std::size_t step) {
  auto state = reader.parse();
  while (state != State::kComplete && state != State::kRefused && !bytes.empty()) {
    const auto space = reader.prepare();
    const auto size = std::min({step, space.size(), bytes.size()});
    std::memcpy(space.data(), bytes.data(), size);
    reader.commit(size);
    bytes.remove_prefix(size);
    state = reader.parse();
  }
  return state;
}

TEST(RequestReader, ReadsTheSameRequestHoweverItsBytesArrive) {
  const std::string one =
      "POST /a/b%20c?x=1&y=2 HTTP/1.1\r\nHost: t\r\nX-Many: 1\r\nx-many:  2 \r\nContent-Length: 5\r\n\r\nhello";
  const std::string two =
      "\r\nPUT /d HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nConnection: "
      "close\r\n\r\n5\r\nworld\r\n0\r\n\r\n";
  const std::string all = one + two;
  for (const std::size_t step : {1u, 2u, 3u, 7u, 64u, 1000u}) {
    RequestReader reader{Limits{}};
    std::string_view rest = all;
    ASSERT_EQ(feed(reader, rest, step), State::kComplete) << step << reader.refusal().error.message;
    auto parsed = reader.take();
    EXPECT_EQ(parsed.request.method, "POST");
    EXPECT_EQ(parsed.request.path, "/a/b%20c");
    EXPECT_EQ(parsed.request.query, "x=1&y=2");
    EXPECT_EQ(parsed.request.body, "hello");
    EXPECT_TRUE(parsed.keep_alive);
    const std::vector<std::pair<std::string, std::string>> headers{
        {"host", "t"}, {"x-many", "1"}, {"x-many", "2"}, {"content-length", "5"}};
    EXPECT_EQ(parsed.request.headers, headers);
    ASSERT_EQ(feed(reader, rest, step), State::kComplete) << step << reader.refusal().error.message;
    parsed = reader.take();
    EXPECT_EQ(parsed.request.method, "PUT");
    EXPECT_EQ(parsed.request.body, "world");
    EXPECT_FALSE(parsed.keep_alive);
    EXPECT_EQ(feed(reader, rest, step), State::kIdle);
  }
}

TEST(RequestReader, RefusesWhatTwoReadersCouldReadDifferently) {
  struct Case {
    std::string name;
    std::string bytes;
    int status;
  };
  const std::string post = "POST / HTTP/1.1\r\nHost: t\r\n";
  const std::vector<Case> cases{
      {"length and chunked", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
      {"two equal lengths", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
      {"list of lengths", post + "Content-Length: 3, 3\r\n\r\n", 400},
      {"signed length", post + "Content-Length: +3\r\n\r\n", 400},
      {"negative length", post + "Content-Length: -3\r\n\r\n", 400},
      {"overflowing length", post + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {"empty length", post + "Content-Length:\r\n\r\n", 400},
      {"hexadecimal length", post + "Content-Length: 0x3\r\n\r\n", 400},
      {"two encodings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
      {"chunked not last", post + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
      {"gzip below chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
      {"identity", post + "Transfer-Encoding: identity\r\n\r\n", 400},
      {"unknown encoding", post + "Transfer-Encoding: xchunked\r\n\r\n", 400},
      {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"space before colon", post + "Content-Length : 3\r\n\r\n", 400},
      {"bare line feed", "GET / HTTP/1.1\nHost: t\n\n\r\n\r\n", 400},
      {"NUL in a value", post + std::string("X: a\0b\r\n\r\n", 11), 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"relative target", "GET a HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"authority target", "CONNECT a:80 HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"HTTP/0.9", "GET /\r\n\r\n", 400},
      {"unknown expectation", post + "Expect: coffee\r\nContent-Length: 1\r\n\r\n", 417},
      {"bad chunk size", post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"chunk without end", post + "Transfer-Encoding: chunked\r\n\r\n1\r\nabcdefg\r\n", 400},
      {"endless chunk extension", post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(20'000, 'x'), 400},
      {"endless trailer", post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + std::string(20'000, 'x'), 400},
      {"many small chunks",
       [&] {
         std::string bytes = post + "Transfer-Encoding: chunked\r\n\r\n";
         for (int i = 0; i < 5; ++i) bytes += "ffff\r\n" + std::string(0xffff, 'x') + "\r\n";
         return bytes;
       }(),
       413},
  };
  for (const auto& test : cases) {
    for (const std::size_t step : {1u, 8192u}) {
      RequestReader reader{Limits{}};
      std::string_view rest = test.bytes;
      ASSERT_EQ(feed(reader, rest, step), State::kRefused) << test.name << " by " << step;
      EXPECT_EQ(reader.refusal().status, test.status) << test.name << " by " << step;
      EXPECT_FALSE(reader.refusal().error.message.empty()) << test.name;
      EXPECT_EQ(reader.parse(), State::kRefused) << test.name;
    }
  }
}

TEST(RequestReader, AllowsExactlyTheLimits) {
  Limits limits;
  limits.max_request_line_bytes = 100;
  limits.max_header_bytes = 300;
  limits.max_body_bytes = 10;
  const auto status = [&](const std::string& bytes) {
    RequestReader reader{limits};
    std::string_view rest = bytes;
    const auto state = feed(reader, rest, 17);
    return state == State::kComplete ? 200 : state == State::kRefused ? reader.refusal().status : 0;
  };
  const auto line = [](std::size_t size) {
    return "GET /" + std::string(size - 14, 'a') + " HTTP/1.1\r\nHost: t\r\n\r\n";
  };
  EXPECT_EQ(status(line(100)), 200);
  EXPECT_EQ(status(line(101)), 414);
  const auto body = [](std::size_t size) {
    return "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size, 'b');
  };
  EXPECT_EQ(status(body(10)), 200);
  EXPECT_EQ(status(body(11)), 413);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(200, 'x') + "\r\n\r\n"), 200);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(320, 'x') + "\r\n\r\n"), 431);
}

TEST(RequestReader, TakesThePathOutOfEveryFormOfTarget) {
  struct Case {
    std::string target;
    std::string path;
    std::string query;
  };
  const std::vector<Case> cases{
      {"/", "/", ""},       {"/a?", "/a", ""},           {"/a?b?c", "/a", "b?c"},
      {"/a#f?b", "/a", ""}, {"http://h/a?b", "/a", "b"}, {"http://h", "/", ""},
      {"*", "*", ""},       {"//a//b", "//a//b", ""},    {"/x?u=http://y", "/x", "u=http://y"},
  };
  for (const auto& test : cases) {
    RequestReader reader{Limits{}};
    const std::string bytes = "GET " + test.target + " HTTP/1.1\r\nHost: t\r\n\r\n";
    std::string_view rest = bytes;
    ASSERT_EQ(feed(reader, rest, 1000), State::kComplete) << test.target;
    const auto parsed = reader.take();
    EXPECT_EQ(parsed.request.path, test.path) << test.target;
    EXPECT_EQ(parsed.request.query, test.query) << test.target;
  }
}

TEST(RequestReader, KnowsAnUpgradeWhenItSeesOne) {
  struct Case {
    std::string head;
    bool upgrade;
  };
  const std::vector<Case> cases{
      {"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket", true},
      {"GET / HTTP/1.1\r\nHost: t\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket", true},
      {"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: h2c", false},
      {"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket", false},
      {"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade", false},
      {"POST / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket", false},
      {"GET / HTTP/1.0\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket", false},
  };
  for (const auto& test : cases) {
    RequestReader reader{Limits{}};
    const auto bytes = test.head + "\r\n\r\nrest";
    std::string_view rest = bytes;
    ASSERT_EQ(feed(reader, rest, 1000), State::kComplete) << test.head;
    EXPECT_EQ(reader.take().websocket_upgrade, test.upgrade) << test.head;
    EXPECT_EQ(reader.take_rest(), "rest");
  }
}

TEST(RequestReader, TheClientWaitsForContinueOnlyWhileNothingOfTheBodyCame) {
  const std::string head = "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  RequestReader waits{Limits{}};
  std::string_view rest = head;
  ASSERT_EQ(feed(waits, rest, 1000), State::kBody);
  EXPECT_TRUE(waits.take_expectation());
  EXPECT_FALSE(waits.take_expectation());
  RequestReader goes_on{Limits{}};
  const auto more = head + "ab";
  rest = more;
  ASSERT_EQ(feed(goes_on, rest, 1000), State::kComplete);
  EXPECT_FALSE(goes_on.take_expectation());
}

/// Everything that came out of the bytes, as text; the same for every cut of them.
std::string transcript(std::string_view bytes, std::size_t step) {
  Limits limits;
  limits.max_request_line_bytes = 60;
  limits.max_header_bytes = 200;
  limits.max_body_bytes = 40;
  RequestReader reader{limits};
  std::string out;
  while (feed(reader, bytes, step) == State::kComplete) {
    const auto parsed = reader.take();
    const auto& request = parsed.request;
    out += request.method + "|" + request.path + "|" + request.query + "|" + request.body + "|";
    for (const auto& [name, value] : request.headers) out += name + "=" + value + ";";
    out += parsed.keep_alive ? "+" : "-";
  }
  return out;
}

TEST(RequestReader, MutatedRequestsReadTheSameHoweverTheyAreCut) {
  const std::vector<std::string> seeds{
      "GET /a?b=c HTTP/1.1\r\nHost: t\r\nAccept: */*\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello",
      "POST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n",
      "PUT / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx\r\n",
  };
  const std::vector<std::string> tokens{"\r\n",
                                        "\r",
                                        "\n",
                                        ":",
                                        " ",
                                        ",",
                                        "0",
                                        "ffffffffffffffff",
                                        "Content-Length: 2\r\n",
                                        "Transfer-Encoding: chunked\r\n",
                                        "\r\n\r\n",
                                        "Host: u\r\n",
                                        "\t",
                                        ";",
                                        "\"",
                                        "\xff"};
  std::mt19937 random(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = seeds[random() % seeds.size()] + seeds[random() % seeds.size()];
    for (auto changes = random() % 4; changes > 0; --changes) {
      const auto at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes.insert(at, tokens[random() % tokens.size()]);
          break;
        case 1:
          bytes.erase(at, random() % 4);
          break;
        default:
          bytes[at] = static_cast<char>(random());
          break;
      }
      if (bytes.empty()) bytes = "x";
    }
    const auto whole = transcript(bytes, bytes.size());
    ASSERT_EQ(transcript(bytes, 1), whole) << bytes;
    ASSERT_EQ(transcript(bytes, 1 + random() % 20), whole) << bytes;
  }
}

}  // namespace
}  // namespace belfry::net
