#include "storage/tables/messages.hpp"

#include <stdexcept>

#include "storage/values.hpp"

#define MESSAGE_COLUMNS                                                                                         \
  "m.id, m.public_id, m.thread_id, t.channel_id, m.parent_id, m.author_type, m.author_id, m.author_username, "  \
  "m.author_picture, m.body, m.client_message_id, epoch_ms(m.deleted_at), m.deleted_by_type, m.deleted_by_id, " \
  "epoch_ms(m.edited_at), m.edited_by_type, m.edited_by_id, epoch_ms(m.created_at), epoch_ms(m.updated_at)"

namespace belfry::storage {

using domain::ActorRef;
using domain::Message;
using domain::MessageId;

namespace {

std::optional<ActorRef> read_actor(RowReader& row) {
  const auto type = row.next<std::optional<domain::ActorType>>();
  const auto id = row.next<std::optional<domain::UserId>>();
  if (!type || !id) return std::nullopt;
  return ActorRef{*type, *id};
}

Message read_message(RowReader& row) {
  Message message;
  message.id = row.next<MessageId>();
  message.public_id = row.next<core::Uuid>();
  message.thread_id = row.next<domain::ThreadId>();
  message.channel_id = row.next<domain::ChannelId>();
  message.parent_id = row.next<std::optional<MessageId>>();
  message.author.ref.type = row.next<domain::ActorType>();
  message.author.ref.id = row.next<domain::UserId>();
  message.author.username = row.next<std::optional<std::string>>();
  message.author.picture = row.next<std::optional<std::string>>();
  message.body = row.next<std::string>();
  message.client_message_id = row.next<std::optional<std::string>>();
  message.deleted_at = row.next<std::optional<domain::TimePoint>>();
  message.deleted_by = read_actor(row);
  message.edited_at = row.next<std::optional<domain::TimePoint>>();
  message.edited_by = read_actor(row);
  message.created_at = row.next<domain::TimePoint>();
  message.updated_at = row.next<domain::TimePoint>();
  return message;
}

std::vector<Message> read_messages(const pqxx::result& result) {
  std::vector<Message> messages;
  messages.reserve(result.size());
  for (const auto& line : result) {
    RowReader row(line);
    messages.push_back(read_message(row));
  }
  return messages;
}

Param type_of(const std::optional<ActorRef>& actor) { return actor ? Param{to_sql(actor->type)} : Param{}; }
Param id_of(const std::optional<ActorRef>& actor) { return actor ? Param{to_sql(actor->id)} : Param{}; }

}  // namespace

std::optional<Message> PgMessages::find(MessageId id) {
  static constexpr Statement kFind{"messages_find",
                                   "SELECT " MESSAGE_COLUMNS
                                   " FROM messages m JOIN threads t ON t.id = m.thread_id WHERE m.id = $1::bigint"};
  auto found = read_messages(session_.run(kFind, to_sql(id)));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<Message> PgMessages::page(const domain::MessagePageQuery& query) {
  static constexpr Statement kPage{"messages_page", "SELECT " MESSAGE_COLUMNS R"(
    FROM messages m JOIN threads t ON t.id = m.thread_id
    WHERE m.thread_id = $1::bigint AND m.id < $2::bigint
    ORDER BY m.id DESC
    LIMIT $3::bigint)"};
  auto messages = read_messages(session_.run(kPage, to_sql(query.thread_id),
                                             to_sql(query.before ? query.before->value : kNoIdBound),
                                             to_sql(std::int64_t{query.limit} + 1)));
  if (!query.deleted_content) {
    for (auto& message : messages) {
      if (message.deleted()) message.mask();
    }
  }
  return messages;
}

std::vector<Message> PgMessages::find_by_client_ids(std::span<const domain::ClientMessageKey> keys) {
  static constexpr Statement kFind{"messages_find_by_client_ids", "SELECT " MESSAGE_COLUMNS R"(
    FROM (SELECT DISTINCT * FROM unnest($1::bigint[], $2::smallint[], $3::uuid[], $4::text[])
            AS k (thread_id, author_type, author_id, client_message_id)) k
    JOIN messages m USING (thread_id, author_type, author_id, client_message_id)
    JOIN threads t ON t.id = m.thread_id)"};
  if (keys.empty()) return {};
  using Key = domain::ClientMessageKey;
  return read_messages(session_.run(kFind, to_sql_array(keys, [](const Key& key) { return key.thread_id; }),
                                    to_sql_array(keys, [](const Key& key) { return key.author.type; }),
                                    to_sql_array(keys, [](const Key& key) { return key.author.id; }),
                                    to_sql_array(keys, [](const Key& key) { return key.client_message_id; })));
}

std::vector<std::optional<domain::TimePoint>> PgMessages::last_written(
    std::span<const std::pair<domain::ThreadId, ActorRef>> authors) {
  static constexpr Statement kLastWritten{"messages_last_written", R"(
    SELECT epoch_ms(last.created_at)
    FROM unnest($1::bigint[], $2::smallint[], $3::uuid[]) WITH ORDINALITY AS a (thread_id, author_type, author_id, place)
    LEFT JOIN LATERAL (
      SELECT m.created_at FROM messages m
      WHERE m.thread_id = a.thread_id AND m.author_id = a.author_id AND m.author_type = a.author_type
      ORDER BY m.id DESC
      LIMIT 1) last ON true
    ORDER BY a.place)"};
  if (authors.empty()) return {};
  const auto result = session_.run(kLastWritten, to_sql_array(authors, [](const auto& author) { return author.first; }),
                                   to_sql_array(authors, [](const auto& author) { return author.second.type; }),
                                   to_sql_array(authors, [](const auto& author) { return author.second.id; }));
  std::vector<std::optional<domain::TimePoint>> times;
  times.reserve(result.size());
  for (const auto& line : result) times.push_back(RowReader(line).next<std::optional<domain::TimePoint>>());
  return times;
}

void PgMessages::insert(std::span<Message> messages) {
  // The inner ORDER BY is below the drawing of ids, so the n-th smallest id belongs to the n-th message.
  static constexpr Statement kInsert{"messages_insert", R"(
    WITH made AS (
      INSERT INTO messages (public_id, thread_id, parent_id, author_type, author_id, author_username, author_picture,
                            body, client_message_id, created_at, updated_at)
      SELECT i.public_id, i.thread_id, i.parent_id, i.author_type, i.author_id,
             CASE WHEN u.id IS NULL THEN i.author_username ELSE u.username END,
             CASE WHEN u.id IS NULL THEN i.author_picture ELSE u.picture END, i.body, i.client_message_id, i.created_at, i.updated_at
      FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::smallint[], $5::uuid[], $6::text[], $7::text[],
                  $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[]) WITH ORDINALITY
        AS i (public_id, thread_id, parent_id, author_type, author_id, author_username, author_picture, body,
              client_message_id, created_at, updated_at, place)
      LEFT JOIN users u ON u.id = i.author_id
      ORDER BY i.place
      RETURNING id, author_username, author_picture)
    SELECT id, author_username, author_picture FROM made ORDER BY id)"};
  if (messages.empty()) return;
  const auto result =
      session_.run(kInsert, to_sql_array(messages, [](const Message& m) { return m.public_id; }),
                   to_sql_array(messages, [](const Message& m) { return m.thread_id; }),
                   to_sql_array(messages, [](const Message& m) { return m.parent_id; }),
                   to_sql_array(messages, [](const Message& m) { return m.author.ref.type; }),
                   to_sql_array(messages, [](const Message& m) { return m.author.ref.id; }),
                   to_sql_array(messages, [](const Message& m) { return m.author.username; }),
                   to_sql_array(messages, [](const Message& m) { return m.author.picture; }),
                   to_sql_array(messages, [](const Message& m) -> const std::string& { return m.body; }),
                   to_sql_array(messages, [](const Message& m) { return m.client_message_id; }),
                   to_sql_array(messages, [](const Message& m) { return m.created_at; }),
                   to_sql_array(messages, [](const Message& m) { return m.updated_at; }));
  if (result.size() != messages.size()) throw std::logic_error("storage: messages were not written");
  for (pqxx::result::size_type i = 0; i < result.size(); ++i) {
    const auto line = result[i];
    RowReader row(line);
    messages[i].id = row.next<MessageId>();
    messages[i].author.username = row.next<std::optional<std::string>>();
    messages[i].author.picture = row.next<std::optional<std::string>>();
  }
}

void PgMessages::update(const Message& message) {
  static constexpr Statement kUpdate{"messages_update", R"(
    UPDATE messages
    SET body = $2::text, deleted_at = $3::timestamptz, deleted_by_type = $4::smallint, deleted_by_id = $5::uuid,
        edited_at = $6::timestamptz, edited_by_type = $7::smallint, edited_by_id = $8::uuid,
        updated_at = $9::timestamptz
    WHERE id = $1::bigint)"};
  if (message.masked) throw std::logic_error("storage: a masked message would lose its body");
  expect_one_row(session_.run(kUpdate, to_sql(message.id), to_sql(message.body), to_sql(message.deleted_at),
                              type_of(message.deleted_by), id_of(message.deleted_by), to_sql(message.edited_at),
                              type_of(message.edited_by), id_of(message.edited_by), to_sql(message.updated_at)),
                 "messages.update");
}

}  // namespace belfry::storage
