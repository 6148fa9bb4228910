#pragma once

#include "belfry/domain/page.hpp"
#include "belfry/domain/unit_of_work.hpp"

namespace belfry::domain {

using core::Result;

struct CreatePost {
  ChannelId channel_id;
  PostType type = PostType::kText;
  std::optional<std::string> body_text;
  std::optional<std::string> link_url;
  std::optional<std::string> chart_payload_json;
  std::vector<Attachment> attachments;    ///< ids are drawn
  std::optional<TimePoint> published_at;  ///< absent: the moment of the lock; more than 5 s ahead is kInvalid
  std::optional<IdempotencyKey> idempotency;
};

struct UpdatePost {
  PostId id;
  std::optional<PostType> type;
  std::optional<std::optional<std::string>> body_text;
  std::optional<std::optional<std::string>> link_url;
  std::optional<std::optional<std::string>> chart_payload_json;
  std::optional<std::vector<Attachment>> attachments;
  std::optional<TimePoint> published_at;
};

struct ListPosts {
  ChannelId channel_id;
  std::optional<PostId> after;
  std::optional<PostId> before;
  bool pinned_only = false;
  std::int32_t limit = 20;
};

Result<Page<Post>> list_posts(UnitOfWork& work, const Actor& actor, const ListPosts& query);
/// The page alone, with nothing decided: for readers who are known to be allowed.
Page<Post> read_posts(UnitOfWork& work, const ListPosts& query);
/// Masked when deleted.
Result<Post> view_post(UnitOfWork& work, const Actor& actor, PostId id);

/// Write jobs by admins. The type's required field must be there (kInvalid names it). Each appends its event.
Result<Post> create_post(UnitOfWork& work, const Actor& admin, const CreatePost& command);
Result<Post> update_post(UnitOfWork& work, const Actor& admin, const UpdatePost& command);
/// Deleting a deleted post succeeds and changes nothing. Answers with the tombstone.
Result<Post> delete_post(UnitOfWork& work, const Actor& admin, PostId id);
Result<Post> pin_post(UnitOfWork& work, const Actor& admin, PostId id, bool pinned);
/// With deleted content.
Result<Page<Post>> list_posts_as_admin(UnitOfWork& work, const ListPosts& query);
Result<Post> find_post(UnitOfWork& work, PostId id);

}  // namespace belfry::domain
