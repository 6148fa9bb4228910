#include "dialects/socketio/engine_packet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belfry::dialects::socketio {
namespace {

using namespace testing;
using enum EngineType;

std::string payload_of(const std::vector<EnginePacket>& packets) {
  std::string body;
  for (const auto& packet : packets) append_to_payload(body, packet);
  return body;
}

TEST(EngineText, EachTypeIsReadAndWritten) {
  const std::pair<std::string, EnginePacket> cases[] = {
      {"0{}", {kOpen, false, "{}"}},
      {"1", {kClose}},
      {"2", {kPing}},
      {"2probe", {kPing, false, "probe"}},
      {"3", {kPong}},
      {"3probe", {kPong, false, "probe"}},
      {"4", {kMessage}},
      {"4hello", {kMessage, false, "hello"}},
      {"44", {kMessage, false, "4"}},
      {"4\xc3\xa9", {kMessage, false, "\xc3\xa9"}},
      {"4bAQ=", {kMessage, false, "bAQ="}},
      {"5", {kUpgrade}},
      {"6", {kNoop}},
  };
  for (const auto& [text, packet] : cases) {
    EXPECT_EQ(decode_text(text), packet) << text;
    EXPECT_EQ(encode_text(packet), text);
  }
}

TEST(EngineText, WhatIsNoPacketIsRefused) {
  const std::pair<std::string, Refusal> cases[] = {
      {"", "an empty packet"},
      {"abc", "an unknown packet type"},
      {"7", "an unknown packet type"},
      {"/", "an unknown packet type"},
      {"bAQIDBA==", "an unknown packet type"},
      {" 4", "an unknown packet type"},
      {std::string(1, '\0'), "an unknown packet type"},
      {"\xff", "an unknown packet type"},
      {"1x", "data where none belongs"},
      {"5probe", "data where none belongs"},
      {"66", "data where none belongs"},
  };
  for (const auto& [text, refusal] : cases) {
    const auto packet = decode_text(text);
    ASSERT_FALSE(packet) << text;
    EXPECT_EQ(packet.error(), refusal) << text;
  }
}

TEST(EnginePayload, PacketsStandInOrderAndAreWrittenAlike) {
  const std::pair<std::string, std::vector<EnginePacket>> cases[] = {
      {"4hello", {message_packet("hello")}},
      {"4a\x1e"
       "4b\x1e"
       "4c",
       {message_packet("a"), message_packet("b"), message_packet("c")}},
      {"4hello\x1e"
       "bAQIDBA==",
       {message_packet("hello"), binary_packet("\x01\x02\x03\x04")}},
      {"b", {binary_packet("")}},
      {"bHg==\x1e"
       "3",
       {binary_packet("\x1e"), {kPong}}},
      {"4\x1e"
       "4",
       {message_packet(""), message_packet("")}},
      {"4bAQ==", {message_packet("bAQ==")}},
  };
  for (const auto& [body, packets] : cases) {
    EXPECT_EQ(decode_payload(body), packets) << body;
    EXPECT_EQ(payload_of(packets), body);
  }
}

TEST(EnginePayload, OnePacketThatIsNoneRefusesAll) {
  const std::pair<std::string, Refusal> cases[] = {
      {"", "an empty packet"},
      {"\x1e", "an empty packet"},
      {"4a\x1e", "an empty packet"},
      {"\x1e"
       "4a",
       "an empty packet"},
      {"4a\x1e\x1e"
       "4b",
       "an empty packet"},
      {"4a\x1e"
       "abc",
       "an unknown packet type"},
      {"4a\x1e"
       "5x",
       "data where none belongs"},
      {"bAQI", "a binary packet that is no base 64"},
      {"bAQ", "a binary packet that is no base 64"},
      {"bAQ=", "a binary packet that is no base 64"},
      {"bAR==", "a binary packet that is no base 64"},
      {"b-_-_", "a binary packet that is no base 64"},
      {"b4hello", "a binary packet that is no base 64"},
      {"4\xff", "not UTF-8"},
      {"4a\x1e"
       "4\xc0\xaf",
       "not UTF-8"},
      {"4\xed\xa0\x80", "not UTF-8"},
      {"4a\x1e"
       "4\xe2\x82",
       "not UTF-8"},
  };
  for (const auto& [body, refusal] : cases) {
    const auto packets = decode_payload(body);
    ASSERT_FALSE(packets) << body;
    EXPECT_EQ(packets.error(), refusal) << body;
  }
}

TEST(EnginePayload, CountIsBounded) {
  const auto many = [](std::size_t count) {
    std::string body = "3";
    for (std::size_t i = 1; i < count; ++i)
      body +=
          "\x1e"
          "3";
    return body;
  };
  EXPECT_EQ(decode_payload(many(kMaxPackets))->size(), kMaxPackets);
  for (const std::size_t count : {kMaxPackets + 1, std::size_t{100'000}}) {
    const auto packets = decode_payload(many(count));
    ASSERT_FALSE(packets);
    EXPECT_EQ(packets.error(), "too many packets");
  }
}

TEST(EnginePayload, EncodedTextIsPutBehindTheOthers) {
  std::string body;
  append_to_payload(body, "42[\"a\"]");
  append_to_payload(body, EnginePacket{kNoop});
  EXPECT_EQ(body,
            "42[\"a\"]\x1e"
            "6");
}

}  // namespace
}  // namespace belfry::dialects::socketio
