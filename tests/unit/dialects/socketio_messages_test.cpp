#include "dialects/socketio/messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/wire/events.hpp"
#include "dialects/socketio/engine_packet.hpp"
#include "dialects/socketio/socket_packet.hpp"
#include "unit/wire/samples.hpp"

namespace belfry::dialects::socketio {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using core::Error;
using core::Reason;
namespace samples = wire::testing;

/// As a client's parser takes it.
std::optional<SocketPacket> read(std::string_view text) {
  const auto engine = decode_text(text);
  if (!engine || engine->type != EngineType::kMessage) return std::nullopt;
  SocketDecoder decoder(0);
  auto packet = decoder.add_text(engine->data);
  return packet ? std::move(*packet) : std::nullopt;
}

TEST(SocketMessage, IsWhatTheContractSays) {
  const core::TimePoint at = samples::time("2026-03-17T10:15:00Z");
  const auto room = domain::discussion_room({9});
  const std::pair<std::string, std::string> cases[] = {
      {position_message("AQ"), R"(42["communication:position","AQ"])"},
      {room_left_message(room, Reason::kDiscussionBanned, "AQ"),
       R"(42["communication:room_left",{"room":"communication:discussion:9:messages","reason":"DISCUSSION_BANNED"},"AQ"])"},
      {auth_expiring_message(at), R"(42["auth:expiring",{"expiresAt":"2026-03-17T10:15:00.000Z"}])"},
      {server_draining_message(1500ms), R"(42["server:draining",{"reconnectInMs":1500}])"},
      {success_ack(0, R"({"room":"r"})"), R"(430[{"ok":true,"data":{"room":"r"}}])"},
      {failure_ack(456, Error::forbidden(Reason::kChannelLocked, "No.")),
       R"(43456[{"ok":false,"error":{"code":"FORBIDDEN","message":"No.","reason":"CHANNEL_LOCKED"}}])"},
      {command_error_message("a\"b", Error::not_found("There is none.")),
       R"(42["communication:error",{"event":"a\"b","error":{"code":"NOT_FOUND","message":"There is none."}}])"},
      {command_error_message({}, Error::not_found("There is none.")),
       R"(42["communication:error",{"event":null,"error":{"code":"NOT_FOUND","message":"There is none."}}])"},
      {connected_message("s", {}), R"(40{"sid":"s"})"},
      {connected_message("s", "p"), R"(40{"sid":"s","pid":"p"})"},
      {connect_refused_message(Error::unauthorized(Reason::kTokenExpired, "Too late.")),
       R"(44{"message":"Too late.","data":{"code":"UNAUTHORIZED","message":"Too late.","reason":"TOKEN_EXPIRED"}})"},
      {unknown_namespace_message("/random"), R"(44/random,{"message":"Invalid namespace"})"},
      {disconnected_message(), "41"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(text, expected);
    EXPECT_TRUE(read(text)) << text;
  }
}

TEST(SocketEvent, IsABodyForAllAndATailForEach) {
  auto event =
      samples::event(domain::EventType::kPostCreated, domain::PostPayload{samples::admin_ref(), samples::post()});
  const auto envelope = wire::encode_envelope(event, "https://files.example/");
  const auto body = event_body(event, "https://files.example/");
  EXPECT_EQ(body, R"(42["communication.channel_post.created",)" + envelope +
                      R"(,{"room":"communication:channel:3:posts","prevEventId":null})");
  EXPECT_EQ(event_tail("-"), R"(,"-"])");
  const auto packet = read(body + event_tail("AQ_-"));
  ASSERT_TRUE(packet);
  EXPECT_THAT(packet->data->items, SizeIs(4));
  EXPECT_EQ(packet->data->items.back().text, "AQ_-");

  event.prev_visible_id = {samples::uuid(samples::kUserText)};
  EXPECT_TRUE(event_body(event, "").ends_with(R"("prevEventId":"0190c0de-0000-7000-8000-000000000001"})"));
  EXPECT_FALSE(read(event_body(event, "")));  // it needs a tail
}

TEST(SocketEvent, RoomIsNamedAsAJoinNamesIt) {
  using domain::RoomKind;
  const auto post =
      samples::event(domain::EventType::kPostDeleted, domain::PostPayload{samples::admin_ref(), samples::post()});
  EXPECT_EQ(target_of(post), (domain::RoomTarget{RoomKind::kPosts, {3}}));
  auto message = samples::event(domain::EventType::kMessageCreated,
                                domain::MessagePayload{samples::user_ref(), samples::message()});
  message.room = domain::discussion_room({77});
  EXPECT_EQ(target_of(message), (domain::RoomTarget{RoomKind::kDiscussion, {3}}));
  EXPECT_THAT(event_body(message, ""), HasSubstr(R"({"room":"communication:discussion:77:messages")"));
}

}  // namespace
}  // namespace belfry::dialects::socketio
