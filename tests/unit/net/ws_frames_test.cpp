#include "net/ws_frames.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "belfry/core/text.hpp"

namespace belfry::net {
namespace {

using Kind = ClientFrame::Kind;
using Mask = std::array<unsigned char, 4>;
using namespace std::string_literals;

constexpr std::size_t kMaxMessage = 300;
constexpr unsigned char kText = 0x81;
constexpr unsigned char kTextBegins = 0x01;
constexpr unsigned char kBinary = 0x82;
constexpr unsigned char kMore = 0x00;
constexpr unsigned char kLast = 0x80;
constexpr unsigned char kClose = 0x88;
constexpr unsigned char kPing = 0x89;
constexpr unsigned char kPong = 0x8a;

std::string big_endian(std::uint64_t value, int width) {
  std::string bytes;
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

/// The second byte and what follows it, with the length in `width` bytes; 0: in the second byte itself.
std::string announce(std::uint64_t length, int width) {
  if (width == 0) return {static_cast<char>(0x80 | length)};
  return static_cast<char>(0x80 | (width == 2 ? 126 : 127)) + big_endian(length, width);
}

/// A client's frame with every byte of its header as wished.
std::string frame(unsigned char first, std::string_view payload, int width,
                  const Mask& mask = {0x37, 0xfa, 0x21, 0x3d}) {
  std::string bytes = static_cast<char>(first) + announce(payload.size(), width);
  bytes.append(mask.begin(), mask.end());
  for (std::size_t i = 0; i < payload.size(); ++i) bytes += static_cast<char>(payload[i] ^ mask[i % 4]);
  return bytes;
}

/// With the shortest length.
std::string frame(unsigned char first, std::string_view payload) {
  return frame(first, payload, payload.size() < 126 ? 0 : payload.size() <= 0xffff ? 2 : 8);
}

std::string describe(const ClientFrame& of) {
  switch (of.kind) {
    case Kind::kNone:
      return "";
    case Kind::kText:
      return "text(" + std::string(of.payload) + ") ";
    case Kind::kBinary:
      return "binary(" + std::string(of.payload) + ") ";
    case Kind::kPing:
      return "ping(" + std::string(of.payload) + ") ";
    case Kind::kPong:
      return "pong ";
    case Kind::kClose:
      return "close(" + std::to_string(of.code) + ") ";
    case Kind::kBroken:
      return "broken(" + std::to_string(of.code) + ") ";
  }
  return "?";
}

/// Reads as a session does: what was not used is given again, with more behind it; nothing after an end.
class Reading {
 public:
  void add(std::string_view piece) {
    if (ended_) return;
    left_.append(piece);
    std::span<char> bytes(left_);
    while (true) {
      const auto next = reader_.next(bytes);
      seen += describe(next);
      ended_ = next.kind == Kind::kClose || next.kind == Kind::kBroken;
      if (next.kind == Kind::kNone || ended_) break;
    }
    EXPECT_LE(ended_ ? 0 : bytes.size(), 130u);
    left_ = std::string(bytes.begin(), bytes.end());
  }

  std::string seen;

 private:
  FrameReader reader_{kMaxMessage};
  std::string left_;
  bool ended_ = false;
};

struct Case {
  std::string name;
  std::string bytes;
  std::string seen;
};

std::vector<Case> cases() {
  const std::string a125(125, 'a');
  const std::string a126(126, 'a');
  const std::string a300(300, 'a');
  const std::string euro = "\xe2\x82\xac";
  const std::string smile = "\xf0\x9f\x99\x82";
  const auto close = [](int code, const std::string& reason = "") {
    return frame(kClose, big_endian(static_cast<std::uint64_t>(code), 2) + reason);
  };
  return {
      // 5.2 and 5.3: lengths and masks
      {"empty text", frame(kText, ""), "text() "},
      {"one byte", frame(kText, "a"), "text(a) "},
      {"125 bytes", frame(kText, a125), "text(" + a125 + ") "},
      {"126 bytes", frame(kText, a126), "text(" + a126 + ") "},
      {"all that may be", frame(kText, a300), "text(" + a300 + ") "},
      {"mask of zeros", frame(kText, "tide table", 0, {0, 0, 0, 0}), "text(tide table) "},
      {"mask of ones", frame(kText, "tide table", 0, {255, 255, 255, 255}), "text(tide table) "},
      {"mask of its own text", frame(kText, "tide", 0, {'t', 'i', 'd', 'e'}), "text(tide) "},
      {"each frame has its own mask",
       frame(kText, "abcdefghijk", 0, {1, 2, 3, 4}) + frame(kText, "abcdefghijk", 0, {9, 8, 7, 6}),
       "text(abcdefghijk) text(abcdefghijk) "},
      {"two bytes for 125", frame(kText, a125, 2), "broken(1002) "},
      {"two bytes for none", frame(kText, "", 2), "broken(1002) "},
      {"eight bytes for 300", frame(kText, a300, 8), "broken(1002) "},
      {"eight bytes for 65535", "\x81"s + announce(65535, 8), "broken(1002) "},
      {"unmasked", "\x81\x01x", "broken(1002) "},
      {"unmasked and empty", "\x81\x00"s, "broken(1002) "},
      {"unmasked ping", "\x89\x00"s, "broken(1002) "},
      {"unmasked behind a good one", frame(kText, "a") + "\x81\x01x", "text(a) broken(1002) "},
      {"first reserved bit", frame(0xc1, "a"), "broken(1002) "},
      {"second reserved bit", frame(0xa1, "a"), "broken(1002) "},
      {"third reserved bit", frame(0x91, "a"), "broken(1002) "},
      {"reserved bit of a ping", frame(0xc9, "a"), "broken(1002) "},
      {"reserved bit of a continuation", frame(kTextBegins, "a") + frame(0xc0, "b"), "broken(1002) "},

      // 5.2: opcodes
      {"opcode 3", frame(0x83, "a"), "broken(1002) "},
      {"opcode 7", frame(0x87, "a"), "broken(1002) "},
      {"opcode 11", frame(0x8b, "a"), "broken(1002) "},
      {"opcode 15", frame(0x8f, "a"), "broken(1002) "},
      {"reserved opcode inside a message", frame(kTextBegins, "a") + frame(0x84, "b"), "broken(1002) "},

      // 5.4: fragments
      {"two parts", frame(kTextBegins, "ab") + frame(kLast, "cd"), "text(abcd) "},
      {"five parts",
       frame(kTextBegins, "a") + frame(kMore, "b") + frame(kMore, "") + frame(kMore, "cd") + frame(kLast, "e"),
       "text(abcde) "},
      {"all in the first part", frame(kTextBegins, "ab") + frame(kLast, ""), "text(ab) "},
      {"all in the last part", frame(kTextBegins, "") + frame(kLast, "ab"), "text(ab) "},
      {"nothing in any part", frame(kTextBegins, "") + frame(kMore, "") + frame(kLast, ""), "text() "},
      {"one after another",
       frame(kTextBegins, "a") + frame(kLast, "b") + frame(kText, "c") + frame(kTextBegins, "d") + frame(kLast, "e"),
       "text(ab) text(c) text(de) "},
      {"last part of nothing", frame(kLast, "a"), "broken(1002) "},
      {"part of nothing", frame(kMore, "a"), "broken(1002) "},
      {"part behind the last", frame(kTextBegins, "a") + frame(kLast, "b") + frame(kLast, "c"),
       "text(ab) broken(1002) "},
      {"part behind a whole text", frame(kText, "a") + frame(kLast, "b"), "text(a) broken(1002) "},
      {"text inside a message", frame(kTextBegins, "a") + frame(kText, "b"), "broken(1002) "},
      {"text begins inside a message", frame(kTextBegins, "a") + frame(kTextBegins, "b"), "broken(1002) "},
      {"binary inside a message", frame(kTextBegins, "a") + frame(kBinary, "b"), "broken(1002) "},
      {"text inside a binary message", frame(0x02, "a") + frame(kText, "b"), "broken(1002) "},

      // 5.5: control frames
      {"ping", frame(kPing, "tide"), "ping(tide) "},
      {"empty ping", frame(kPing, ""), "ping() "},
      {"longest ping", frame(kPing, a125), "ping(" + a125 + ") "},
      {"any bytes in a ping", frame(kPing, "\xff\xfe\x00"s), "ping(\xff\xfe\x00) "s},
      {"ping of 126", frame(kPing, a126), "broken(1002) "},
      {"ping whose length takes eight bytes", "\x89"s + announce(70'000, 8), "broken(1002) "},
      {"fragmented ping", frame(0x09, "a"), "broken(1002) "},
      {"fragmented pong", frame(0x0a, "a"), "broken(1002) "},
      {"fragmented close", frame(0x08, ""), "broken(1002) "},
      {"pong that nobody asked for", frame(kPong, "a") + frame(kText, "b"), "pong text(b) "},
      {"pong of 126", frame(kPong, a126), "broken(1002) "},
      {"between the parts",
       frame(kTextBegins, "ab") + frame(kPing, "p") + frame(kMore, "cd") + frame(kPong, "q") + frame(kPing, "r") +
           frame(kLast, "ef"),
       "ping(p) pong ping(r) text(abcdef) "},
      {"between the parts of a character",
       frame(kTextBegins, "\xe2") + frame(kPing, "\xff") + frame(kMore, "\x82") + frame(kPong, "\xff") +
           frame(kLast, "\xac"),
       "ping(\xff) pong text(" + euro + ") "},
      {"close between the parts", frame(kTextBegins, "a") + close(1001) + frame(kLast, "b"), "close(1001) "},

      // 5.6 and 8.1: text
      {"many characters", frame(kText, "a\xc3\xa9" + euro + smile), "text(a\xc3\xa9" + euro + smile + ") "},
      {"NUL", frame(kText, "a\0b"s), "text(a\0b) "s},
      {"first and last of each length",
       frame(kText, "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
       "text(\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf) "},
      {"around the surrogates", frame(kText, "\xed\x9f\xbf\xee\x80\x80"), "text(\xed\x9f\xbf\xee\x80\x80) "},
      {"character in two parts", frame(kTextBegins, "a\xf0\x9f") + frame(kLast, "\x99\x82"), "text(a" + smile + ") "},
      {"character in four parts",
       frame(kTextBegins, "\xf0") + frame(kMore, "\x9f") + frame(kMore, "\x99") + frame(kLast, "\x82"),
       "text(" + smile + ") "},
      {"no lead", frame(kText, "a\x80"), "broken(1007) "},
      {"0xff", frame(kText, "\xff"), "broken(1007) "},
      {"overlong slash", frame(kText, "\xc0\xaf"), "broken(1007) "},
      {"overlong of three", frame(kText, "\xe0\x9f\xbf"), "broken(1007) "},
      {"overlong of four", frame(kText, "\xf0\x8f\xbf\xbf"), "broken(1007) "},
      {"surrogate", frame(kText, "\xed\xa0\x80"), "broken(1007) "},
      {"above the last", frame(kText, "\xf4\x90\x80\x80"), "broken(1007) "},
      {"five bytes", frame(kText, "\xf8\x88\x80\x80\x80"), "broken(1007) "},
      {"cut at the end", frame(kText, "a\xe2\x82"), "broken(1007) "},
      {"cut at the end of the parts", frame(kTextBegins, "a\xe2") + frame(kLast, "\x82"), "broken(1007) "},
      {"cut, and then nothing", frame(kTextBegins, "a\xe2") + frame(kLast, ""), "broken(1007) "},
      {"cut, and then another", frame(kTextBegins, "\xe2") + frame(kLast, "a"), "broken(1007) "},
      {"bad before the last part", frame(kTextBegins, "\xff") + frame(kLast, "a"), "broken(1007) "},
      {"good again in the next message", frame(kText, euro) + frame(kText, "a") + frame(kText, "\xbf"),
       "text(" + euro + ") text(a) broken(1007) "},

      // binary
      {"binary", frame(kBinary, "\xff\xfe"), "binary(\xff\xfe) "},
      {"empty binary", frame(kBinary, ""), "binary() "},
      {"binary in parts", frame(0x02, "\xff") + frame(kPing, "p") + frame(kLast, "\xfe"), "ping(p) binary(\xff\xfe) "},
      {"text behind binary", frame(kBinary, "\xe2") + frame(kText, "a"), "binary(\xe2) text(a) "},
      {"text behind binary in parts", frame(0x02, "\xe2") + frame(kLast, "") + frame(kText, "a"),
       "binary(\xe2) text(a) "},

      // 5.5.1 and 7.4: close
      {"close", frame(kClose, ""), "close(0) "},
      {"close of one byte", frame(kClose, "\x03"), "broken(1002) "},
      {"close with a reason", close(1000, "bye " + euro), "close(1000) "},
      {"longest close", close(4000, std::string(123, 'a')), "close(4000) "},
      {"close of 126", close(4000, std::string(124, 'a')), "broken(1002) "},
      {"close whose reason is no UTF-8", close(1000, "\xff"), "broken(1002) "},
      {"close whose reason is cut", close(1000, "\xe2\x82"), "broken(1002) "},
      {"nothing behind a close", close(1000) + frame(kText, "a"), "close(1000) "},
      {"nothing behind a breach", "\x81\x01x" + frame(kText, "a"), "broken(1002) "},

      // max_frame_bytes, here 300
      {"one byte too long", "\x81"s + announce(301, 2), "broken(1009) "},
      {"too long for the memory", "\x81"s + announce(std::uint64_t{1} << 40, 8), "broken(1009) "},
      {"length with its highest bit", "\x81"s + announce(~std::uint64_t{0}, 8), "broken(1009) "},
      {"binary too long", "\x82"s + announce(301, 2), "broken(1009) "},
      {"as long as may be, in parts", frame(kTextBegins, std::string(200, 'a')) + frame(kLast, std::string(100, 'a')),
       "text(" + a300 + ") "},
      {"too long in parts", frame(kTextBegins, std::string(200, 'a')) + "\x80"s + announce(101, 0), "broken(1009) "},
      {"binary too long in parts", frame(0x02, std::string(200, 'a')) + "\x80"s + announce(101, 0), "broken(1009) "},
      {"sum that wraps around",
       frame(kTextBegins, std::string(200, 'a')) + "\x80"s + announce(~std::uint64_t{0} - 100, 8), "broken(1009) "},
      {"each message counts for itself", frame(kText, a300) + frame(kText, a300),
       "text(" + a300 + ") text(" + a300 + ") "},
  };
}

TEST(FrameReader, KeepsTheRulesOfTheProtocolHoweverTheBytesAreCut) {
  for (const auto& test : cases()) {
    Reading whole;
    whole.add(test.bytes);
    EXPECT_EQ(whole.seen, test.seen) << test.name;
    for (std::size_t cut = 1; cut < test.bytes.size(); ++cut) {
      Reading halves;
      halves.add(std::string_view(test.bytes).substr(0, cut));
      halves.add(std::string_view(test.bytes).substr(cut));
      ASSERT_EQ(halves.seen, test.seen) << test.name << ", cut at " << cut;
    }
    Reading bytes;
    for (const char& byte : test.bytes) bytes.add({&byte, 1});
    EXPECT_EQ(bytes.seen, test.seen) << test.name << ", byte by byte";
  }
}

TEST(FrameReader, UnmasksEveryLengthFromEveryPlaceOfTheMask) {
  std::string text(kMaxMessage, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('!' + i % 90);
  for (std::size_t size = 0; size <= 40; ++size) {
    const auto part = text.substr(0, size);
    for (std::size_t cut = 0; cut <= 6 + size; ++cut) {
      const auto bytes = frame(kText, part, 0, {0x80, 0x01, 0xfe, 0x5a});
      Reading reading;
      reading.add(bytes.substr(0, cut));
      reading.add(bytes.substr(cut));
      ASSERT_EQ(reading.seen, "text(" + part + ") ") << size << " bytes, cut at " << cut;
    }
  }
}

TEST(FrameReader, SaysWhatIsWrongAtTheFirstByteThatShowsIt) {
  struct Early {
    std::string name;
    std::string bytes;  ///< the last of them shows it
    std::string seen;
  };
  const auto header = [](unsigned char first, std::uint64_t length) {
    return static_cast<char>(first) + announce(length, 0) + "\0\0\0\0"s;
  };
  const std::vector<Early> tests{
      {"reserved bit", "\xc1", "broken(1002) "},
      {"opcode", "\x83", "broken(1002) "},
      {"fragmented ping", "\x09", "broken(1002) "},
      {"part of nothing", "\x80", "broken(1002) "},
      {"text inside a message", frame(kTextBegins, "a") + "\x81", "broken(1002) "},
      {"unmasked", "\x81\x7f", "broken(1002) "},
      {"long ping", "\x89\xfe", "broken(1002) "},
      {"long way to say 125", "\x81"s + announce(125, 2), "broken(1002) "},
      {"long way to say 65535", "\x81"s + announce(65535, 8), "broken(1002) "},
      {"too long", "\x81"s + announce(301, 2), "broken(1009) "},
      {"too long by eight bytes", "\x81"s + announce(65536, 8), "broken(1009) "},
      {"no lead", header(kText, 100) + "abc\xc0", "broken(1007) "},
      {"overlong", header(kText, 100) + "abc\xe0\x80", "broken(1007) "},
      {"surrogate", header(kText, 100) + "abc\xed\xa0", "broken(1007) "},
      {"above the last", header(kText, 100) + "abc\xf4\x90", "broken(1007) "},
      {"character that ends early", header(kText, 100) + "abc\xf0\x90\x80x", "broken(1007) "},
  };
  for (const auto& test : tests) {
    Reading reading;
    reading.add(test.bytes.substr(0, test.bytes.size() - 1));
    EXPECT_EQ(reading.seen, "") << test.name;
    reading.add(test.bytes.substr(test.bytes.size() - 1));
    EXPECT_EQ(reading.seen, test.seen) << test.name;
  }
}

TEST(FrameReader, ACloseMayHaveTheCodesThatAreMeantForIt) {
  for (int code = 0; code <= 0xffff; ++code) {
    const bool good =
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1013) || (code >= 3000 && code <= 4999);
    Reading reading;
    reading.add(frame(kClose, big_endian(static_cast<std::uint64_t>(code), 2)));
    ASSERT_EQ(reading.seen, good ? "close(" + std::to_string(code) + ") " : "broken(1002) ");
  }
}

TEST(FrameReader, GivesTextOfOnePieceAsItLies) {
  auto bytes = frame(kText, "tide") + frame(kText, "table");
  FrameReader reader{kMaxMessage};
  std::span<char> left(bytes);
  EXPECT_EQ(reader.next(left).payload.data(), bytes.data() + 6);
  EXPECT_EQ(left.data(), bytes.data() + 10);
  EXPECT_EQ(reader.next(left).payload.data(), bytes.data() + 16);
  EXPECT_TRUE(left.empty());
}

TEST(ControlFrames, HaveAShortHeaderAndNoMask) {
  EXPECT_EQ(pong_frame(""), "\x8a\x00"s);
  EXPECT_EQ(pong_frame("\xff tide"), "\x8a\x06\xff tide");
  EXPECT_EQ(close_frame(1012, "Bye."),
            "\x88\x06\x03\xf4"
            "Bye.");
  EXPECT_EQ(close_frame(4001, ""), "\x88\x02\x0f\xa1");
  const auto longest = close_frame(1000, std::string(200, 'a'));
  EXPECT_EQ(longest, "\x88\x7d\x03\xe8" + std::string(123, 'a'));
}

// Every class of byte that the standard tells apart, in all sequences of four, against the check of whole texts.
TEST(Utf8Check, AgreesWithTheCheckOfWholeTextsAndFailsOnlyWhereNothingCanFollow) {
  constexpr std::string_view kBytes =
      "\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff";
  std::string text(4, ' ');
  const auto check = [&] {
    Utf8Check pieces;
    bool good = true;
    for (std::size_t at = 0; at < text.size() && good; ++at) good = pieces.add({&text[at], 1});
    ASSERT_EQ(good && pieces.whole(), core::is_utf8(text));
    Utf8Check whole;
    ASSERT_EQ(whole.add(text), good);
    if (!good || pieces.whole()) return;
    const auto completes = [&](char next) {
      Utf8Check on = pieces;
      return on.add({&next, 1}) && (on.whole() || on.add("\x80")) && (on.whole() || on.add("\x80"));
    };
    ASSERT_TRUE(completes('\x80') || completes('\x90') || completes('\xa0'));
  };
  for (const char a : kBytes) {
    for (const char b : kBytes) {
      for (const char c : kBytes) {
        for (const char d : kBytes) {
          text = {a, b, c, d};
          check();
          if (HasFatalFailure()) FAIL() << ::testing::PrintToString(text);
        }
      }
    }
  }
}

TEST(Utf8Check, FindsABadByteBehindAnyNumberOfGoodOnes) {
  for (std::size_t before = 0; before < 40; ++before) {
    Utf8Check check;
    EXPECT_FALSE(check.add(std::string(before, 'a') + "\x80" + std::string(20, 'a'))) << before;
  }
}

}  // namespace
}  // namespace belfry::net
