#include "wire/stored.hpp"

#include <limits>
#include <stdexcept>
#include <utility>

namespace belfry::wire {
namespace {

template <class T, class Read>
std::optional<T> stored_optional(const Value& object, std::string_view name, Read&& read) {
  if (stored_field(object, name).is(Value::Kind::kNull)) return std::nullopt;
  return read(object, name);
}

core::TimePoint stored_time(const Value& object, std::string_view name) {
  const auto time = core::parse_iso8601(stored_text(object, name));
  if (!time) throw_stored(name);
  return *time;
}

std::optional<core::TimePoint> stored_optional_time(const Value& object, std::string_view name) {
  return stored_optional<core::TimePoint>(object, name, stored_time);
}

std::optional<std::string> stored_optional_text(const Value& object, std::string_view name) {
  return stored_optional<std::string>(object, name, stored_text);
}

std::optional<domain::ActorRef> stored_optional_ref(const Value& object, std::string_view name) {
  const Value& value = stored_field(object, name);
  if (value.is(Value::Kind::kNull)) return std::nullopt;
  return read_stored_ref(value);
}

template <class E>
E stored_enum(const Value& object, std::string_view name, E last) {
  return static_cast<E>(stored_number(object, name, static_cast<std::int64_t>(last)));
}

std::int32_t stored_int32(const Value& object, std::string_view name) {
  return static_cast<std::int32_t>(stored_number(object, name, std::numeric_limits<std::int32_t>::max()));
}

void write_optional_ref(JsonWriter& out, std::string_view name, const std::optional<domain::ActorRef>& ref) {
  out.key(name);
  if (ref) {
    write_stored(out, *ref);
  } else {
    out.null();
  }
}

}  // namespace

void throw_stored(std::string_view name) {
  throw std::runtime_error("stored JSON has no valid field '" + std::string(name) + "'");
}

Value parse_stored(std::string_view text) {
  auto value = parse_object(text, "stored");
  if (!value) throw std::runtime_error("stored text is no JSON object");
  return std::move(*value);
}

const Value& stored_field(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  if (value == nullptr) throw_stored(name);
  return *value;
}

std::int64_t stored_integer(const Value& object, std::string_view name) {
  const Value& value = stored_field(object, name);
  if (!value.is(Value::Kind::kInteger)) throw_stored(name);
  return value.integer;
}

const std::string& stored_text(const Value& object, std::string_view name) {
  const Value& value = stored_field(object, name);
  if (!value.is(Value::Kind::kString)) throw_stored(name);
  return value.text;
}

bool stored_bool(const Value& object, std::string_view name) {
  const Value& value = stored_field(object, name);
  if (!value.is(Value::Kind::kBool)) throw_stored(name);
  return value.boolean;
}

core::Uuid stored_uuid(const Value& object, std::string_view name) {
  const auto id = core::Uuid::parse(stored_text(object, name));
  if (!id) throw_stored(name);
  return *id;
}

std::int64_t stored_number(const Value& object, std::string_view name, std::int64_t last) {
  const std::int64_t number = stored_integer(object, name);
  if (number < 0 || number > last) throw_stored(name);
  return number;
}

void write_stored(JsonWriter& out, const domain::ActorRef& ref) {
  out.begin_object();
  out.field("type", static_cast<int>(ref.type));
  out.field("id", ref.id);
  out.end_object();
}

domain::ActorRef read_stored_ref(const Value& value) {
  return {stored_enum(value, "type", domain::ActorType::kAgent), {stored_uuid(value, "id")}};
}

void write_stored(JsonWriter& out, const domain::Channel& channel) {
  out.begin_object();
  out.field("id", channel.id);
  out.field("publicId", channel.public_id);
  out.field("kind", static_cast<int>(channel.kind));
  out.field("accessPolicy", static_cast<int>(channel.access_policy));
  out.field("status", static_cast<int>(channel.status));
  out.field("visibility", static_cast<int>(channel.visibility));
  out.field("title", channel.title);
  out.field("description", channel.description);
  out.field("entitlementKey", channel.entitlement_key);
  out.field("createdBy", channel.created_by);
  out.field("createdAt", channel.created_at);
  out.field("updatedAt", channel.updated_at);
  out.end_object();
}

domain::Channel read_stored_channel(const Value& value) {
  domain::Channel channel;
  channel.id.value = stored_integer(value, "id");
  channel.public_id = stored_uuid(value, "publicId");
  channel.kind = stored_enum(value, "kind", domain::ChannelKind::kGroup);
  channel.access_policy = stored_enum(value, "accessPolicy", domain::AccessPolicy::kExternalGated);
  channel.status = stored_enum(value, "status", domain::ChannelStatus::kArchived);
  channel.visibility = stored_enum(value, "visibility", domain::Visibility::kPrivate);
  channel.title = stored_text(value, "title");
  channel.description = stored_optional_text(value, "description");
  channel.entitlement_key = stored_optional_text(value, "entitlementKey");
  channel.created_by.value = stored_uuid(value, "createdBy");
  channel.created_at = stored_time(value, "createdAt");
  channel.updated_at = stored_time(value, "updatedAt");
  return channel;
}

void write_stored(JsonWriter& out, const domain::Post& post) {
  out.begin_object();
  out.field("id", post.id);
  out.field("channelId", post.channel_id);
  out.field("publishedAt", post.published_at);
  out.field("createdBy", post.created_by);
  out.field("type", static_cast<int>(post.type));
  out.field("bodyText", post.body_text);
  out.field("linkUrl", post.link_url);
  out.field("chart", post.chart_payload_json);
  out.field("isPinned", post.is_pinned);
  out.field("pinnedAt", post.pinned_at);
  out.field("deletedAt", post.deleted_at);
  out.key("attachments");
  out.begin_array();
  for (const auto& attachment : post.attachments) {
    out.begin_object();
    out.field("id", attachment.id);
    out.field("storageKey", attachment.storage_key);
    out.field("fileName", attachment.file_name);
    out.field("mimeType", attachment.mime_type);
    out.field("sizeBytes", attachment.size_bytes);
    out.field("displayOrder", attachment.display_order);
    out.end_object();
  }
  out.end_array();
  out.field("createdAt", post.created_at);
  out.field("updatedAt", post.updated_at);
  out.end_object();
}

domain::Post read_stored_post(const Value& value) {
  domain::Post post;
  post.id.value = stored_integer(value, "id");
  post.channel_id.value = stored_integer(value, "channelId");
  post.published_at = stored_time(value, "publishedAt");
  post.created_by.value = stored_uuid(value, "createdBy");
  post.type = stored_enum(value, "type", domain::PostType::kMedia);
  post.body_text = stored_optional_text(value, "bodyText");
  post.link_url = stored_optional_text(value, "linkUrl");
  post.chart_payload_json = stored_optional_text(value, "chart");
  post.is_pinned = stored_bool(value, "isPinned");
  post.pinned_at = stored_optional_time(value, "pinnedAt");
  post.deleted_at = stored_optional_time(value, "deletedAt");
  for (const auto& item : stored_field(value, "attachments").items) {
    domain::Attachment attachment;
    attachment.id.value = stored_integer(item, "id");
    attachment.storage_key = stored_text(item, "storageKey");
    attachment.file_name = stored_text(item, "fileName");
    attachment.mime_type = stored_text(item, "mimeType");
    attachment.size_bytes = stored_integer(item, "sizeBytes");
    attachment.display_order = stored_int32(item, "displayOrder");
    post.attachments.push_back(std::move(attachment));
  }
  post.created_at = stored_time(value, "createdAt");
  post.updated_at = stored_time(value, "updatedAt");
  return post;
}

void write_stored(JsonWriter& out, const domain::Message& message) {
  out.begin_object();
  out.field("id", message.id);
  out.field("publicId", message.public_id);
  out.field("threadId", message.thread_id);
  out.field("channelId", message.channel_id);
  out.field("parentId", message.parent_id);
  out.key("author");
  write_stored(out, message.author.ref);
  out.field("username", message.author.username);
  out.field("picture", message.author.picture);
  out.field("body", message.body);
  out.field("clientMessageId", message.client_message_id);
  out.field("deletedAt", message.deleted_at);
  write_optional_ref(out, "deletedBy", message.deleted_by);
  out.field("editedAt", message.edited_at);
  write_optional_ref(out, "editedBy", message.edited_by);
  out.field("createdAt", message.created_at);
  out.field("updatedAt", message.updated_at);
  out.field("masked", message.masked);
  out.end_object();
}

domain::Message read_stored_message(const Value& value) {
  domain::Message message;
  message.id.value = stored_integer(value, "id");
  message.public_id = stored_uuid(value, "publicId");
  message.thread_id.value = stored_integer(value, "threadId");
  message.channel_id.value = stored_integer(value, "channelId");
  if (!stored_field(value, "parentId").is(Value::Kind::kNull)) {
    message.parent_id = core::MessageId{stored_integer(value, "parentId")};
  }
  message.author.ref = read_stored_ref(stored_field(value, "author"));
  message.author.username = stored_optional_text(value, "username");
  message.author.picture = stored_optional_text(value, "picture");
  message.body = stored_text(value, "body");
  message.client_message_id = stored_optional_text(value, "clientMessageId");
  message.deleted_at = stored_optional_time(value, "deletedAt");
  message.deleted_by = stored_optional_ref(value, "deletedBy");
  message.edited_at = stored_optional_time(value, "editedAt");
  message.edited_by = stored_optional_ref(value, "editedBy");
  message.created_at = stored_time(value, "createdAt");
  message.updated_at = stored_time(value, "updatedAt");
  message.masked = stored_bool(value, "masked");
  return message;
}

}  // namespace belfry::wire
