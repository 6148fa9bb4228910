#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/channels.hpp"
#include "belfry/domain/discussions.hpp"
#include "belfry/domain/messages.hpp"
#include "belfry/domain/moderation.hpp"
#include "belfry/domain/posts.hpp"
#include "belfry/domain/subjects.hpp"

/// JSON to domain and back. Encoders return compact JSON text; decoders are strict (unknown field, wrong type, too
/// long: kInvalid that names the field; not an object: kMalformed). No macros, no nlohmann in this header. Pure and
/// thread-safe.
namespace belfry::wire {

using core::Result;

/// Safe JSON string literal, quotes included; invalid UTF-8 is replaced.
std::string json_string(std::string_view text);

// --- Answers. `url_base` is put in front of an attachment's storage key ("" gives null urls).
std::string encode_channel_view(const domain::ChannelView& view);
std::string encode_channel_list(const domain::Page<domain::ChannelListItem>& page, std::int32_t limit, bool logged_in);
std::string encode_channel_admin(const domain::Channel& channel);
std::string encode_channel_admin_list(const domain::Page<domain::Channel>& page, std::int32_t limit);
std::string encode_post(const domain::Post& post, std::string_view url_base);
std::string encode_post_list(const domain::Page<domain::Post>& page, std::int32_t limit, std::string_view url_base);
std::string encode_discussion(const domain::Discussion& discussion);
enum class MessageView { kFull, kCompact, kAdmin };
std::string encode_message(const domain::Message& message, MessageView view);
std::string encode_message_list(const domain::Page<domain::Message>& page, std::int32_t limit, MessageView view);
std::string encode_membership(const domain::Membership& membership);
std::string encode_read_state(const domain::ReadState& state);
std::string encode_sanction(const domain::Sanction& sanction);
std::string encode_sanction_list(const std::vector<domain::Sanction>& sanctions);
std::string encode_grant(const domain::Grant& grant);
std::string encode_user_report(const domain::UserReport& report);
std::string encode_audit_list(const domain::Page<domain::AuditEntry>& page, std::int32_t limit);
std::string encode_ticket(std::string_view ticket, core::TimePoint expires_at);

/// `{"message":…,"data":…}`; `data` is JSON text.
std::string encode_success(std::string_view message, std::string_view data);
/// The failure body of the HTTP API.
std::string encode_problem(const core::Error& error, int status, std::string_view request_id);
/// The `error` object of a room reply: code is one of the five.
std::string encode_room_error(const core::Error& error);

/// Opaque cursor of channel lists; a forged one is kInvalid on field `cursor`.
std::string encode_cursor(const domain::PageCursor& cursor);
Result<domain::PageCursor> decode_cursor(std::string_view text);

// --- Request bodies. Text rules are applied here, so what comes out is normalised.
Result<domain::CreateChannel> decode_create_channel(std::string_view body);
Result<domain::UpdateChannel> decode_update_channel(std::string_view body);
Result<domain::CreatePost> decode_create_post(std::string_view body);
Result<domain::UpdatePost> decode_update_post(std::string_view body);
Result<domain::PutDiscussion> decode_put_discussion(std::string_view body);
struct MessageBody {
  std::string body;
  std::optional<std::string> client_message_id;
};
Result<MessageBody> decode_create_message(std::string_view body);
Result<std::string> decode_edit_message(std::string_view body);
Result<core::PostId> decode_read_state(std::string_view body);
/// Zero bytes mean `{}`.
Result<domain::Sanctioning> decode_sanction(std::string_view body);
Result<domain::Grant> decode_grant(std::string_view body);
/// For routes whose body carries nothing: zero bytes or an object without fields.
Result<void> decode_empty(std::string_view body);

}  // namespace belfry::wire
