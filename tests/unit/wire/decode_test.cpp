#include <gtest/gtest.h>

#include <functional>

#include "belfry/wire/json.hpp"
#include "unit/wire/samples.hpp"

namespace belfry::wire {
namespace {

using core::ErrorCode;

/// The outcome of any decoder, so that one table serves all.
using Outcome = std::optional<core::Error>;
using Decoder = std::function<Outcome(std::string_view)>;

template <class T>
Decoder of(Result<T> (*decode)(std::string_view)) {
  return [decode](std::string_view body) -> Outcome {
    auto result = decode(body);
    if (result) return std::nullopt;
    return result.error();
  };
}

const Decoder kCreateChannel = of(decode_create_channel);
const Decoder kUpdateChannel = of(decode_update_channel);
const Decoder kCreatePost = of(decode_create_post);
const Decoder kUpdatePost = of(decode_update_post);
const Decoder kPutDiscussion = of(decode_put_discussion);
const Decoder kCreateMessage = of(decode_create_message);
const Decoder kEditMessage = of(decode_edit_message);
const Decoder kReadState = of(decode_read_state);
const Decoder kSanction = of(decode_sanction);
const Decoder kGrant = of(decode_grant);
const Decoder kEmpty = of(decode_empty);
const Decoder* const kAll[] = {&kCreateChannel, &kUpdateChannel, &kCreatePost,  &kUpdatePost,
                               &kPutDiscussion, &kCreateMessage, &kEditMessage, &kReadState,
                               &kSanction,      &kGrant,         &kEmpty};

struct Case {
  const Decoder* decode;
  std::string body;
  std::string field;  ///< of the expected kInvalid; empty: accepted
};

std::string quoted(std::size_t length) { return "\"" + std::string(length, 'x') + "\""; }

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string attachments(std::size_t count) {
  std::string list;
  for (std::size_t i = 0; i < count; ++i) {
    list += (i == 0 ? "" : ",") + std::string(R"({"storageKey":"a/b","fileName":"f","mimeType":"a/b","sizeBytes":1})");
  }
  return R"({"type":"MEDIA","attachments":[)" + list + "]}";
}

TEST(DecodeBody, ValuesAreAllowedOrRefusedNamingTheField) {
  const Case cases[] = {
      // channels
      {&kCreateChannel, R"({"kind":"GROUP","title":"T"})", ""},
      {&kCreateChannel, R"({"kind":"GROUP"})", "title"},
      {&kCreateChannel, R"({"title":"T"})", "kind"},
      {&kCreateChannel, R"({"kind":"group","title":"T"})", "kind"},
      {&kCreateChannel, R"({"kind":null,"title":"T"})", "kind"},
      {&kCreateChannel, R"({"kind":0,"title":"T"})", "kind"},
      {&kCreateChannel, R"({"kind":"GROUP","title":null})", "title"},
      {&kCreateChannel, R"({"kind":"GROUP","title":5})", "title"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"  "})", "title"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"a\nb"})", "title"},
      {&kCreateChannel, R"({"kind":"GROUP","title":)" + quoted(120) + "}", ""},
      {&kCreateChannel, R"({"kind":"GROUP","title":)" + quoted(121) + "}", "title"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","description":)" + quoted(2001) + "}", "description"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","description":null})", ""},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","colour":1})", "colour"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","accessPolicy":"EXTERNAL_GATED"})", "entitlementKey"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","entitlementKey":"vip"})", "entitlementKey"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","accessPolicy":"EXTERNAL_GATED","entitlementKey":"vip"})", ""},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","entitlementKey":"a b"})", "entitlementKey"},
      {&kCreateChannel, R"({"kind":"GROUP","title":"T","title":"U"})", "title"},
      {&kUpdateChannel, "{}", ""},
      {&kUpdateChannel, R"({"title":null})", "title"},
      {&kUpdateChannel, R"({"status":"GONE"})", "status"},
      {&kUpdateChannel, R"({"visibility":true})", "visibility"},
      {&kUpdateChannel, R"({"description":null,"entitlementKey":null})", ""},
      {&kUpdateChannel, R"({"id":4})", "id"},
      // posts
      {&kCreatePost, R"({"type":"TEXT","bodyText":"x"})", ""},
      {&kCreatePost, R"({"type":"TEXT"})", "bodyText"},
      {&kCreatePost, R"({"type":"TEXT","bodyText":null})", "bodyText"},
      {&kCreatePost, R"({"type":"TEXT","bodyText":"a\u0000b"})", "bodyText"},
      {&kCreatePost, R"({"type":"TEXT","bodyText":)" + quoted(20000) + "}", ""},
      {&kCreatePost, R"({"type":"TEXT","bodyText":)" + quoted(20001) + "}", "bodyText"},
      {&kCreatePost, R"({"type":"LINK"})", "linkUrl"},
      {&kCreatePost, R"({"type":"LINK","linkUrl":"https://example.org"})", ""},
      {&kCreatePost, R"({"type":"LINK","linkUrl":"ftp://example.org"})", "linkUrl"},
      {&kCreatePost, R"({"type":"CHART"})", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":{}})", ""},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":[]})", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":"{}"})", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":{"a":"\u0000"}})", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":{"a\u0000":1}})", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":{"a":1,"a":2}})", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":{"a":1e999}})", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":{"a":)" + quoted(65528) + "}}", ""},
      {&kCreatePost, R"({"type":"CHART","chartPayloadJson":{"a":)" + quoted(65529) + "}}", "chartPayloadJson"},
      {&kCreatePost, R"({"type":"MEDIA"})", "attachments"},
      {&kCreatePost, R"({"type":"MEDIA","attachments":[]})", "attachments"},
      {&kCreatePost, R"({"type":"MEDIA","attachments":{}})", "attachments"},
      {&kCreatePost, attachments(10), ""},
      {&kCreatePost, attachments(11), "attachments"},
      {&kCreatePost, R"({"type":"MEDIA","attachments":[5]})", "attachments[0]"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"a/../b","fileName":"f","mimeType":"a/b","sizeBytes":1}]})",
       "attachments[0].storageKey"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"/a","fileName":"f","mimeType":"a/b","sizeBytes":1}]})",
       "attachments[0].storageKey"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"ab","sizeBytes":1}]})",
       "attachments[0].mimeType"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"a/b","sizeBytes":-1}]})",
       "attachments[0].sizeBytes"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"a/b","sizeBytes":1.0}]})",
       "attachments[0].sizeBytes"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"a/b","sizeBytes":1e3}]})",
       "attachments[0].sizeBytes"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"a/b","sizeBytes":"1"}]})",
       "attachments[0].sizeBytes"},
      {&kCreatePost, R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"a/b"}]})",
       "attachments[0].sizeBytes"},
      {&kCreatePost,
       R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"a/b","sizeBytes":1,"url":"x"}]})",
       "attachments[0].url"},
      {&kCreatePost, R"({"type":"TEXT","bodyText":"x","publishedAt":"2026-02-30T00:00:00Z"})", "publishedAt"},
      {&kCreatePost, R"({"type":"TEXT","bodyText":"x","publishedAt":1750000000})", "publishedAt"},
      {&kUpdatePost, R"({"publishedAt":"9999-12-31T23:59:59-01:00"})", "publishedAt"},
      {&kUpdatePost, R"({"publishedAt":null})", "publishedAt"},
      {&kUpdatePost, R"({"bodyText":null,"linkUrl":null,"chartPayloadJson":null,"attachments":null})", ""},
      {&kUpdatePost, R"({"isPinned":true})", "isPinned"},
      {&kUpdatePost, R"({"type":null})", "type"},
      // discussions
      {&kPutDiscussion, "{}", ""},
      {&kPutDiscussion, R"({"slowModeIntervalSeconds":21600})", ""},
      {&kPutDiscussion, R"({"slowModeIntervalSeconds":21601})", "slowModeIntervalSeconds"},
      {&kPutDiscussion, R"({"slowModeIntervalSeconds":0})", "slowModeIntervalSeconds"},
      {&kPutDiscussion, R"({"slowModeIntervalSeconds":1.0})", "slowModeIntervalSeconds"},
      {&kPutDiscussion, R"({"slowModeIntervalSeconds":9223372036854775808})", "slowModeIntervalSeconds"},
      {&kPutDiscussion, R"({"slowModeIntervalSeconds":null,"requiredFeatureKey":null})", ""},
      {&kPutDiscussion, R"({"isEnabled":"true"})", "isEnabled"},
      {&kPutDiscussion, R"({"isEnabled":null})", "isEnabled"},
      {&kPutDiscussion, R"({"requiredFeatureKey":"ü"})", "requiredFeatureKey"},
      // messages
      {&kCreateMessage, R"({"body":"x"})", ""},
      {&kCreateMessage, "{}", "body"},
      {&kCreateMessage, R"({"body":null})", "body"},
      {&kCreateMessage, R"({"body":" \u2003\n"})", "body"},
      {&kCreateMessage, R"({"body":)" + quoted(4001) + "}", "body"},
      {&kCreateMessage, R"({"body":"a\u0007"})", "body"},
      {&kCreateMessage, R"({"body":"x","clientMessageId":""})", "clientMessageId"},
      {&kCreateMessage, R"({"body":"x","clientMessageId":null})", "clientMessageId"},
      {&kCreateMessage, R"({"body":"x","clientMessageId":7})", "clientMessageId"},
      {&kCreateMessage, R"({"body":"x","clientMessageId":"a b"})", "clientMessageId"},
      {&kCreateMessage, R"({"body":"x","clientMessageId":)" + quoted(64) + "}", ""},
      {&kCreateMessage, R"({"body":"x","clientMessageId":)" + quoted(65) + "}", "clientMessageId"},
      {&kEditMessage, R"({"body":"x","clientMessageId":"a"})", "clientMessageId"},
      {&kReadState, R"({"last_seen_post_id":"0"})", ""},
      {&kReadState, R"({"last_seen_post_id":"9223372036854775807"})", ""},
      {&kReadState, R"({"last_seen_post_id":"9223372036854775808"})", "last_seen_post_id"},
      {&kReadState, R"({"last_seen_post_id":"-1"})", "last_seen_post_id"},
      {&kReadState, R"({"last_seen_post_id":"007"})", "last_seen_post_id"},
      {&kReadState, R"({"last_seen_post_id":1200})", "last_seen_post_id"},
      {&kReadState, R"({"last_seen_post_id":""})", "last_seen_post_id"},
      {&kReadState, R"({"last_seen_post_id":null})", "last_seen_post_id"},
      // moderation, grants, empty bodies
      {&kSanction, "", ""},
      {&kSanction, R"({"reason":"spam","until":"2030-01-01T00:00:00+02:00"})", ""},
      {&kSanction, R"({"reason":null,"until":null})", ""},
      {&kSanction, R"({"until":"tomorrow"})", "until"},
      {&kSanction, R"({"userId":"x"})", "userId"},
      {&kGrant, "", ""},
      {&kGrant, R"({"validFrom":"2026-01-02T00:00:00Z","validUntil":"2026-01-01T00:00:00Z"})", "validUntil"},
      {&kGrant, R"({"validUntil":"2026-01-01"})", "validUntil"},
      {&kEmpty, "", ""},
      {&kEmpty, " { } ", ""},
      {&kEmpty, R"({"a":1})", "a"},
  };
  for (const auto& [decode, body, field] : cases) {
    const auto error = (*decode)(body);
    if (field.empty()) {
      EXPECT_FALSE(error) << body.substr(0, 200) << ": " << error->message;
      continue;
    }
    ASSERT_TRUE(error) << body.substr(0, 200);
    EXPECT_EQ(error->code, ErrorCode::kInvalid) << body.substr(0, 200);
    ASSERT_FALSE(error->details.empty());
    EXPECT_EQ(error->details.front().field, field) << body.substr(0, 200);
  }
}

TEST(DecodeBody, WhatIsNoJsonObjectIsMalformedForEveryDecoder) {
  const std::string bodies[] = {
      "nonsense",
      "[]",
      "null",
      "\"text\"",
      "5",
      "{",
      "{}}",
      R"({"body":})",
      R"({"body":"x",})",
      R"({body:"x"})",
      "{'body':'x'}",
      R"({"body":"\ud800"})",
      R"({"body":"\udc00x"})",
      R"({"body":"\ud800\ud800"})",
      "{\"body\":\"\xff\"}",
      "{\"body\":\"\xed\xa0\x80\"}",
      "{\"body\":\"a\nb\"}",
      R"({"body":"x"} // note)",
      R"({"body":NaN})",
      R"({"body":01})",
      " ",
      std::string("{\0}", 3),
      R"({"body":)" + nested(10000) + "}",
      R"({"body":)" + nested(2000000) + "}",
      std::string(1000000, '['),
  };
  for (const Decoder* decode : kAll) {
    for (const auto& body : bodies) {
      const auto error = (*decode)(body);
      ASSERT_TRUE(error) << body.substr(0, 100);
      EXPECT_EQ(error->code, ErrorCode::kMalformed) << body.substr(0, 100);
    }
  }
}

TEST(DecodeBody, ZeroBytesAreMalformedWhereAFieldIsRequiredOrTheBodyIsTheChange) {
  for (const Decoder* decode : {&kCreateChannel, &kUpdateChannel, &kCreatePost, &kUpdatePost, &kPutDiscussion,
                                &kCreateMessage, &kEditMessage, &kReadState}) {
    const auto error = (*decode)("");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, ErrorCode::kMalformed);
  }
}

TEST(DecodeBody, DepthIsBoundedAtSixtyFour) {
  const auto chart = [](std::size_t arrays) {
    return R"({"type":"CHART","chartPayloadJson":{"a":)" + nested(arrays) + "}}";
  };
  EXPECT_FALSE(kCreatePost(chart(62)));
  EXPECT_EQ(kCreatePost(chart(63))->code, ErrorCode::kMalformed);
}

TEST(DecodeBody, BrokenJsonOutweighsABadValueBeforeIt) {
  EXPECT_EQ(kCreateMessage(R"({"body":"\u0000","body":)")->code, ErrorCode::kMalformed);
}

TEST(DecodeBody, EveryFindingIsTold) {
  const auto error = kCreateChannel(R"({"kind":1,"x":2})");
  ASSERT_TRUE(error);
  ASSERT_EQ(error->details.size(), 3U);
  EXPECT_EQ(error->details[1].field, "x");
  EXPECT_EQ(error->details[2].field, "title");
}

TEST(DecodeBody, AHostileFieldNameIsCutInTheAnswer) {
  const auto error = kEmpty("{\"" + std::string(100000, 'n') + "\":1}");
  ASSERT_TRUE(error);
  EXPECT_LE(error->details.front().field.size(), 64U);
}

TEST(DecodePost, AChartOfThousandsOfFieldsComesThroughWhole) {
  std::string chart = "{";
  for (int i = 0; i < 7000; ++i) chart += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
  chart += "}";
  const auto command = decode_create_post(R"({"type":"CHART","chartPayloadJson":)" + chart + "}");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->chart_payload_json, chart);
}

TEST(DecodePost, ChartKeepsItsOrderAndItsNumbers) {
  const auto command = decode_create_post(
      R"({"type":"CHART","chartPayloadJson":{ "z" : 1.50, "a": [12345678901234567890123, -0.0, 1E+2], "é":"\u00e9\/" }})");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->chart_payload_json, R"({"z":1.50,"a":[12345678901234567890123,-0.0,1E+2],"é":"é/"})");
}

TEST(DecodePost, AttachmentsStandInTheirOrderUnlessTheySayOtherwise) {
  const auto command = decode_create_post(
      R"({"type":"MEDIA","attachments":[{"storageKey":"a","fileName":"f","mimeType":"a/b","sizeBytes":1},)"
      R"({"storageKey":"b","fileName":"g","mimeType":"a/b","sizeBytes":2},)"
      R"({"storageKey":"c","fileName":"h","mimeType":"a/b","sizeBytes":3,"displayOrder":0}]})");
  ASSERT_TRUE(command);
  ASSERT_EQ(command->attachments.size(), 3U);
  EXPECT_EQ(command->attachments[1].display_order, 1);
  EXPECT_EQ(command->attachments[2].display_order, 0);
}

TEST(DecodePost, NullClearsAndAbsenceKeeps) {
  const auto command = decode_update_post(R"({"bodyText":null})");
  ASSERT_TRUE(command);
  ASSERT_TRUE(command->body_text.has_value());
  EXPECT_FALSE(command->body_text->has_value());
  EXPECT_FALSE(command->link_url.has_value());
  EXPECT_FALSE(command->attachments.has_value());
}

TEST(DecodeMessage, TextComesOutNormalised) {
  const auto decoded = decode_create_message(R"({"body":"\u00a0 a\r\nb\t ","clientMessageId":"c1"})");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->body, "a\nb");
  EXPECT_EQ(decoded->client_message_id, "c1");
}

TEST(DecodePost, LinksAreAbsoluteWebAddresses) {
  struct LinkCase {
    std::string link;
    bool allowed;
  };
  const LinkCase cases[] = {
      {"https://example.org", true},
      {"HTTP://EXAMPLE.org:8080/a?b#c", true},
      {"http://[::1]:80/", true},
      {"https://de.example/Köln", true},
      {"https://bücher.example/", true},
      {"https://e.org/" + std::string(2048 - 14, 'x'), true},
      {"https://e.org/" + std::string(2049 - 14, 'x'), false},
      {"https://", false},
      {"https:///path", false},
      {"https:example.org", false},
      {"//example.org", false},
      {"example.org", false},
      {"javascript:alert(1)", false},
      {"data:text/html,x", false},
      {"https://user:pw@example.org", false},
      {"https://exa mple.org", false},
      {"https://example.org/a b", false},
      {"https://example.org/\\u0001", false},
      {"https://example.org/\\n", false},
      {"https://example.org/\\u202e", false},
      {"https://example.org/\\u00a0", false},
      {"https://example.org:99999", false},
      {"https://example.org:8a", false},
      {"https://[::1", false},
      {"https://[zz]", false},
      {" https://example.org", false},
      {"https://example.org/<b>", false},
      {"", false},
  };
  for (const auto& [link, allowed] : cases) {
    EXPECT_EQ(!kCreatePost(R"({"type":"LINK","linkUrl":")" + link + "\"}"), allowed) << link;
  }
}

TEST(Cursor, RoundTripsAndRefusesEveryOtherSpelling) {
  const domain::PageCursor cursor{testing::time("2026-03-10T10:00:00.123Z"), {42}};
  const auto text = encode_cursor(cursor);
  EXPECT_TRUE(text.starts_with("eyJjcmVhdGVkQXQiOiI")) << text;
  const auto decoded = decode_cursor(text);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->at, cursor.at);
  EXPECT_EQ(decoded->id, cursor.id);
  const std::string forged[] = {
      "", "x", "!!!!", text + "=", text + "A", text.substr(1), text.substr(0, text.size() - 2), "e30", "bnVsbA", "W10",
      "eyJjcmVhdGVkQXQiOiIiLCJpZCI6MX0",
      // {"id":1,"createdAt":"2026-01-01T00:00:00.000Z"}
      "eyJpZCI6MSwiY3JlYXRlZEF0IjoiMjAyNi0wMS0wMVQwMDowMDowMC4wMDBaIn0", std::string(100000, 'A')};
  for (const auto& bad : forged) {
    const auto refused = decode_cursor(bad);
    ASSERT_FALSE(refused) << bad.substr(0, 80);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(refused.error().details.front().field, "cursor");
  }
}

}  // namespace
}  // namespace belfry::wire
