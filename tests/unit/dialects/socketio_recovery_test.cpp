#include "dialects/socketio/recovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "belfry/core/base64.hpp"

namespace belfry::dialects::socketio {
namespace {

using namespace testing;
using domain::RoomKind;

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";

core::EventId event_of(std::uint8_t number) {
  core::EventId id;
  id.value.bytes = {1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, number};
  return id;
}

RoomPosition posts(std::int64_t channel, std::optional<core::EventId> event = event_of(1)) {
  return {{RoomKind::kPosts, {channel}}, event};
}

RoomPosition discussion(std::int64_t channel, std::optional<core::EventId> event = event_of(1)) {
  return {{RoomKind::kDiscussion, {channel}}, event};
}

std::vector<RoomPosition> channels(std::int64_t count) {
  std::vector<RoomPosition> rooms;
  for (std::int64_t channel = 1; channel <= count; ++channel) rooms.push_back(posts(channel));
  return rooms;
}

/// As the server would sign it, whatever it says.
std::string sealed(std::string_view purpose, const std::string& content, std::string_view key = kKey) {
  const auto mac = core::hmac_sha256(key, std::string(purpose) + '\0' + content);
  return core::encode_base64url(content + mac.substr(0, 16));
}

std::string room_bytes(char kind, std::int64_t channel, char event = '\x01') {
  std::string bytes(1, kind);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(channel >> shift & 0xff);
  return bytes + std::string(16, event);
}

core::UserId user_of(std::uint8_t number) {
  core::UserId user;
  user.value.bytes[15] = number;
  return user;
}

TEST(Positions, KeepEachRoomOnceInOrder) {
  Positions positions;
  positions.add(discussion(1));
  positions.add(posts(9));
  positions.add(posts(2, std::nullopt));
  positions.add(posts(9, event_of(7)));  // joined again
  EXPECT_THAT(positions.rooms(), ElementsAre(posts(2, std::nullopt), posts(9), discussion(1)));

  positions.step(posts(2).room, event_of(5));
  positions.step(posts(3).room, event_of(5));  // not in there
  positions.step(discussion(2).room, event_of(5));
  EXPECT_THAT(positions.rooms(), ElementsAre(posts(2, event_of(5)), posts(9), discussion(1)));
  EXPECT_EQ(*positions.find(posts(9).room), posts(9));
  EXPECT_EQ(positions.find(posts(3).room), nullptr);
  EXPECT_EQ(positions.find(discussion(2).room), nullptr);

  positions.remove(posts(9).room);
  positions.remove(posts(9).room);
  EXPECT_THAT(positions.rooms(), ElementsAre(posts(2, event_of(5)), discussion(1)));
}

TEST(Offset, SaysThePositionOfEveryRoom) {
  RecoveryCodec codec(kKey);
  const std::vector<std::vector<RoomPosition>> cases{
      {},
      {posts(1)},
      {posts(1, std::nullopt)},
      {discussion(1)},
      {posts(1), posts(2, event_of(9)), discussion(1, event_of(3)), discussion(300)},
      {posts(std::numeric_limits<std::int64_t>::max())},
      channels(kMaxOffsetRooms),
  };
  for (const auto& rooms : cases) {
    const auto text = codec.encode_offset(rooms);
    EXPECT_EQ(text.size(), (18 + 25 * rooms.size()) * 8 / 6 + ((18 + 25 * rooms.size()) % 3 == 0 ? 0 : 1));
    const auto positions = codec.decode_offset(text);
    ASSERT_TRUE(positions) << rooms.size();
    EXPECT_THAT(positions->rooms(), ElementsAreArray(rooms));
  }
}

TEST(Offset, IsTheSameOnEveryNodeForEver) {
  RecoveryCodec codec(kKey);
  const auto text = sealed("offset", std::string("\x01\x02", 2) + room_bytes(1, 5) + room_bytes(2, 0x0102030405060708));
  RoomPosition first = posts(5);
  first.event->value.bytes.fill(1);
  RoomPosition second = discussion(0x0102030405060708);
  second.event->value.bytes.fill(1);
  EXPECT_EQ(codec.encode_offset(std::vector{first, second}), text);
  EXPECT_THAT(codec.decode_offset(text)->rooms(), ElementsAre(first, second));
}

TEST(Offset, OfTooManyRoomsProvesNothing) {
  RecoveryCodec codec(kKey);
  EXPECT_EQ(codec.encode_offset(channels(kMaxOffsetRooms + 1)), kNoOffset);
  EXPECT_FALSE(codec.decode_offset(kNoOffset));
}

TEST(Offset, SignedTextOfAnotherFormIsRefused) {
  RecoveryCodec codec(kKey);
  const std::string none("\x01\x00", 2);
  ASSERT_TRUE(codec.decode_offset(sealed("offset", none)));
  std::string many("\x01\x21", 2);
  for (int channel = 1; channel <= 33; ++channel) many += room_bytes(1, channel);
  const std::pair<std::string, std::string> cases[] = {
      {"other version", std::string("\x02\x00", 2)},
      {"no version", std::string("\x00\x00", 2)},
      {"no count", std::string("\x01", 1)},
      {"nothing", ""},
      {"count too high", std::string("\x01\x02", 2) + room_bytes(1, 1)},
      {"count too low", std::string("\x01\x01", 2) + room_bytes(1, 1) + room_bytes(1, 2)},
      {"half a room", std::string("\x01\x01", 2) + room_bytes(1, 1).substr(1)},
      {"something behind", none + "x"},
      {"too many rooms", many},
      {"a room twice", std::string("\x01\x02", 2) + room_bytes(1, 1) + room_bytes(1, 1, '\x02')},
      {"rooms fall", std::string("\x01\x02", 2) + room_bytes(1, 2) + room_bytes(1, 1)},
      {"kinds fall", std::string("\x01\x02", 2) + room_bytes(2, 1) + room_bytes(1, 2)},
      {"the access log", std::string("\x01\x01", 2) + room_bytes(0, 1)},
      {"a kind to come", std::string("\x01\x01", 2) + room_bytes(3, 1)},
      {"a kind below zero", std::string("\x01\x01", 2) + room_bytes('\xff', 1)},
      {"channel 0", std::string("\x01\x01", 2) + room_bytes(1, 0)},
      {"channel below 0", std::string("\x01\x01", 2) + room_bytes(1, -1)},
  };
  for (const auto& [name, content] : cases) EXPECT_FALSE(codec.decode_offset(sealed("offset", content))) << name;
}

TEST(Offset, TextThatIsNotItsOwnIsRefused) {
  RecoveryCodec codec(kKey);
  const auto text = codec.encode_offset(std::vector{posts(1), discussion(2)});
  ASSERT_TRUE(codec.decode_offset(text));
  const std::pair<std::string, std::string> cases[] = {
      {"empty", ""},
      {"no base 64", "*" + text.substr(1)},
      {"padded", text + "="},
      {"white space", " " + text},
      {"doubled", text + text},
      {"of another key", sealed("offset", std::string("\x01\x00", 2), "another key")},
      {"of another kind", sealed("pid", std::string("\x01\x00", 2))},
      {"a MAC alone", core::encode_base64url(core::hmac_sha256(kKey, std::string("offset\0", 7)).substr(0, 16))},
      {"huge", std::string(1'000'000, 'A')},
      {"NUL", std::string(58, '\0')},
  };
  for (const auto& [name, forged] : cases) EXPECT_FALSE(codec.decode_offset(forged)) << name;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(codec.decode_offset(std::string_view(text).substr(0, size))) << size;
  }
}

/// Whichever bit is another one, the text is no offset, and no private id.
TEST(Recovery, EveryBitIsSigned) {
  RecoveryCodec codec(kKey);
  const auto offset = *core::decode_base64url(codec.encode_offset(std::vector{posts(1)}));
  const auto pid = *core::decode_base64url(codec.encode_pid({user_of(1), {1}, {2}}));
  for (std::size_t bit = 0; bit < 8 * offset.size(); ++bit) {
    auto forged = offset;
    forged[bit / 8] = static_cast<char>(forged[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(codec.decode_offset(core::encode_base64url(forged))) << bit;
  }
  for (std::size_t bit = 0; bit < 8 * pid.size(); ++bit) {
    auto forged = pid;
    forged[bit / 8] = static_cast<char>(forged[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(codec.decode_pid(core::encode_base64url(forged))) << bit;
  }
}

TEST(PrivateId, SaysItsUser) {
  RecoveryCodec codec(kKey);
  for (const auto& id : {PrivateId{}, PrivateId{user_of(1), {1, 2, 3, 4, 5, 6, 7, 8}, {}},
                         PrivateId{user_of(2), {}, {8, 7, 6, 5, 4, 3, 2, 1}}}) {
    const auto text = codec.encode_pid(id);
    EXPECT_EQ(text.size(), 66);
    EXPECT_EQ(codec.decode_pid(text), id);
  }
  EXPECT_NE(codec.decode_pid(codec.encode_pid({user_of(1)}))->user, user_of(2));
  EXPECT_EQ(codec.encode_pid({}), sealed("pid", std::string("\x01", 1) + std::string(32, '\0')));
}

TEST(PrivateId, WhatIsNotItsOwnIsRefused) {
  RecoveryCodec codec(kKey);
  const auto text = codec.encode_pid({user_of(1), {1}, {2}});
  const std::pair<std::string, std::string> cases[] = {
      {"empty", ""},
      {"longer", text + "A"},
      {"an offset", codec.encode_offset(std::vector{posts(1)})},
      {"of another key", sealed("pid", std::string("\x01", 1) + std::string(32, '\0'), "another key")},
      {"other version", sealed("pid", std::string("\x02", 1) + std::string(32, '\0'))},
      {"no version", sealed("pid", std::string(33, '\0'))},
      {"too short", sealed("pid", std::string("\x01", 1) + std::string(31, '\0'))},
      {"too long", sealed("pid", std::string("\x01", 1) + std::string(33, '\0'))},
      {"as an offset", sealed("offset", std::string("\x01", 1) + std::string(32, '\0'))},
  };
  for (const auto& [name, forged] : cases) EXPECT_FALSE(codec.decode_pid(forged)) << name;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(codec.decode_pid(std::string_view(text).substr(0, size))) << size;
  }
}

TEST(PrivateId, RefusesTheOffsetThatWasRefused) {
  PrivateId id;
  EXPECT_FALSE(id.refuses("AQ"));
  EXPECT_FALSE(id.refuses(""));
  id.refused = offset_digest("AQ");
  EXPECT_TRUE(id.refuses("AQ"));
  EXPECT_FALSE(id.refuses("AR"));
  EXPECT_FALSE(id.refuses(""));
}

/// Events 1, 2, … of one room, each after the one before.
std::vector<domain::SharedEvent> log_of(std::uint8_t first, std::uint8_t last) {
  std::vector<domain::SharedEvent> events;
  for (auto number = first; number <= last; ++number) {
    domain::Event event;
    event.id = event_of(number);
    if (number > 1) event.prev_visible_id = event_of(number - 1);
    events.push_back(std::make_shared<const domain::Event>(std::move(event)));
  }
  return events;
}

TEST(Replay, IsProvedByTheChain) {
  using Maybe = std::optional<core::EventId>;
  struct Case {
    std::string name;
    Maybe from;
    std::vector<domain::SharedEvent> read;
    Maybe head;
    std::optional<std::size_t> count;
  };
  auto hole = log_of(3, 6);
  hole.erase(hole.begin() + 1);
  auto twice = log_of(3, 4);
  twice.push_back(twice.front());
  const Case cases[] = {
      {"nothing happened", event_of(2), {}, event_of(2), 0},
      {"an empty room", {}, {}, {}, 0},
      {"all of it", event_of(2), log_of(3, 5), event_of(5), 3},
      {"from the beginning", {}, log_of(1, 3), event_of(3), 3},
      {"what is after the head comes live", event_of(2), log_of(3, 9), event_of(5), 3},
      {"nothing missed, and more came", event_of(2), log_of(3, 9), event_of(2), 0},
      {"an empty room that grew", {}, log_of(1, 3), {}, 0},
      {"the end is missing", event_of(2), log_of(3, 4), event_of(5), std::nullopt},
      {"nothing was read", event_of(2), {}, event_of(5), std::nullopt},
      {"the beginning was cut off", {}, log_of(2, 5), event_of(5), std::nullopt},
      {"all was cut off", {}, {}, event_of(5), std::nullopt},
      {"the first is missing", event_of(2), log_of(4, 5), event_of(5), std::nullopt},
      {"one in between is missing", event_of(2), hole, event_of(6), std::nullopt},
      {"one comes again", event_of(2), twice, event_of(9), std::nullopt},
      {"the head was lost", event_of(5), {}, event_of(3), std::nullopt},
      {"the room was emptied", event_of(5), {}, {}, std::nullopt},
      {"the position is later than the head", event_of(5), log_of(6, 7), event_of(3), std::nullopt},
  };
  for (const auto& [name, from, read, head, count] : cases) {
    const auto replay = prove_replay(from, read, head);
    ASSERT_EQ(replay.has_value(), count.has_value()) << name;
    if (!replay) continue;
    EXPECT_EQ(replay->size(), *count) << name;
    if (!replay->empty()) EXPECT_EQ(replay->back()->id, *head) << name;
  }
}

}  // namespace
}  // namespace belfry::dialects::socketio
