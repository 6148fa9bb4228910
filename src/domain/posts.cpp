#include "belfry/domain/posts.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "belfry/domain/channels.hpp"
#include "domain/refusals.hpp"
#include "domain/writes.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;

/// How far the caller's clock may run ahead of the database's.
constexpr std::chrono::seconds kClockSlack{5};

struct FieldName {
  PostField field;
  std::string_view name;
};
constexpr std::array kFieldNames{
    FieldName{PostField::kType, "type"},
    FieldName{PostField::kBodyText, "bodyText"},
    FieldName{PostField::kLinkUrl, "linkUrl"},
    FieldName{PostField::kChartPayloadJson, "chartPayloadJson"},
    FieldName{PostField::kAttachments, "attachments"},
    FieldName{PostField::kPublishedAt, "publishedAt"},
};

bool filled(const std::optional<std::string>& text) { return text && !text->empty(); }

/// The one field that a type cannot be without.
Result<void> require_content(PostType type, const std::optional<std::string>& body,
                             const std::optional<std::string>& link, const std::optional<std::string>& chart,
                             const std::vector<Attachment>& attachments) {
  switch (type) {
    case PostType::kText:
      if (!filled(body)) return fail(Error::invalid("bodyText", "is required for a TEXT post"));
      break;
    case PostType::kLink:
      if (!filled(link)) return fail(Error::invalid("linkUrl", "is required for a LINK post"));
      break;
    case PostType::kChart:
      if (!filled(chart)) return fail(Error::invalid("chartPayloadJson", "is required for a CHART post"));
      break;
    case PostType::kMedia:
      if (attachments.empty()) return fail(Error::invalid("attachments", "a MEDIA post needs at least one"));
      break;
  }
  return {};
}

Result<void> require_published(TimePoint published_at, TimePoint now) {
  if (published_at <= now + kClockSlack) return {};
  return fail(Error::invalid("publishedAt", "must not be in the future"));
}

/// As they will be shown: ids are drawn in this order, so ties keep the order of the request.
std::vector<Attachment> in_order(std::vector<Attachment> attachments) {
  for (std::size_t i = 0; i < attachments.size(); ++i) attachments[i].id = AttachmentId{static_cast<std::int64_t>(i)};
  std::ranges::sort(attachments, {}, [](const Attachment& item) { return std::pair(item.display_order, item.id); });
  for (auto& attachment : attachments) attachment.id = {};
  return attachments;
}

/// Locks the room of a post and reads the post after that: only its channel is known from before.
Result<Post> lock_post(UnitOfWork& work, PostId id) {
  const auto known = work.posts().find(id);
  if (!known) return fail(post_not_found());
  if (auto locked = lock_room(work, posts_room(known->channel_id), post_not_found()); !locked) {
    return fail(std::move(locked.error()));
  }
  auto post = work.posts().find(id);
  if (!post) return fail(post_not_found());
  return std::move(*post);
}

void audit_post(UnitOfWork& work, const Actor& admin, std::string action, const Post& post,
                std::string details = "{}") {
  audit(work, admin, std::move(action), "post", std::to_string(post.id.value), std::move(details));
}

Changes merge(Post& post, const UpdatePost& command) {
  Changes changes;
  changes.merge("type", post.type, command.type);
  changes.merge("bodyText", post.body_text, command.body_text);
  changes.merge("linkUrl", post.link_url, command.link_url);
  changes.merge("chartPayloadJson", post.chart_payload_json, command.chart_payload_json);
  changes.merge("publishedAt", post.published_at, command.published_at);
  if (command.attachments) {
    auto wanted = in_order(*command.attachments);
    // An id is drawn anew whenever attachments are written, so it says nothing about a change.
    if (wanted != in_order(post.attachments)) {
      post.attachments = std::move(wanted);
      changes.note("attachments");
    }
  }
  return changes;
}

std::uint32_t mask_of(const Changes& changes) {
  std::uint32_t mask = 0;
  for (const auto& [field, name] : kFieldNames) {
    if (changes.has(name)) mask |= static_cast<std::uint32_t>(field);
  }
  return mask;
}

Post tombstone(Post post) {
  post.mask();
  return post;
}

PostPageQuery page_query(const ListPosts& query, bool deleted_content) {
  PostPageQuery page;
  page.channel_id = query.channel_id;
  page.after = query.after;
  page.before = query.before;
  page.limit = query.limit;
  page.pinned_only = query.pinned_only;
  page.deleted_content = deleted_content;
  return page;
}

}  // namespace

Result<Page<Post>> list_posts(UnitOfWork& work, const Actor& actor, const ListPosts& query) {
  if (auto channel = readable_channel(work, actor, query.channel_id); !channel) return fail(std::move(channel.error()));
  return read_posts(work, query);
}

Page<Post> read_posts(UnitOfWork& work, const ListPosts& query) {
  return cut_page(work.posts().page(page_query(query, false)), static_cast<std::size_t>(query.limit));
}

Result<Post> view_post(UnitOfWork& work, const Actor& actor, PostId id) {
  auto post = work.posts().find(id);
  if (!post) return fail(post_not_found());
  if (auto channel = readable_channel(work, actor, post->channel_id); !channel) {
    const bool hidden = channel.error().code == core::ErrorCode::kNotFound;
    return fail(hidden ? post_not_found() : std::move(channel.error()));
  }
  return post->deleted() ? tombstone(std::move(*post)) : std::move(*post);
}

Result<Post> create_post(UnitOfWork& work, const Actor& admin, const CreatePost& command) {
  if (auto valid = require_content(command.type, command.body_text, command.link_url, command.chart_payload_json,
                                   command.attachments);
      !valid) {
    return fail(std::move(valid.error()));
  }
  if (auto locked = lock_room(work, posts_room(command.channel_id), channel_not_found()); !locked) {
    return fail(std::move(locked.error()));
  }
  const TimePoint now = work.now();
  const auto channel = work.channels().find(command.channel_id);
  if (!channel) return fail(channel_not_found());
  const TimePoint published_at = command.published_at.value_or(now);
  if (auto valid = require_published(published_at, now); !valid) return fail(std::move(valid.error()));
  auto earlier = find_answer<Post>(work, command.idempotency);
  if (!earlier) return fail(std::move(earlier.error()));
  if (*earlier) return std::move(**earlier);
  if (auto active = require_active(*channel); !active) return fail(std::move(active.error()));

  Post post;
  post.channel_id = command.channel_id;
  post.published_at = published_at;
  post.created_by = admin.id;
  post.type = command.type;
  post.body_text = command.body_text;
  post.link_url = command.link_url;
  post.chart_payload_json = command.chart_payload_json;
  post.attachments = in_order(command.attachments);
  post.created_at = post.updated_at = now;
  work.posts().insert(post);
  append_post(work, EventType::kPostCreated, admin, post);
  audit_post(work, admin, "post.create", post);
  keep_answer(work, command.idempotency, post);
  return post;
}

Result<Post> update_post(UnitOfWork& work, const Actor& admin, const UpdatePost& command) {
  auto post = lock_post(work, command.id);
  if (!post) return post;
  if (post->deleted()) return fail(post_not_found());
  if (command.published_at) {
    if (auto valid = require_published(*command.published_at, work.now()); !valid)
      return fail(std::move(valid.error()));
  }
  const auto changes = merge(*post, command);
  if (auto valid =
          require_content(post->type, post->body_text, post->link_url, post->chart_payload_json, post->attachments);
      !valid) {
    return fail(std::move(valid.error()));
  }
  if (changes.empty()) return post;
  post->updated_at = work.now();
  work.posts().update(*post, changes.has("attachments"));
  append_post(work, EventType::kPostUpdated, admin, *post, mask_of(changes));
  audit_post(work, admin, "post.update", *post, changes.details());
  return post;
}

Result<Post> delete_post(UnitOfWork& work, const Actor& admin, PostId id) {
  auto post = lock_post(work, id);
  if (!post) return post;
  if (post->deleted()) return tombstone(std::move(*post));
  // `updated_at` stays: the event of a deletion does not carry it, and who follows events must end with what REST
  // shows.
  post->deleted_at = work.now();
  work.posts().update(*post, false);
  auto answer = tombstone(std::move(*post));
  append_post(work, EventType::kPostDeleted, admin, answer);
  audit_post(work, admin, "post.delete", answer);
  return answer;
}

Result<Post> pin_post(UnitOfWork& work, const Actor& admin, PostId id, bool pinned) {
  auto post = lock_post(work, id);
  if (!post) return post;
  if (post->deleted()) return fail(post_not_found());
  if (post->is_pinned == pinned) return post;
  // `updated_at` stays, as in a deletion.
  post->is_pinned = pinned;
  post->pinned_at = pinned ? std::optional(work.now()) : std::nullopt;
  work.posts().update(*post, false);
  append_post(work, EventType::kPostPinned, admin, *post);
  audit_post(work, admin, pinned ? "post.pin" : "post.unpin", *post);
  return post;
}

Result<Page<Post>> list_posts_as_admin(UnitOfWork& work, const ListPosts& query) {
  if (auto channel = find_channel(work, query.channel_id); !channel) return fail(std::move(channel.error()));
  return cut_page(work.posts().page(page_query(query, true)), static_cast<std::size_t>(query.limit));
}

Result<Post> find_post(UnitOfWork& work, PostId id) {
  auto post = work.posts().find(id);
  if (!post) return fail(post_not_found());
  return std::move(*post);
}

}  // namespace belfry::domain
