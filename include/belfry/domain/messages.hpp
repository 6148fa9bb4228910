#pragma once

#include <span>

#include "belfry/domain/page.hpp"
#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

using core::Result;

struct CreateMessage {
  Actor actor;
  ChannelId channel_id;
  std::string body;  ///< normalised already
  std::optional<std::string> client_message_id;
  std::optional<IdempotencyKey> idempotency;
};

struct CreatedMessage {
  Message message;
  bool repeated = false;  ///< the same clientMessageId before: answer 200 with the first one
};

/// Write job for a batch, answers parallel to the commands: locks all discussion rooms, reads what all decisions need,
/// decides each in order in memory (an earlier message of the batch counts for slow mode and client ids of a later
/// one), writes once. One command is a batch of one.
std::vector<Result<CreatedMessage>> create_messages(UnitOfWork& work, std::span<const CreateMessage> commands);

struct ListMessages {
  ChannelId channel_id;
  std::optional<MessageId> before;
  std::int32_t limit = 20;
};

Result<Page<Message>> list_messages(UnitOfWork& work, const Actor& actor, const ListMessages& query);
/// The page alone, with nothing decided: for readers who are known to be allowed.
Page<Message> read_messages(UnitOfWork& work, ThreadId thread, const ListMessages& query);

/// Write jobs by the author. NOT_AUTHOR comes after access; deleting is allowed in a locked, archived or disabled place
/// and when banned.
Result<Message> edit_message(UnitOfWork& work, const Actor& actor, MessageId id, const std::string& body);
Result<Message> delete_message(UnitOfWork& work, const Actor& actor, MessageId id);

/// Write jobs by admins. Deleting and restoring what already is so succeeds and appends nothing.
Result<Message> edit_message_as_admin(UnitOfWork& work, const Actor& admin, MessageId id, const std::string& body);
Result<Message> delete_message_as_admin(UnitOfWork& work, const Actor& admin, MessageId id);
Result<Message> restore_message(UnitOfWork& work, const Actor& admin, MessageId id);
/// With deleted content and who deleted it.
Result<Page<Message>> list_messages_as_admin(UnitOfWork& work, const ListMessages& query);

}  // namespace belfry::domain
