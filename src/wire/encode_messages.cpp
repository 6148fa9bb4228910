#include "belfry/wire/json.hpp"
#include "wire/encode.hpp"

namespace belfry::wire {
namespace {

using domain::ActorType;

std::optional<core::UserId> id_when(const std::optional<domain::ActorRef>& ref, ActorType type) {
  if (!ref || ref->type != type) return std::nullopt;
  return ref->id;
}

void write_author(JsonWriter& out, const domain::Author& author) {
  out.key("author");
  out.begin_object();
  out.field("id", author.ref.id);
  out.field("username", author.username);
  out.field("picture", author.picture);
  out.end_object();
}

void write_author_ids(JsonWriter& out, const domain::Author& author) {
  out.field("authorType", domain::actor_type_name(author.ref.type));
  out.field("authorUserId", id_when(author.ref, ActorType::kUser));
  out.field("authorAdminId", id_when(author.ref, ActorType::kAdmin));
}

/// Only admins see what a deleted message said, and they too not in a masked image.
void write_body(JsonWriter& out, const domain::Message& message, MessageView view) {
  out.key("body");
  if (message.masked || (message.deleted() && view != MessageView::kAdmin)) {
    out.null();
  } else {
    out.value(message.body);
  }
}

void write_compact(JsonWriter& out, const domain::Message& message) {
  out.field("id", message.id);
  write_author_ids(out, message.author);
  write_body(out, message, MessageView::kCompact);
  out.field("isDeleted", message.deleted() || message.masked);
  if (message.client_message_id) out.field("clientMessageId", *message.client_message_id);
  out.field("createdAt", message.created_at);
}

}  // namespace

void write_message_fields(JsonWriter& out, const domain::Message& message, MessageView view) {
  if (view == MessageView::kCompact) return write_compact(out, message);
  out.field("id", message.id);
  out.field("discussionId", message.thread_id);
  write_author(out, message.author);
  write_author_ids(out, message.author);
  write_body(out, message, view);
  if (message.client_message_id) out.field("clientMessageId", *message.client_message_id);
  out.field("isDeleted", message.deleted() || message.masked);
  out.field("deletedAt", message.deleted_at);
  out.field("deletedByAdminId", id_when(message.deleted_by, ActorType::kAdmin));
  if (view == MessageView::kAdmin) out.field("deletedByUserId", id_when(message.deleted_by, ActorType::kUser));
  out.field("editedAt", message.edited_at);
  out.field("editedByUserId", id_when(message.edited_by, ActorType::kUser));
  out.field("editedByAdminId", id_when(message.edited_by, ActorType::kAdmin));
  out.field("createdAt", message.created_at);
  out.field("updatedAt", message.updated_at);
}

std::string encode_message(const domain::Message& message, MessageView view) {
  JsonWriter out;
  out.begin_object();
  write_message_fields(out, message, view);
  out.end_object();
  return std::move(out).text();
}

std::string encode_message_list(const domain::Page<domain::Message>& page, std::int32_t limit, MessageView view) {
  return encode_list(
      page.items, page.has_more, limit,
      [&](JsonWriter& out, const domain::Message& message) { write_message_fields(out, message, view); },
      [&](JsonWriter& out) {
        if (page.has_more) out.field("next_before_id", std::to_string(page.items.back().id.value));
      });
}

std::string encode_discussion(const domain::Discussion& discussion) {
  JsonWriter out;
  out.begin_object();
  out.field("id", discussion.id);
  out.field("channelId", discussion.channel_id);
  out.field("title", discussion.title);
  out.field("isEnabled", discussion.is_enabled);
  out.field("requiredFeatureKey", discussion.required_feature_key);
  out.field("slowModeEnabled", discussion.slow_mode_enabled);
  out.field("slowModeIntervalSeconds", discussion.slow_mode_interval_seconds);
  out.field("createdByAdminId", discussion.created_by);
  out.field("createdAt", discussion.created_at);
  out.field("updatedAt", discussion.updated_at);
  out.end_object();
  return std::move(out).text();
}

}  // namespace belfry::wire
