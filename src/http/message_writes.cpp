#include "http/message_writes.hpp"

namespace belfry::http {
namespace {

/// The answer to a write never shows deleted content, not even to admins: that is for their GET routes.
std::string encode_written(domain::Message message, wire::MessageView view) {
  if (message.deleted()) message.mask();
  return wire::encode_message(message, view);
}

auto encode_as(wire::MessageView view) {
  return [view](domain::Message& message) { return encode_written(std::move(message), view); };
}

}  // namespace

void create_message(const ExchangePtr& exchange, wire::MessageView view) {
  auto body = wire::decode_create_message(exchange->request().body);
  if (!body) return exchange->fail(body.error());
  auto key = exchange->idempotency_key();
  if (!key) return exchange->fail(key.error());

  domain::CreateMessage command;
  command.actor = exchange->actor();
  command.channel_id = {exchange->number("id")};
  command.body = std::move(body->body);
  command.client_message_id = std::move(body->client_message_id);
  command.idempotency = std::move(*key);
  exchange->parts().database.create_message(
      std::move(command), exchange->job("messages.create"), [exchange, view](Result<domain::CreatedMessage> created) {
        guarded(exchange, [&] {
          if (!created) return exchange->fail(created.error());
          exchange->succeed("Discussion message created successfully",
                            encode_written(std::move(created->message), view), created->repeated ? 200 : 201);
        });
      });
}

void edit_message(const ExchangePtr& exchange, EditService service, wire::MessageView view) {
  auto body = wire::decode_edit_message(exchange->request().body);
  if (!body) return exchange->fail(body.error());
  run_job<domain::Message>(
      exchange, JobMode::kWrite, "messages.edit", {"Discussion message updated successfully"},
      [actor = exchange->actor(), id = core::MessageId{exchange->number("id")}, text = std::move(*body),
       service](UnitOfWork& work) { return service(work, actor, id, text); },
      encode_as(view));
}

void change_message(const ExchangePtr& exchange, std::string_view job, std::string_view message, MessageService service,
                    wire::MessageView view) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  run_job<domain::Message>(
      exchange, JobMode::kWrite, job, {message},
      [actor = exchange->actor(), id = core::MessageId{exchange->number("id")}, service](UnitOfWork& work) {
        return service(work, actor, id);
      },
      encode_as(view));
}

}  // namespace belfry::http
