#include "belfry/domain/discussions.hpp"

#include "belfry/domain/messages.hpp"
#include "http/endpoints.hpp"
#include "http/message_writes.hpp"
#include "http/pages.hpp"

namespace belfry::http::mobile {
namespace {

using wire::MessageView;

void view_discussion(const ExchangePtr& exchange) {
  run_job<domain::Discussion>(
      exchange, JobMode::kRead, "discussions.view", {"Channel discussion fetched successfully"},
      [actor = exchange->actor(), id = core::ChannelId{exchange->number("id")}](UnitOfWork& work) {
        return domain::view_discussion(work, actor, id);
      },
      wire::encode_discussion);
}

Result<MessageView> read_view(std::string_view query) {
  const auto view = query_value(query, "view");
  if (!view) return core::fail(view.error());
  if (!*view || **view == "full") return MessageView::kFull;
  if (**view == "compact") return MessageView::kCompact;
  return core::fail(core::Error::invalid("view", "must be full or compact"));
}

constexpr std::string_view kListed = "Channel discussion messages fetched successfully";

void list_uncached(const ExchangePtr& exchange, const domain::ListMessages& page, MessageView view) {
  run_job<domain::Page<domain::Message>>(
      exchange, JobMode::kRead, "messages.list", {kListed},
      [actor = exchange->actor(), page](UnitOfWork& work) { return domain::list_messages(work, actor, page); },
      [limit = page.limit, view](const auto& messages) { return wire::encode_message_list(messages, limit, view); });
}

void list_messages(const ExchangePtr& exchange) {
  const std::string& query = exchange->request().query;
  const auto page = read_message_page(query, {exchange->number("id")});
  if (!page) return exchange->fail(page.error());
  const auto view = read_view(query);
  if (!view) return exchange->fail(view.error());
  const domain::RoomTarget target{domain::RoomKind::kDiscussion, page->channel_id};
  run_page(
      exchange, {target, page_name(*page) + (*view == MessageView::kCompact ? " compact" : "")}, kListed,
      [page = *page, view = *view](UnitOfWork& work, const domain::RoomKey& room) -> Result<std::string> {
        return wire::encode_message_list(domain::read_messages(work, {room.key}, page), page.limit, view);
      },
      [page = *page, view = *view](const ExchangePtr& asked) { list_uncached(asked, page, view); });
}

void create(const ExchangePtr& exchange) { create_message(exchange, MessageView::kFull); }

void edit(const ExchangePtr& exchange) { edit_message(exchange, domain::edit_message, MessageView::kFull); }

void remove(const ExchangePtr& exchange) {
  change_message(exchange, "messages.delete", "Discussion message deleted successfully", domain::delete_message,
                 MessageView::kFull);
}

constexpr Endpoint kEndpoints[] = {
    {"GET", "/api/mobile/channels/{id}/discussion", Access::kRequired, view_discussion},
    {"GET", "/api/mobile/channels/{id}/discussion/messages", Access::kRequired, list_messages},
    {"POST", "/api/mobile/channels/{id}/discussion/messages", Access::kRequired, create},
    {"PATCH", "/api/mobile/discussion-messages/{id}", Access::kRequired, edit},
    {"DELETE", "/api/mobile/discussion-messages/{id}", Access::kRequired, remove},
};

}  // namespace

std::span<const Endpoint> discussion_endpoints() { return kEndpoints; }

}  // namespace belfry::http::mobile
