#include "belfry/domain/posts.hpp"

#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"
#include "http/pages.hpp"

namespace belfry::http::mobile {
namespace {

void list_posts(const ExchangePtr& exchange) {
  const auto page = read_post_page(exchange->request().query, {exchange->number("id")});
  if (!page) return exchange->fail(page.error());
  run_job<domain::Page<domain::Post>>(
      exchange, JobMode::kRead, "posts.list", {"Channel posts fetched successfully"},
      [actor = exchange->actor(), query = *page](UnitOfWork& work) { return domain::list_posts(work, actor, query); },
      [exchange, limit = page->limit](const auto& posts) {
        return wire::encode_post_list(posts, limit, exchange->url_base());
      });
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
