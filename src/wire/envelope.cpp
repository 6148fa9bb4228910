#include "belfry/wire/events.hpp"
#include "wire/encode.hpp"
#include "wire/names.hpp"

namespace belfry::wire {
namespace {

using domain::ActorType;
using domain::Event;
using domain::EventType;
using domain::MessagePayload;
using domain::PostField;
using domain::PostPayload;

void write_actor(JsonWriter& out, const domain::ActorRef& actor) {
  const bool nobody = actor.type == ActorType::kSystem || actor.type == ActorType::kAnonymous;
  out.key("actor");
  out.begin_object();
  out.field("type", domain::actor_type_name(actor.type));
  out.field("id", nobody ? std::nullopt : std::optional(actor.id));
  out.end_object();
}

/// Only what the update changed. Of a post that is deleted by now the changed content is null.
void write_changed(JsonWriter& out, const PostPayload& payload, std::string_view url_base) {
  const auto changed = [&](PostField field) { return (payload.changed & static_cast<std::uint32_t>(field)) != 0; };
  const domain::Post& post = payload.post;
  if (changed(PostField::kType)) out.field("type", name_of(kPostTypeNames, post.type));
  if (changed(PostField::kBodyText)) out.field("bodyText", post.body_text);
  if (changed(PostField::kLinkUrl)) out.field("linkUrl", post.link_url);
  if (changed(PostField::kChartPayloadJson)) {
    out.key("chartPayloadJson");
    write_chart(out, post.chart_payload_json);
  }
  if (changed(PostField::kAttachments)) {
    out.key("attachments");
    write_attachments(out, post.attachments, url_base);
  }
  if (changed(PostField::kPublishedAt)) out.field("publishedAt", post.published_at);
}

void write_post_ids(JsonWriter& out, const domain::Post& post) {
  out.field("id", std::to_string(post.id.value));
  out.field("channelId", post.channel_id);
}

void write_post_data(JsonWriter& out, const Event& event, const PostPayload& payload, std::string_view url_base) {
  const domain::Post& post = payload.post;
  switch (event.type) {
    case EventType::kPostCreated:
      write_post_fields(out, post, url_base, event.masked);
      break;
    case EventType::kPostUpdated:
      write_post_ids(out, post);
      write_changed(out, payload, url_base);
      if (event.masked) out.field("isDeleted", true);
      out.field("updatedAt", post.updated_at);
      break;
    case EventType::kPostDeleted:
      write_post_ids(out, post);
      out.field("isDeleted", true);
      out.field("deletedAt", post.deleted_at);
      break;
    default:
      write_post_ids(out, post);
      out.field("isPinned", post.is_pinned);
      out.field("pinnedAt", post.pinned_at);
  }
}

void write_message_ids(JsonWriter& out, const domain::Message& message) {
  out.field("id", message.id);
  out.field("discussionId", message.thread_id);
}

void write_message_data(JsonWriter& out, const Event& event, const MessagePayload& payload) {
  const domain::Message& message = payload.message;
  out.field("channelId", message.channel_id);
  switch (event.type) {
    case EventType::kMessageUpdated:
      write_message_ids(out, message);
      out.key("body");
      if (event.masked || message.masked) {
        out.null();
        out.field("isDeleted", true);
      } else {
        out.value(message.body);
      }
      out.field("editedAt", message.edited_at);
      out.field("updatedAt", message.updated_at);
      break;
    case EventType::kMessageDeleted:
      write_message_ids(out, message);
      out.field("isDeleted", true);
      out.field("deletedAt", message.deleted_at);
      break;
    default:
      write_message_fields(out, message, MessageView::kFull);
  }
}

}  // namespace

std::string encode_envelope(const Event& event, std::string_view attachment_url_base) {
  JsonWriter out;
  out.begin_object();
  out.field("eventId", event.id);
  out.field("eventType", "communication." + std::string(domain::event_type_name(event.type)));
  out.field("occurredAt", event.occurred_at());
  out.key("data");
  out.begin_object();
  std::visit([&](const auto& payload) { write_actor(out, payload.actor); }, event.payload);
  if (const auto* post = std::get_if<PostPayload>(&event.payload)) {
    write_post_data(out, event, *post, attachment_url_base);
  } else if (const auto* message = std::get_if<MessagePayload>(&event.payload)) {
    write_message_data(out, event, *message);
  }
  out.end_object();
  out.end_object();
  return std::move(out).text();
}

}  // namespace belfry::wire
