#include <limits>
#include <stdexcept>
#include <utility>

#include "belfry/wire/events.hpp"
#include "wire/stored.hpp"

namespace belfry::wire {
namespace {

using domain::Event;
using domain::EventType;
using domain::RoomKey;
using domain::RoomKind;

/// Which records a room of this kind can hold.
bool belongs(RoomKind kind, EventType type) {
  switch (type) {
    case EventType::kPostCreated:
    case EventType::kPostUpdated:
    case EventType::kPostDeleted:
    case EventType::kPostPinned:
      return kind == RoomKind::kPosts;
    case EventType::kMessageCreated:
    case EventType::kMessageUpdated:
    case EventType::kMessageDeleted:
    case EventType::kMessageRestored:
      return kind == RoomKind::kDiscussion;
    case EventType::kControl:
      return kind != RoomKind::kAccess;
    case EventType::kAccessChanged:
      return kind == RoomKind::kAccess;
  }
  return false;
}

std::int64_t natural(const Value& object, std::string_view name) {
  return stored_number(object, name, std::numeric_limits<std::int64_t>::max());
}

std::optional<core::EventId> optional_id(const Value& object, std::string_view name) {
  if (stored_field(object, name).is(Value::Kind::kNull)) return std::nullopt;
  return core::EventId{stored_uuid(object, name)};
}

domain::SharedEvent read_record(const RoomKey& room, const Value& value) {
  if (!value.is(Value::Kind::kObject)) throw_stored("records");
  auto event = std::make_shared<Event>();
  event->room = room;
  event->id = core::EventId{stored_uuid(value, "id")};
  event->seq = natural(value, "seq");
  event->prev_id = optional_id(value, "prev");
  event->prev_visible_id = optional_id(value, "prevVisible");
  event->access_seq = natural(value, "access");
  event->audience = static_cast<domain::Audience>(
      stored_number(value, "audience", static_cast<std::int64_t>(domain::Audience::kSubject)));
  event->type =
      static_cast<EventType>(stored_number(value, "type", static_cast<std::int64_t>(EventType::kAccessChanged)));
  if (event->seq == 0 || !belongs(room.kind, event->type)) throw_stored("type");
  event->entity_id = natural(value, "entity");
  event->payload = read_stored_payload(event->type, stored_field(value, "payload"));
  return event;
}

/// Places rise, and each names the one before.
bool follows(const Event& event, const Event& before) {
  const auto visible = before.visible() ? std::optional(before.id) : before.prev_visible_id;
  return event.seq - 1 == before.seq && event.prev_id == before.id && before.id < event.id &&
         event.prev_visible_id == visible && event.access_seq >= before.access_seq;
}

Records read_records(const RoomKey& room, std::string_view text) {
  const Value value = parse_stored(text);
  const Value& list = stored_field(value, "records");
  if (stored_integer(value, "schema") != domain::kPayloadSchema) throw_stored("schema");
  if (!list.is(Value::Kind::kArray) || list.items.empty()) throw_stored("records");
  Records records;
  records.timeline =
      static_cast<domain::Timeline>(stored_number(value, "timeline", std::numeric_limits<domain::Timeline>::max()));
  for (const auto& item : list.items) {
    auto event = read_record(room, item);
    if (!records.events.empty() && !follows(*event, *records.events.back())) throw_stored("prev");
    records.events.push_back(std::move(event));
  }
  return records;
}

}  // namespace

std::string encode_record(const Event& record) {
  JsonWriter out;
  out.begin_object();
  out.field("id", record.id);
  out.field("seq", record.seq);
  out.field("prev", record.prev_id);
  out.field("prevVisible", record.prev_visible_id);
  out.field("access", record.access_seq);
  out.field("audience", static_cast<int>(record.audience));
  out.field("type", static_cast<int>(record.type));
  out.field("entity", record.entity_id);
  out.raw_field("payload", encode_payload(record.payload));
  out.end_object();
  return std::move(out).text();
}

std::string encode_records(domain::Timeline timeline, std::span<const std::string> records) {
  JsonWriter out;
  out.begin_object();
  out.field("timeline", timeline);
  out.field("schema", domain::kPayloadSchema);
  out.key("records");
  out.begin_array();
  for (const auto& record : records) out.raw(record);
  out.end_array();
  out.end_object();
  return std::move(out).text();
}

core::Result<Records> decode_records(const RoomKey& room, std::string_view text) {
  try {
    auto records = read_records(room, text);
    // One text for one meaning: whatever was left out, added or written otherwise shows here.
    std::vector<std::string> again;
    for (const auto& event : records.events) again.push_back(encode_record(*event));
    if (encode_records(records.timeline, again) != text) throw_stored("records");
    return records;
  } catch (const std::runtime_error& e) {
    return core::fail(core::Error::malformed("records", e.what()));
  }
}

}  // namespace belfry::wire
