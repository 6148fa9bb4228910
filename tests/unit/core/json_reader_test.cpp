#include "belfry/core/json_reader.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>

namespace belfry::core {
namespace {

/// What was told, as text.
class Told final : public JsonEvents {
 public:
  bool null() override { return say("null"); }
  bool boolean(bool value) override { return say(value ? "true" : "false"); }
  bool integer(std::int64_t value) override { return say("i" + std::to_string(value)); }
  bool number(std::string_view text) override { return say("n" + std::string(text)); }
  bool string(std::string_view text) override { return say("s<" + std::string(text) + ">"); }
  bool key(std::string_view name) override { return say("k<" + std::string(name) + ">"); }
  bool begin_object() override { return say("{"); }
  bool end_object() override { return say("}"); }
  bool begin_array() override { return say("["); }
  bool end_array() override { return say("]"); }

  std::string all;
  std::size_t most = std::string::npos;

 private:
  bool say(const std::string& what) {
    all += what + " ";
    return most-- > 0;
  }
};

std::string told(std::string_view text) {
  Told events;
  return read_json(text, events) == JsonEnd::kRead ? events.all : "no";
}

/// The same words from another parser.
class Reference final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return events.null(); }
  bool boolean(bool value) override { return events.boolean(value); }
  bool number_integer(std::int64_t value) override { return events.integer(value); }
  bool number_unsigned(std::uint64_t value) override {
    return value > INT64_MAX ? events.number(std::to_string(value)) : events.integer(static_cast<std::int64_t>(value));
  }
  bool number_float(double, const std::string& text) override { return events.number(text); }
  bool string(std::string& text) override { return events.string(text); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return events.begin_object(); }
  bool key(std::string& name) override { return events.key(name); }
  bool end_object() override { return events.end_object(); }
  bool start_array(std::size_t) override { return events.begin_array(); }
  bool end_array() override { return events.end_array(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  Told events;
};

std::string told_by_reference(const std::string& text) {
  Reference reference;
  return nlohmann::json::sax_parse(text, &reference) ? reference.events.all : "no";
}

TEST(JsonReader, TellsWhatStandsInTheText) {
  EXPECT_EQ(told(R"( { "a" : [ 1 , -2.5e3 , "x" , true ] , "b" : { } , "c" : null } )"),
            "{ k<a> [ i1 n-2.5e3 s<x> true ] k<b> { } k<c> null } ");
  EXPECT_EQ(told(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00")"), "s<\"\\/\b\f\n\r\tA\u00e9\u20ac\U0001F600> ");
  EXPECT_EQ(told("9223372036854775807"), "i9223372036854775807 ");
  EXPECT_EQ(told("9223372036854775808"), "n9223372036854775808 ");
}

TEST(JsonReader, RefusesWhatIsNotOneValue) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "[",
                                      "]",
                                      "{]",
                                      "[}",
                                      "[1,]",
                                      "[,1]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{\"a\":1 \"b\":2}",
                                      "1 2",
                                      "01",
                                      "-",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "0x1",
                                      "NaN",
                                      "tru",
                                      "truex",
                                      "nul",
                                      "\"",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\\u-123\"",
                                      "\"\\ud800\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\udc00\"",
                                      "\"a\nb\"",
                                      "\"\xff\"",
                                      "\"\xc0\xaf\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xe2\x82\"",
                                      "\"\xe2\\n\x82\xac\"",
                                      "\xef\xbb\xbf{}",
                                      "//",
                                      "[1]]"}) {
    EXPECT_EQ(told(text), "no") << text;
  }
  EXPECT_EQ(told(std::string_view("{}\0", 3)), "no");
  EXPECT_EQ(told(std::string_view("\"a\0b\"", 5)), "no");
}

TEST(JsonReader, NumberBeyondADoubleIsToldApartFromMalformedText) {
  Told events;
  EXPECT_EQ(read_json("[1e999]", events), JsonEnd::kTooLarge);
  EXPECT_EQ(read_json(std::string(400, '9'), events), JsonEnd::kTooLarge);
  EXPECT_EQ(read_json("1e-999", events), JsonEnd::kRead);
  EXPECT_EQ(read_json("[1e999", events), JsonEnd::kTooLarge);
}

TEST(JsonReader, StopsWhereTheEventsSaySo) {
  Told events;
  events.most = 2;
  EXPECT_EQ(read_json("[1,2,3]", events), JsonEnd::kStopped);
  EXPECT_EQ(events.all, "[ i1 i2 ");
}

TEST(JsonReader, DepthCostsNoStack) {
  const std::size_t depth = 1'000'000;
  EXPECT_NE(told(std::string(depth, '[') + std::string(depth, ']')), "no");
}

/// Twenty thousand texts that are nearly JSON.
TEST(JsonReader, AgreesWithAnotherParser) {
  const std::string seeds[] = {
      R"({"id":1,"event":"communication:join_discussion","data":{"channelId":12,"sinceEventId":null}})",
      R"(["\u00e9\ud83d\ude00\n","ключ","€",-0,0,1.5,-2e-3,18446744073709551615,9223372036854775808])",
      R"({"a":[[],{},[{}]],"b":true,"c":false,"d":null,"e":"","f":-9223372036854775808})"};
  constexpr std::string_view kParts[] = {"\"",   "\\", "{",  "}",   "[",    "]",   ",",    ":",    "0",
                                         "-",    ".",  "e",  "\\u", "d8",   "dc",  "\xe2", "\xac", "\xff",
                                         "\xc3", " ",  "\n", "\t",  "true", "nul", "1"};
  std::minstd_rand random(7);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto text = seeds[below(std::size(seeds))];
    for (std::size_t edits = below(4); edits > 0; --edits) {
      const auto at = below(text.size() + 1);
      text.replace(at, below(3), kParts[below(std::size(kParts))]);
    }
    const auto expected = told_by_reference(text);
    accepted += expected == "no" ? 0 : 1;
    ASSERT_EQ(told(text), expected) << text;
  }
  EXPECT_GT(accepted, 3'000);
}

}  // namespace
}  // namespace belfry::core
