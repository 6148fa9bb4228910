#include "belfry/domain/discussions.hpp"

#include "belfry/domain/messages.hpp"
#include "http/endpoints.hpp"
#include "http/message_writes.hpp"
#include "http/pages.hpp"

namespace belfry::http::admin {
namespace {

using wire::MessageView;

void put_discussion(const ExchangePtr& exchange) {
  auto command = wire::decode_put_discussion(exchange->request().body);
  if (!command) return exchange->fail(command.error());
  command->channel_id = {exchange->number("id")};
  run_job<domain::Discussion>(
      exchange, JobMode::kWrite, "discussions.put", {"Channel discussion saved successfully"},
      [actor = exchange->actor(), command = std::move(*command)](UnitOfWork& work) {
        return domain::put_discussion(work, actor, command);
      },
      wire::encode_discussion);
}

void view_discussion(const ExchangePtr& exchange) {
  run_job<domain::Discussion>(
      exchange, JobMode::kRead, "discussions.find", {"Channel discussion fetched successfully"},
      [id = core::ChannelId{exchange->number("id")}](UnitOfWork& work) { return domain::find_discussion(work, id); },
      wire::encode_discussion);
}

void list_messages(const ExchangePtr& exchange) {
  const auto page = read_message_page(exchange->request().query, {exchange->number("id")});
  if (!page) return exchange->fail(page.error());
  run_job<domain::Page<domain::Message>>(
      exchange, JobMode::kRead, "messages.list_all", {"Channel discussion messages fetched successfully"},
      [page = *page](UnitOfWork& work) { return domain::list_messages_as_admin(work, page); },
      [limit = page->limit](const auto& messages) {
        return wire::encode_message_list(messages, limit, MessageView::kAdmin);
      });
}

void create(const ExchangePtr& exchange) { create_message(exchange, MessageView::kFull); }

void edit(const ExchangePtr& exchange) { edit_message(exchange, domain::edit_message_as_admin, MessageView::kFull); }

void remove(const ExchangePtr& exchange) {
  change_message(exchange, "messages.delete", "Discussion message deleted successfully",
                 domain::delete_message_as_admin, MessageView::kAdmin);
}

void restore(const ExchangePtr& exchange) {
  change_message(exchange, "messages.restore", "Discussion message restored successfully", domain::restore_message,
                 MessageView::kFull);
}

constexpr Endpoint kEndpoints[] = {
    {"PUT", "/api/admin/channels/{id}/discussion", Access::kAdmin, put_discussion},
    {"GET", "/api/admin/channels/{id}/discussion", Access::kAdmin, view_discussion},
    {"POST", "/api/admin/channels/{id}/discussion/messages", Access::kAdmin, create},
    {"GET", "/api/admin/channels/{id}/discussion/messages", Access::kAdmin, list_messages},
    {"PATCH", "/api/admin/discussion-messages/{id}", Access::kAdmin, edit},
    {"DELETE", "/api/admin/discussion-messages/{id}", Access::kAdmin, remove},
    {"POST", "/api/admin/discussion-messages/{id}/restore", Access::kAdmin, restore},
};

}  // namespace

std::span<const Endpoint> discussion_endpoints() { return kEndpoints; }

}  // namespace belfry::http::admin
