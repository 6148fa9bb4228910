#include "dialects/socketio/socket_packet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belfry::dialects::socketio {
namespace {

using namespace testing;
using enum SocketType;

constexpr std::size_t kMaxAttached = 16;

SocketDecoder::Decoded read(std::string_view text, const std::vector<std::string>& attachments = {}) {
  SocketDecoder decoder(kMaxAttached);
  auto packet = decoder.add_text(text);
  for (const auto& bytes : attachments) {
    if (!packet) return packet;
    packet = decoder.add_binary(bytes);
  }
  return packet;
}

std::string json_of(const SocketPacket& packet) { return packet.data ? wire::dump(*packet.data) : ""; }

TEST(SocketPacketText, EachPacketIsReadAndWritten) {
  struct Case {
    std::string text;
    SocketType type;
    std::string nsp;
    std::optional<std::uint64_t> id;
    std::string json;
  };
  const Case cases[] = {
      {"0", kConnect, "/", {}, ""},
      {R"(0{"token":"123"})", kConnect, "/", {}, R"({"token":"123"})"},
      {"0/custom,", kConnect, "/custom", {}, ""},
      {R"(0/custom,{"sid":"a"})", kConnect, "/custom", {}, R"({"sid":"a"})"},
      {"1", kDisconnect, "/", {}, ""},
      {"1/custom,", kDisconnect, "/custom", {}, ""},
      {R"(2["message",1,"2",{"3":[true]}])", kEvent, "/", {}, R"(["message",1,"2",{"3":[true]}])"},
      {R"(2/custom,["message"])", kEvent, "/custom", {}, R"(["message"])"},
      {R"(2456["message-with-ack",null])", kEvent, "/", 456, R"(["message-with-ack",null])"},
      {R"(20["e"])", kEvent, "/", 0, R"(["e"])"},
      {R"(29007199254740991["e"])", kEvent, "/", kMaxAckId, R"(["e"])"},
      {R"(2/custom,7["e"])", kEvent, "/custom", 7, R"(["e"])"},
      {"2[5]", kEvent, "/", {}, "[5]"},
      {"2[1.5]", kEvent, "/", {}, "[1.5]"},
      {R"(2[""])", kEvent, "/", {}, R"([""])"},
      {R"(2["e",{"_placeholder":true,"num":9}])", kEvent, "/", {}, R"(["e",{"_placeholder":true,"num":9}])"},
      {"3456[]", kAck, "/", 456, "[]"},
      {R"(3/custom,0["connect"])", kAck, "/custom", 0, R"(["connect"])"},
      {R"(4/random,{"message":"Invalid namespace"})",
       kConnectError,
       "/random",
       {},
       R"({"message":"Invalid namespace"})"},
      {R"(4"no")", kConnectError, "/", {}, R"("no")"},
  };
  for (const auto& [text, type, nsp, id, json] : cases) {
    const auto packet = read(text);
    ASSERT_TRUE(packet && *packet) << text << ": " << (packet ? "incomplete" : packet.error());
    EXPECT_EQ((*packet)->type, type) << text;
    EXPECT_EQ((*packet)->nsp, nsp) << text;
    EXPECT_EQ((*packet)->query, "") << text;
    EXPECT_EQ((*packet)->id, id) << text;
    EXPECT_EQ(json_of(**packet), json) << text;
    EXPECT_THAT((*packet)->attachments, IsEmpty()) << text;
    EXPECT_EQ(encode_packet(type, nsp, id, json), text);
  }
}

TEST(SocketPacketText, NamespaceEndsAtACommaOrTheEnd) {
  const struct {
    std::string text, nsp, query, json;
  } cases[] = {
      {"0/custom", "/custom", "", ""},
      {"1/custom", "/custom", "", ""},
      {"0/", "/", "", ""},
      {"0/,{}", "/", "", "{}"},
      {"0/admin?token=1234&uid=abcd,{}", "/admin", "token=1234&uid=abcd", "{}"},
      {"0/admin?token=1234", "/admin", "token=1234", ""},
      {"0/?a=b,", "/", "a=b", ""},
      {"0/a?b?c,", "/a", "b?c", ""},
      {"0/a?,", "/a", "", ""},
      {R"(2/a,["x,y"])", "/a", "", R"(["x,y"])"},
      {"0/\xc3\xa9,", "/\xc3\xa9", "", ""},
      {"0/" + std::string(kMaxNamespaceBytes - 1, 'n') + ",", "/" + std::string(kMaxNamespaceBytes - 1, 'n'), "", ""},
  };
  for (const auto& [text, nsp, query, json] : cases) {
    const auto packet = read(text);
    ASSERT_TRUE(packet && *packet) << text << ": " << (packet ? "incomplete" : packet.error());
    EXPECT_EQ((*packet)->nsp, nsp) << text;
    EXPECT_EQ((*packet)->query, query) << text;
    EXPECT_EQ(json_of(**packet), json) << text;
  }
}

TEST(SocketPacketText, WhatIsNoPacketIsRefused) {
  const std::pair<std::string, Refusal> cases[] = {
      {"", "an empty packet"},
      {"abc", "an unknown packet type"},
      {"7", "an unknown packet type"},
      {"9[]", "an unknown packet type"},
      {"/", "an unknown packet type"},
      {std::string("\0", 1), "an unknown packet type"},
      // CONNECT and DISCONNECT.
      {"0[]", "CONNECT with something else than an object"},
      {R"(0"token")", "CONNECT with something else than an object"},
      {"0null", "data of no kind that belongs"},
      {"0{", "data that is no JSON to be had"},
      {"05{}", "an id where none belongs"},
      {"1{}", "DISCONNECT with data"},
      {"1[]", "DISCONNECT with data"},
      {"10", "an id where none belongs"},
      // Events.
      {"2", "no data where some belongs"},
      {"2/custom", "no data where some belongs"},
      {"2/custom,", "no data where some belongs"},
      {"212", "no data where some belongs"},
      {"2{}", "an event that is no array"},
      {R"(2"e")", "an event that is no array"},
      {"2[]", "an event without a name"},
      {"2[{}]", "an event whose name is no text"},
      {R"(2[{"toString":1},"x"])", "an event whose name is no text"},
      {R"(2[["e"]])", "an event whose name is no text"},
      {"2[null]", "an event whose name is no text"},
      {"2[true]", "an event whose name is no text"},
      {R"(2["connect"])", "a reserved event"},
      {R"(2["connect_error"])", "a reserved event"},
      {R"(2["disconnect","x"])", "a reserved event"},
      {R"(2["disconnecting"])", "a reserved event"},
      {R"(2["newListener"])", "a reserved event"},
      {R"(2["removeListener"])", "a reserved event"},
      {R"(27["\u0063onnect"])", "a reserved event"},
      // Ids.
      {R"(29007199254740992["e"])", "an id out of range"},
      {R"(299999999999999999["e"])", "an id out of range"},
      {"2" + std::string(400, '9') + R"(["e"])", "an id out of range"},
      {R"(201["e"])", "an id out of range"},
      {R"(200["e"])", "an id out of range"},
      {R"(2-1["e"])", "data of no kind that belongs"},
      {R"(2+1["e"])", "data of no kind that belongs"},
      {R"(21.5["e"])", "data of no kind that belongs"},
      {R"(21e3["e"])", "data of no kind that belongs"},
      {R"(2abc["message-with-ack",1])", "data of no kind that belongs"},
      {R"(2 ["e"])", "data of no kind that belongs"},
      {R"(21 ["e"])", "data of no kind that belongs"},
      {"3[]", "an acknowledgement of nothing"},
      {"3", "an acknowledgement of nothing"},
      {"31", "no data where some belongs"},
      {"31{}", "an acknowledgement that is no array"},
      {R"(31"x")", "an acknowledgement that is no array"},
      {"4", "no data where some belongs"},
      {"4[]", "CONNECT_ERROR without a reason"},
      // Namespaces.
      {"0/" + std::string(kMaxNamespaceBytes, 'n'), "a long namespace"},
      {"0/a?" + std::string(kMaxNamespaceBytes, 'q') + ",{}", "a long namespace"},
      {"0/a\nb,", "a control character in a namespace"},
      {std::string("0/a\0b,", 6), "a control character in a namespace"},
      {"0/a\x7f,", "a control character in a namespace"},
      {"0custom,", "data of no kind that belongs"},
      // JSON.
      {R"(2["e")", "data that is no JSON to be had"},
      {R"(2["e"]])", "data that is no JSON to be had"},
      {R"(2["e"]["f"])", "data that is no JSON to be had"},
      {R"(2["e",])", "data that is no JSON to be had"},
      {R"(2["e",NaN])", "data that is no JSON to be had"},
      {R"(2["e",1e999])", "data that is no JSON to be had"},
      {R"(2["e",{"a":1,"a":2}])", "data that is no JSON to be had"},
      {R"(2["e","\u0000"])", "data that is no JSON to be had"},
      {R"(2["e","\ud800"])", "data that is no JSON to be had"},
      {"2[\"e\",\"\xff\"]", "data that is no JSON to be had"},
      {"2[\"e\",\"\x1e\"]", "data that is no JSON to be had"},
      {std::string("2[\"e\"]\0", 7), "data that is no JSON to be had"},
      {"2" + std::string(60'000, '['), "data that is no JSON to be had"},
      {"0" + std::string(60'000, '{'), "data that is no JSON to be had"},
      {R"(2["e",)" + std::string(64, '[') + std::string(64, ']') + "]", "data that is no JSON to be had"},
  };
  for (const auto& [text, refusal] : cases) {
    const auto packet = read(text);
    ASSERT_FALSE(packet) << text.substr(0, 100);
    EXPECT_EQ(packet.error(), refusal) << text.substr(0, 100);
  }
}

TEST(SocketPacketText, DepthIsBoundedAndReached) {
  const std::string deepest = R"(2["e",)" + std::string(63, '[') + std::string(63, ']') + "]";
  EXPECT_TRUE(read(deepest));
}

TEST(SocketPacketBinary, AttachmentsCompleteAPacket) {
  struct Case {
    std::string text;
    std::vector<std::string> attachments;
    SocketType type;
    std::string nsp;
    std::optional<std::uint64_t> id;
    std::string json;
  };
  const Case cases[] = {
      {R"(51-["e",{"_placeholder":true,"num":0}])",
       {"\x01"},
       kEvent,
       "/",
       {},
       R"(["e",{"_placeholder":true,"num":0}])"},
      {R"(52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])",
       {"\x01\x02", ""},
       kEvent,
       "/",
       {},
       R"(["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])"},
      {R"(51-/custom,12["e",{"a":[{"_placeholder":true,"num":0}]}])",
       {"x"},
       kEvent,
       "/custom",
       12,
       R"(["e",{"a":[{"_placeholder":true,"num":0}]}])"},
      {R"(61-789[{"_placeholder":true,"num":0}])", {"x"}, kAck, "/", 789, R"([{"_placeholder":true,"num":0}])"},
      {R"(51-["e",{"_placeholder":false,"num":5},{"_placeholder":true,"num":0}])",
       {"x"},
       kEvent,
       "/",
       {},
       R"(["e",{"_placeholder":false,"num":5},{"_placeholder":true,"num":0}])"},
  };
  for (const auto& [text, attachments, type, nsp, id, json] : cases) {
    const auto packet = read(text, attachments);
    ASSERT_TRUE(packet && *packet) << text << ": " << (packet ? "incomplete" : packet.error());
    EXPECT_EQ((*packet)->type, type) << text;
    EXPECT_EQ((*packet)->nsp, nsp) << text;
    EXPECT_EQ((*packet)->id, id) << text;
    EXPECT_EQ(json_of(**packet), json) << text;
    EXPECT_EQ((*packet)->attachments, attachments) << text;
    EXPECT_EQ(encode_packet(type, nsp, id, json, attachments.size()), text);
  }
}

std::string with_places(std::size_t count) {
  std::string text = "5" + std::to_string(count) + "-[\"e\"";
  for (std::size_t i = 0; i < count; ++i) text += R"(,{"_placeholder":true,"num":)" + std::to_string(i) + "}";
  return text + "]";
}

TEST(SocketPacketBinary, WhatDoesNotFitIsRefused) {
  const std::string place = R"({"_placeholder":true,"num":0})";
  const std::pair<std::string, Refusal> cases[] = {
      {"5[\"e\"," + place + "]", "no number of attachments"},
      {"5-[\"e\"," + place + "]", "no number of attachments"},
      {"51[\"e\"," + place + "]", "no number of attachments"},
      {"51", "no number of attachments"},
      {"5", "no number of attachments"},
      {"501-[\"e\"," + place + "]", "no number of attachments"},
      {"5 1-[\"e\"," + place + "]", "no number of attachments"},
      {"51.5-[\"e\"," + place + "]", "no number of attachments"},
      {"5-1-[\"e\"," + place + "]", "no number of attachments"},
      {"5" + std::string(400, '9') + "-[\"e\"]", "no number of attachments"},
      {"50-[\"e\"]", "too many attachments, or none"},
      {"51000000000-[\"e\"," + place + "]", "too many attachments, or none"},
      {with_places(kMaxAttachments + 1), "too many attachments, or none"},
      {"51-", "no data where some belongs"},
      {"51-{}", "an event that is no array"},
      {"61-[" + place + "]", "an acknowledgement of nothing"},
      {"61-5{}", "an acknowledgement that is no array"},
      {R"(51-["connect",)" + place + "]", "a reserved event"},
      {R"(51-["e"])", "attachments and their places differ"},
      {R"(52-["e",)" + place + "]", "attachments and their places differ"},
      {R"(51-["e",)" + place + "," + place + "]", "attachments and their places differ"},
      {R"(51-["e",{"_placeholder":true,"num":1}])", "attachments and their places differ"},
      {R"(51-["e",{"_placeholder":true,"num":-1}])", "attachments and their places differ"},
      {R"(51-["e",{"_placeholder":true,"num":0.0}])", "attachments and their places differ"},
      {R"(51-["e",{"_placeholder":true,"num":"0"}])", "attachments and their places differ"},
      {R"(51-["e",{"_placeholder":true}])", "attachments and their places differ"},
      {R"(51-["e",{"_placeholder":1,"num":0}])", "attachments and their places differ"},
      {R"(51-["e",)" + place + R"(,{"_placeholder":true}])", "attachments and their places differ"},
      {R"(51-["e",)" + place + R"(,{"_placeholder":true,"num":-1}])", "attachments and their places differ"},
      {R"(51-["e",)" + place + R"(,{"_placeholder":true,"num":1}])", "attachments and their places differ"},
      {R"(51-["e",{"_placeholder":true,"num":0,"x":)" + place + "}," + R"({"_placeholder":true,"num":7}])",
       "attachments and their places differ"},
  };
  for (const auto& [text, refusal] : cases) {
    const auto packet = read(text);
    ASSERT_FALSE(packet) << text.substr(0, 100);
    EXPECT_EQ(packet.error(), refusal) << text.substr(0, 100);
  }
}

TEST(SocketPacketBinary, TextAndAttachmentsComeInTheirOrder) {
  SocketDecoder decoder(kMaxAttached);
  EXPECT_EQ(decoder.add_binary("x").error(), "an attachment of nothing");
  ASSERT_TRUE(decoder.add_text(with_places(2)));
  EXPECT_TRUE(decoder.waiting());
  EXPECT_EQ(decoder.add_text("2[\"e\"]").error(), "text where an attachment is due");
  EXPECT_FALSE(*decoder.add_binary("x"));
  EXPECT_TRUE(*decoder.add_binary("y"));
  EXPECT_FALSE(decoder.waiting());
  EXPECT_EQ(decoder.add_binary("z").error(), "an attachment of nothing");
  EXPECT_TRUE(*decoder.add_text("2[\"e\"]"));
}

TEST(SocketPacketBinary, BytesOfOnePacketAreBounded) {
  EXPECT_TRUE(read(with_places(2), {std::string(kMaxAttached - 1, 'x'), "y"}));
  const auto over = read(with_places(2), {std::string(kMaxAttached, 'x'), "y"});
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error(), "attachments that are too large");
  // Counted for each packet anew.
  SocketDecoder decoder(kMaxAttached);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(decoder.add_text(with_places(1)));
    EXPECT_TRUE(decoder.add_binary(std::string(kMaxAttached, 'x')));
  }
  EXPECT_TRUE(read(with_places(kMaxAttachments), std::vector<std::string>(kMaxAttachments, "x")));
}

}  // namespace
}  // namespace belfry::dialects::socketio
