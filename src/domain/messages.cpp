#include "belfry/domain/messages.hpp"

#include <utility>

#include "belfry/domain/discussions.hpp"
#include "domain/refusals.hpp"
#include "domain/standing.hpp"
#include "domain/writes.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;
using core::Reason;

struct Place {
  Message message;
  Channel channel;
  Discussion discussion;
};

/// Locks the room of a message and reads everything after that: only its thread is known from before.
Result<Place> lock_message(UnitOfWork& work, MessageId id) {
  const auto known = work.messages().find(id);
  if (!known) return fail(message_not_found());
  if (auto locked = lock_room(work, discussion_room(known->thread_id), message_not_found()); !locked) {
    return fail(std::move(locked.error()));
  }
  auto message = work.messages().find(id);
  auto discussion = work.threads().find(known->thread_id);
  if (!message || !discussion) return fail(message_not_found());
  auto channel = work.channels().find(discussion->channel_id);
  if (!channel) return fail(message_not_found());
  return Place{std::move(*message), std::move(*channel), std::move(*discussion)};
}

Message tombstone(Message message) {
  message.mask();
  return message;
}

void audit_message(UnitOfWork& work, const Actor& actor, std::string action, MessageId id, std::string details = "{}") {
  if (actor.admin()) audit(work, actor, std::move(action), "message", std::to_string(id.value), std::move(details));
}

Message edit(UnitOfWork& work, const Actor& actor, Message message, const std::string& body) {
  if (message.body == body) return message;
  message.body = body;
  message.edited_at = message.updated_at = work.now();
  message.edited_by = actor.ref();
  work.messages().update(message);
  append_message(work, EventType::kMessageUpdated, actor, message);
  audit_message(work, actor, "message.update", message.id, R"({"changed":["body"]})");
  return message;
}

Message remove(UnitOfWork& work, const Actor& actor, Message message) {
  if (message.deleted()) return tombstone(std::move(message));
  // `updated_at` stays: the event of a deletion does not carry it, and who follows events must end with what REST
  // shows.
  message.deleted_at = work.now();
  message.deleted_by = actor.ref();
  work.messages().update(message);
  auto answer = tombstone(std::move(message));
  append_message(work, EventType::kMessageDeleted, actor, answer);
  audit_message(work, actor, "message.delete", answer.id);
  return answer;
}

Error not_author() { return Error::forbidden(Reason::kNotAuthor, "Only the author may do this."); }

Standings standings_of(UnitOfWork& work, const Actor& actor, const Place& place) {
  Standings standings;
  standings.want(actor, place.channel);
  standings.want(actor, place.discussion);
  standings.read(work);
  return standings;
}

/// Reading the place, being the author, and writing there: in this order.
Result<void> may_edit(UnitOfWork& work, const Actor& actor, const Place& place) {
  const auto standings = standings_of(work, actor, place);
  if (auto access = standings.decide(actor, place.channel, place.discussion); !access.allowed()) {
    return fail(std::move(*access.refusal));
  }
  if (place.message.author.ref != actor.ref()) return fail(not_author());
  if (auto active = require_active(place.channel); !active) return active;
  return decide_muted(actor, standings.mute(actor, place.discussion.id), work.now());
}

/// One's own may go from wherever it is; of someone else's, the place's refusal is told first.
Result<void> may_delete(UnitOfWork& work, const Actor& actor, const Place& place) {
  if (place.message.author.ref == actor.ref()) return {};
  auto access = standings_of(work, actor, place).decide(actor, place.channel, place.discussion);
  return fail(access.allowed() ? not_author() : std::move(*access.refusal));
}

MessagePageQuery page_query(const ListMessages& query, ThreadId thread, bool deleted_content) {
  MessagePageQuery page;
  page.thread_id = thread;
  page.before = query.before;
  page.limit = query.limit;
  page.deleted_content = deleted_content;
  return page;
}

}  // namespace

Result<Page<Message>> list_messages(UnitOfWork& work, const Actor& actor, const ListMessages& query) {
  const auto place = readable_discussion(work, actor, query.channel_id);
  if (!place) return fail(place.error());
  return read_messages(work, place->discussion.id, query);
}

Page<Message> read_messages(UnitOfWork& work, ThreadId thread, const ListMessages& query) {
  return cut_page(work.messages().page(page_query(query, thread, false)), static_cast<std::size_t>(query.limit));
}

Result<Page<Message>> list_messages_as_admin(UnitOfWork& work, const ListMessages& query) {
  const auto discussion = find_discussion(work, query.channel_id);
  if (!discussion) return fail(discussion.error());
  return cut_page(work.messages().page(page_query(query, discussion->id, true)), static_cast<std::size_t>(query.limit));
}

Result<Message> edit_message(UnitOfWork& work, const Actor& actor, MessageId id, const std::string& body) {
  if (actor.anonymous()) return fail(login_required());
  auto place = lock_message(work, id);
  if (!place) return fail(std::move(place.error()));
  if (place->message.deleted() || place->channel.status == ChannelStatus::kDraft) return fail(message_not_found());
  if (auto allowed = may_edit(work, actor, *place); !allowed) return fail(std::move(allowed.error()));
  return edit(work, actor, std::move(place->message), body);
}

Result<Message> delete_message(UnitOfWork& work, const Actor& actor, MessageId id) {
  if (actor.anonymous()) return fail(login_required());
  auto place = lock_message(work, id);
  if (!place) return fail(std::move(place.error()));
  if (place->channel.status == ChannelStatus::kDraft) return fail(message_not_found());
  if (auto allowed = may_delete(work, actor, *place); !allowed) return fail(std::move(allowed.error()));
  return remove(work, actor, std::move(place->message));
}

Result<Message> edit_message_as_admin(UnitOfWork& work, const Actor& admin, MessageId id, const std::string& body) {
  auto place = lock_message(work, id);
  if (!place) return fail(std::move(place.error()));
  if (place->message.deleted()) return fail(message_not_found());
  return edit(work, admin, std::move(place->message), body);
}

Result<Message> delete_message_as_admin(UnitOfWork& work, const Actor& admin, MessageId id) {
  auto place = lock_message(work, id);
  if (!place) return fail(std::move(place.error()));
  return remove(work, admin, std::move(place->message));
}

Result<Message> restore_message(UnitOfWork& work, const Actor& admin, MessageId id) {
  auto place = lock_message(work, id);
  if (!place) return fail(std::move(place.error()));
  auto& message = place->message;
  if (!message.deleted()) return std::move(message);
  message.deleted_at.reset();
  message.deleted_by.reset();
  message.updated_at = work.now();
  work.messages().update(message);
  append_message(work, EventType::kMessageRestored, admin, message);
  audit_message(work, admin, "message.restore", message.id);
  return std::move(message);
}

}  // namespace belfry::domain
