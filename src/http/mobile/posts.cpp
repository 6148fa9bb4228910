#include "belfry/domain/posts.hpp"

#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"
#include "http/pages.hpp"

namespace belfry::http::mobile {
namespace {

constexpr std::string_view kListed = "Channel posts fetched successfully";

void list_uncached(const ExchangePtr& exchange, const domain::ListPosts& query) {
  run_job<domain::Page<domain::Post>>(
      exchange, JobMode::kRead, "posts.list", {kListed},
      [actor = exchange->actor(), query](UnitOfWork& work) { return domain::list_posts(work, actor, query); },
      [exchange, limit = query.limit](const auto& posts) {
        return wire::encode_post_list(posts, limit, exchange->url_base());
      });
}

void list_posts(const ExchangePtr& exchange) {
  const auto page = read_post_page(exchange->request().query, {exchange->number("id")});
  if (!page) return exchange->fail(page.error());
  const domain::RoomTarget target{domain::RoomKind::kPosts, page->channel_id};
  run_page(
      exchange, {target, page_name(*page)}, kListed,
      [query = *page, base = exchange->url_base()](UnitOfWork& work, const domain::RoomKey&) -> Result<std::string> {
        return wire::encode_post_list(domain::read_posts(work, query), query.limit, base);
      },
      [query = *page](const ExchangePtr& asked) { list_uncached(asked, query); });
}

void view_post(const ExchangePtr& exchange) {
  run_job<domain::Post>(
      exchange, JobMode::kRead, "posts.view", {"Channel post fetched successfully"},
      [actor = exchange->actor(), id = core::PostId{exchange->number("postId")}](UnitOfWork& work) {
        return domain::view_post(work, actor, id);
      },
      [exchange](const domain::Post& post) { return wire::encode_post(post, exchange->url_base()); });
}

constexpr Endpoint kEndpoints[] = {
    {"GET", "/api/mobile/channels/{id}/posts", Access::kOptional, list_posts},
    {"GET", "/api/mobile/posts/{postId}", Access::kOptional, view_post},
};

}  // namespace

std::span<const Endpoint> post_endpoints() { return kEndpoints; }

}  // namespace belfry::http::mobile
