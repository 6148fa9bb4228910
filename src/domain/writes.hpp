#pragma once

#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/domain/unit_of_work.hpp"

/// What every write does the same way: lock, answer a repeated key, merge, append, leave a trail.
namespace belfry::domain {

/// Locks; a room that does not exist becomes `missing`.
core::Result<void> lock_rooms(UnitOfWork& work, std::span<const RoomKey> rooms, core::Error missing);
core::Result<void> lock_room(UnitOfWork& work, const RoomKey& room, core::Error missing);

/// Fields of a partial update, merged into the stored value; remembers which really changed.
class Changes {
 public:
  template <class T>
  bool merge(std::string_view name, T& stored, const std::optional<T>& value) {
    if (!value || *value == stored) return false;
    stored = *value;
    names_.push_back(name);
    return true;
  }
  void note(std::string_view name) { names_.push_back(name); }
  bool empty() const { return names_.empty(); }
  bool has(std::string_view name) const;
  /// `{"changed":["title"]}`: names only, since an audit trail outlives the content.
  std::string details() const;

 private:
  std::vector<std::string_view> names_;
};

/// A JSON object of strings, for audit details.
std::string details_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);
void audit(UnitOfWork& work, const Actor& admin, std::string action, std::string entity_type, std::string entity_id,
           std::string details = "{}");

void append_post(UnitOfWork& work, EventType type, const Actor& actor, const Post& post, std::uint32_t changed = 0);
void append_message(UnitOfWork& work, EventType type, const Actor& actor, const Message& message);
void append_control(UnitOfWork& work, const RoomKey& room, ControlKind kind, const Actor& actor,
                    std::optional<UserId> subject = std::nullopt);

/// The value of a stored answer; kConflict when the key was used for another request.
template <class T>
core::Result<T> answer_of(const IdempotencyKey& key, std::string_view hash, const IdempotentAnswer& answer) {
  const auto* value = std::get_if<T>(&answer);
  if (hash != key.hash || value == nullptr) {
    return core::fail(core::Error::conflict(core::Reason::kIdempotencyKeyReused,
                                            "The idempotency key was used for another request."));
  }
  return *value;
}

/// Looks the key up; under a lock that every request with this key takes. Empty: not seen yet.
template <class T>
core::Result<std::optional<T>> find_answer(UnitOfWork& work, const std::optional<IdempotencyKey>& key) {
  if (!key) return std::optional<T>{};
  const auto record = std::move(work.idempotency().find(std::span(&*key, 1)).at(0));
  if (!record) return std::optional<T>{};
  auto answer = answer_of<T>(*key, record->hash, record->answer);
  if (!answer) return core::fail(std::move(answer.error()));
  return std::optional<T>(std::move(*answer));
}

/// Keeps first answers. The lock excludes a racing duplicate, so losing here is broken machinery.
void keep_answers(UnitOfWork& work, std::span<const KeyedAnswer> answers);
void keep_answer(UnitOfWork& work, const std::optional<IdempotencyKey>& key, const IdempotentAnswer& answer);

}  // namespace belfry::domain
