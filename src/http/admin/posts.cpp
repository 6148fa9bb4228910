#include "belfry/domain/posts.hpp"

#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"
#include "http/pages.hpp"

namespace belfry::http::admin {
namespace {

/// The answer to a write never shows deleted content: that is for the GET routes.
auto encode_written(const ExchangePtr& exchange) {
  return [exchange](domain::Post& post) {
    if (post.deleted()) post.mask();
    return wire::encode_post(post, exchange->url_base());
  };
}

void create_post(const ExchangePtr& exchange) {
  auto command = wire::decode_create_post(exchange->request().body);
  if (!command) return exchange->fail(command.error());
  auto key = exchange->idempotency_key();
  if (!key) return exchange->fail(key.error());
  command->channel_id = {exchange->number("id")};
  command->idempotency = std::move(*key);
  run_job<domain::Post>(
      exchange, JobMode::kWrite, "posts.create", {"Channel post created successfully", 201},
      [actor = exchange->actor(), command = std::move(*command)](UnitOfWork& work) {
        return domain::create_post(work, actor, command);
      },
      encode_written(exchange));
}

void list_posts(const ExchangePtr& exchange) {
  const auto page = read_post_page(exchange->request().query, {exchange->number("id")});
  if (!page) return exchange->fail(page.error());
  run_job<domain::Page<domain::Post>>(
      exchange, JobMode::kRead, "posts.list_all", {"Channel posts fetched successfully"},
      [page = *page](UnitOfWork& work) { return domain::list_posts_as_admin(work, page); },
      [exchange, limit = page->limit](const auto& posts) {
        return wire::encode_post_list(posts, limit, exchange->url_base());
      });
}

void view_post(const ExchangePtr& exchange) {
  run_job<domain::Post>(
      exchange, JobMode::kRead, "posts.find", {"Channel post fetched successfully"},
      [id = core::PostId{exchange->number("postId")}](UnitOfWork& work) { return domain::find_post(work, id); },
      [exchange](const domain::Post& post) { return wire::encode_post(post, exchange->url_base()); });
}

void update_post(const ExchangePtr& exchange) {
  auto command = wire::decode_update_post(exchange->request().body);
  if (!command) return exchange->fail(command.error());
  command->id = {exchange->number("postId")};
  run_job<domain::Post>(
      exchange, JobMode::kWrite, "posts.update", {"Channel post updated successfully"},
      [actor = exchange->actor(), command = std::move(*command)](UnitOfWork& work) {
        return domain::update_post(work, actor, command);
      },
      encode_written(exchange));
}

void delete_post(const ExchangePtr& exchange) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  run_job<domain::Post>(
      exchange, JobMode::kWrite, "posts.delete", {"Channel post deleted successfully"},
      [actor = exchange->actor(), id = core::PostId{exchange->number("postId")}](UnitOfWork& work) {
        return domain::delete_post(work, actor, id);
      },
      encode_written(exchange));
}

void set_pin(const ExchangePtr& exchange, bool pinned) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  run_job<domain::Post>(
      exchange, JobMode::kWrite, pinned ? "posts.pin" : "posts.unpin",
      {pinned ? "Channel post pinned successfully" : "Channel post unpinned successfully"},
      [actor = exchange->actor(), id = core::PostId{exchange->number("postId")}, pinned](UnitOfWork& work) {
        return domain::pin_post(work, actor, id, pinned);
      },
      encode_written(exchange));
}

void pin_post(const ExchangePtr& exchange) { set_pin(exchange, true); }
void unpin_post(const ExchangePtr& exchange) { set_pin(exchange, false); }

constexpr Endpoint kEndpoints[] = {
    {"POST", "/api/admin/channels/{id}/posts", Access::kAdmin, create_post},
    {"GET", "/api/admin/channels/{id}/posts", Access::kAdmin, list_posts},
    {"GET", "/api/admin/posts/{postId}", Access::kAdmin, view_post},
    {"PATCH", "/api/admin/posts/{postId}", Access::kAdmin, update_post},
    {"DELETE", "/api/admin/posts/{postId}", Access::kAdmin, delete_post},
    {"PUT", "/api/admin/posts/{postId}/pin", Access::kAdmin, pin_post},
    {"DELETE", "/api/admin/posts/{postId}/pin", Access::kAdmin, unpin_post},
};

}  // namespace

std::span<const Endpoint> post_endpoints() { return kEndpoints; }

}  // namespace belfry::http::admin
