#include <stdexcept>
#include <type_traits>

#include "belfry/wire/events.hpp"
#include "wire/stored.hpp"

namespace belfry::wire {
namespace {

using domain::AccessPayload;
using domain::ControlPayload;
using domain::EventPayload;
using domain::EventType;
using domain::MessagePayload;
using domain::PostPayload;

enum class Shape { kPost, kMessage, kControl, kAccess };

Shape shape_of(EventType type) {
  switch (type) {
    case EventType::kPostCreated:
    case EventType::kPostUpdated:
    case EventType::kPostDeleted:
    case EventType::kPostPinned:
      return Shape::kPost;
    case EventType::kMessageCreated:
    case EventType::kMessageUpdated:
    case EventType::kMessageDeleted:
    case EventType::kMessageRestored:
      return Shape::kMessage;
    case EventType::kControl:
      return Shape::kControl;
    case EventType::kAccessChanged:
      return Shape::kAccess;
  }
  throw std::runtime_error("stored event has an unknown type");
}

void write_fields(JsonWriter& out, const PostPayload& payload) {
  out.field("changed", payload.changed);
  out.key("post");
  write_stored(out, payload.post);
}

void write_fields(JsonWriter& out, const MessagePayload& payload) {
  out.key("message");
  write_stored(out, payload.message);
}

void write_fields(JsonWriter& out, const ControlPayload& payload) {
  out.field("kind", static_cast<int>(payload.kind));
  out.field("subject", payload.subject);
}

void write_fields(JsonWriter& out, const AccessPayload& payload) {
  out.field("subject", payload.subject);
  out.key("kind");
  if (payload.kind) {
    out.value(static_cast<int>(*payload.kind));
  } else {
    out.null();
  }
  out.field("key", payload.key);
}

PostPayload read_post(const Value& value) {
  PostPayload payload;
  payload.changed = static_cast<std::uint32_t>(stored_number(value, "changed", 0xFFFFFFFF));
  payload.post = read_stored_post(stored_field(value, "post"));
  return payload;
}

ControlPayload read_control(const Value& value) {
  ControlPayload payload;
  payload.kind = static_cast<domain::ControlKind>(
      stored_number(value, "kind", static_cast<std::int64_t>(domain::ControlKind::kUnmute)));
  if (!stored_field(value, "subject").is(Value::Kind::kNull)) {
    payload.subject = core::UserId{stored_uuid(value, "subject")};
  }
  return payload;
}

AccessPayload read_access(const Value& value) {
  AccessPayload payload;
  payload.subject.value = stored_uuid(value, "subject");
  if (!stored_field(value, "kind").is(Value::Kind::kNull)) {
    payload.kind = static_cast<domain::GrantKind>(
        stored_number(value, "kind", static_cast<std::int64_t>(domain::GrantKind::kFeature)));
  }
  if (!stored_field(value, "key").is(Value::Kind::kNull)) payload.key = stored_text(value, "key");
  return payload;
}

EventPayload read_payload(Shape shape, const Value& value) {
  switch (shape) {
    case Shape::kPost:
      return read_post(value);
    case Shape::kMessage:
      return MessagePayload{{}, read_stored_message(stored_field(value, "message"))};
    case Shape::kControl:
      return read_control(value);
    case Shape::kAccess:
      return read_access(value);
  }
  throw std::logic_error("unreachable");
}

}  // namespace

std::string encode_payload(const EventPayload& payload) {
  JsonWriter out;
  out.begin_object();
  std::visit(
      [&](const auto& p) {
        out.key("actor");
        write_stored(out, p.actor);
        write_fields(out, p);
      },
      payload);
  out.end_object();
  return std::move(out).text();
}

EventPayload decode_payload(EventType type, std::int16_t schema, std::string_view text) {
  if (schema != domain::kPayloadSchema) throw std::runtime_error("stored event has an unknown schema");
  return read_stored_payload(type, parse_stored(text));
}

EventPayload read_stored_payload(EventType type, const Value& value) {
  EventPayload payload = read_payload(shape_of(type), value);
  std::visit([&](auto& p) { p.actor = read_stored_ref(stored_field(value, "actor")); }, payload);
  return payload;
}

void mask_payload(EventType type, EventPayload& payload) {
  // Deleted and pinned events show no content, but their stored image may carry it: it is of no use to anyone either.
  switch (shape_of(type)) {
    case Shape::kPost:
      std::get<PostPayload>(payload).post.mask();
      break;
    case Shape::kMessage:
      std::get<MessagePayload>(payload).message.mask();
      break;
    case Shape::kControl:
    case Shape::kAccess:
      break;
  }
}

std::string encode_answer(const domain::IdempotentAnswer& answer) {
  JsonWriter out;
  out.begin_object();
  out.field("kind", answer.index());
  out.key("entity");
  std::visit([&](const auto& entity) { write_stored(out, entity); }, answer);
  out.end_object();
  return std::move(out).text();
}

domain::IdempotentAnswer decode_answer(std::string_view text) {
  const Value value = parse_stored(text);
  const Value& entity = stored_field(value, "entity");
  switch (stored_integer(value, "kind")) {
    case 0:
      return read_stored_channel(entity);
    case 1:
      return read_stored_post(entity);
    case 2:
      return read_stored_message(entity);
    default:
      throw_stored("kind");
  }
}

}  // namespace belfry::wire
