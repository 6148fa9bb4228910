#include "domain/writes.hpp"

#include <algorithm>

namespace belfry::domain {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char raw : text) {
    const auto byte = static_cast<unsigned char>(raw);
    if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
      continue;
    }
    if (raw == '"' || raw == '\\') out += '\\';
    out += raw;
  }
  out += '"';
}

}  // namespace

core::Result<void> lock_rooms(UnitOfWork& work, std::span<const RoomKey> rooms, core::Error missing) {
  auto locked = work.lock(rooms);
  if (!locked && locked.error().code == core::ErrorCode::kNotFound) return core::fail(std::move(missing));
  return locked;
}

core::Result<void> lock_room(UnitOfWork& work, const RoomKey& room, core::Error missing) {
  return lock_rooms(work, std::span(&room, 1), std::move(missing));
}

bool Changes::has(std::string_view name) const { return std::ranges::find(names_, name) != names_.end(); }

std::string Changes::details() const {
  std::string out = R"({"changed":[)";
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (i > 0) out += ',';
    append_quoted(out, names_[i]);
  }
  return out + "]}";
}

std::string details_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string out = "{";
  for (const auto& [name, value] : fields) {
    if (out.size() > 1) out += ',';
    append_quoted(out, name);
    out += ':';
    append_quoted(out, value);
  }
  return out + "}";
}

void audit(UnitOfWork& work, const Actor& admin, std::string action, std::string entity_type, std::string entity_id,
           std::string details) {
  AuditEntry entry;
  entry.admin_id = admin.id;
  entry.action = std::move(action);
  entry.entity_type = std::move(entity_type);
  entry.entity_id = std::move(entity_id);
  entry.details_json = std::move(details);
  work.audit().append(entry);
}

void append_post(UnitOfWork& work, EventType type, const Actor& actor, const Post& post, std::uint32_t changed) {
  EventDraft draft;
  draft.type = type;
  draft.entity_id = post.id.value;
  draft.payload = PostPayload{actor.ref(), post, changed};
  work.append(posts_room(post.channel_id), std::move(draft));
}

void append_message(UnitOfWork& work, EventType type, const Actor& actor, const Message& message) {
  EventDraft draft;
  draft.type = type;
  draft.entity_id = message.id.value;
  draft.payload = MessagePayload{actor.ref(), message};
  work.append(discussion_room(message.thread_id), std::move(draft));
}

void append_control(UnitOfWork& work, const RoomKey& room, ControlKind kind, const Actor& actor,
                    std::optional<UserId> subject) {
  EventDraft draft;
  draft.type = EventType::kControl;
  draft.entity_id = room.key;
  draft.payload = ControlPayload{actor.ref(), kind, subject};
  work.append(room, std::move(draft));
}

void keep_answers(UnitOfWork& work, std::span<const KeyedAnswer> answers) {
  if (!answers.empty() && !work.idempotency().store(answers)) {
    throw std::logic_error("an idempotency key was stored by someone else under the room's lock");
  }
}

void keep_answer(UnitOfWork& work, const std::optional<IdempotencyKey>& key, const IdempotentAnswer& answer) {
  if (!key) return;
  const KeyedAnswer kept{*key, answer};
  keep_answers(work, std::span(&kept, 1));
}

}  // namespace belfry::domain
