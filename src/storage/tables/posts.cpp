#include "storage/tables/posts.hpp"

#include <algorithm>
#include <stdexcept>

#include "storage/values.hpp"

#define POST_COLUMNS                                                                                               \
  "p.id, p.channel_id, epoch_ms(p.published_at), p.created_by, p.type, p.body_text, p.link_url, p.chart_payload, " \
  "epoch_ms(p.pinned_at), epoch_ms(p.deleted_at), epoch_ms(p.created_at), epoch_ms(p.updated_at)"

#define ATTACHMENT_COLUMNS "a.id, a.storage_key, a.file_name, a.mime_type, a.size_bytes, a.display_order"

// The inner limit is a constant, so that the plan made once without knowing $3 looks as cheap as one made anew each
// time: planning takes twice as long as reading. It is one more than `kMostPosts`.
#define POSTS_PAGE(WHICH, DIRECTION)                                                                                   \
  "SELECT " POST_COLUMNS ", " ATTACHMENT_COLUMNS                                                                       \
  " FROM (SELECT * FROM (SELECT * FROM posts p WHERE p.channel_id = $1::bigint AND " WHICH " ORDER BY p.id " DIRECTION \
  " LIMIT 101) p ORDER BY p.id " DIRECTION                                                                             \
  " LIMIT $3::bigint) p LEFT JOIN attachments a ON a.post_id = p.id ORDER BY p.id " DIRECTION                          \
  ", a.display_order, a.id"
#define PINNED " AND p.pinned_at IS NOT NULL AND p.deleted_at IS NULL"

namespace belfry::storage {

using domain::Attachment;
using domain::Post;
using domain::PostId;

namespace {

constexpr std::int32_t kMostPosts = 100;

Post read_post(RowReader& row) {
  Post post;
  post.id = row.next<PostId>();
  post.channel_id = row.next<domain::ChannelId>();
  post.published_at = row.next<domain::TimePoint>();
  post.created_by = row.next<domain::UserId>();
  post.type = row.next<domain::PostType>();
  post.body_text = row.next<std::optional<std::string>>();
  post.link_url = row.next<std::optional<std::string>>();
  post.chart_payload_json = row.next<std::optional<std::string>>();
  post.pinned_at = row.next<std::optional<domain::TimePoint>>();
  post.is_pinned = post.pinned_at.has_value();
  post.deleted_at = row.next<std::optional<domain::TimePoint>>();
  post.created_at = row.next<domain::TimePoint>();
  post.updated_at = row.next<domain::TimePoint>();
  return post;
}

/// Each post once per attachment, in order; once without any.
std::vector<Post> read_posts(const pqxx::result& result) {
  std::vector<Post> posts;
  for (const auto& line : result) {
    RowReader row(line);
    auto post = read_post(row);
    if (posts.empty() || posts.back().id != post.id) posts.push_back(std::move(post));
    const auto id = row.next<std::optional<domain::AttachmentId>>();
    if (!id) continue;
    auto& file = posts.back().attachments.emplace_back();
    file.id = *id;
    file.storage_key = row.next<std::string>();
    file.file_name = row.next<std::string>();
    file.mime_type = row.next<std::string>();
    file.size_bytes = row.next<std::int64_t>();
    file.display_order = row.next<std::int32_t>();
  }
  return posts;
}

/// Replaces what the post has by `post.attachments`, draws their ids in the order given and sorts them as reads do.
void replace_attachments(Session& session, Post& post) {
  static constexpr Statement kReplace{"attachments_replace", R"(
    WITH gone AS (DELETE FROM attachments WHERE post_id = $1::bigint),
    made AS (
      INSERT INTO attachments (post_id, storage_key, file_name, mime_type, size_bytes, display_order)
      SELECT $1::bigint, f.storage_key, f.file_name, f.mime_type, f.size_bytes, f.display_order
      FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::integer[]) WITH ORDINALITY
        AS f (storage_key, file_name, mime_type, size_bytes, display_order, place)
      ORDER BY f.place
      RETURNING id)
    SELECT id FROM made ORDER BY id)"};
  auto& files = post.attachments;
  const auto result = session.run(kReplace, to_sql(post.id),
                                  to_sql_array(files, [](const Attachment& file) { return file.storage_key; }),
                                  to_sql_array(files, [](const Attachment& file) { return file.file_name; }),
                                  to_sql_array(files, [](const Attachment& file) { return file.mime_type; }),
                                  to_sql_array(files, [](const Attachment& file) { return file.size_bytes; }),
                                  to_sql_array(files, [](const Attachment& file) { return file.display_order; }));
  if (result.size() != files.size()) throw std::logic_error("storage: attachments were not written");
  for (pqxx::result::size_type i = 0; i < result.size(); ++i) {
    const auto line = result[i];
    files[i].id = RowReader(line).next<domain::AttachmentId>();
  }
  std::ranges::sort(files, {}, [](const Attachment& file) { return std::pair(file.display_order, file.id); });
}

Param pinned_at(const Post& post) { return post.is_pinned ? to_sql(post.pinned_at) : Param{}; }

}  // namespace

std::optional<Post> PgPosts::find(PostId id) {
  static constexpr Statement kFind{"posts_find", "SELECT " POST_COLUMNS ", " ATTACHMENT_COLUMNS R"(
    FROM posts p LEFT JOIN attachments a ON a.post_id = p.id
    WHERE p.id = $1::bigint
    ORDER BY a.display_order, a.id)"};
  auto found = read_posts(session_.run(kFind, to_sql(id)));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<Post> PgPosts::page(const domain::PostPageQuery& query) {
  // One statement per direction and filter, so that each is a plain range of one index.
  static constexpr Statement kNewer{"posts_page_newer", POSTS_PAGE("p.id > $2::bigint", "")};
  static constexpr Statement kOlder{"posts_page_older", POSTS_PAGE("p.id < $2::bigint", "DESC")};
  static constexpr Statement kNewerPinned{"posts_page_newer_pinned", POSTS_PAGE("p.id > $2::bigint" PINNED, "")};
  static constexpr Statement kOlderPinned{"posts_page_older_pinned", POSTS_PAGE("p.id < $2::bigint" PINNED, "DESC")};
  if (query.limit > kMostPosts) throw std::logic_error("storage: a page of posts is longer than its statement");
  const auto& statement =
      query.after ? (query.pinned_only ? kNewerPinned : kNewer) : (query.pinned_only ? kOlderPinned : kOlder);
  const auto bound = query.after ? query.after->value : query.before ? query.before->value : kNoIdBound;
  auto posts = read_posts(
      session_.run(statement, to_sql(query.channel_id), to_sql(bound), to_sql(std::int64_t{query.limit} + 1)));
  if (!query.deleted_content) {
    for (auto& post : posts) {
      if (post.deleted()) post.mask();
    }
  }
  return posts;
}

void PgPosts::insert(Post& post) {
  static constexpr Statement kInsert{"posts_insert", R"(
    INSERT INTO posts (channel_id, published_at, created_by, type, body_text, link_url, chart_payload, pinned_at,
                       deleted_at, created_at, updated_at)
    VALUES ($1::bigint, $2::timestamptz, $3::uuid, $4::smallint, $5::text, $6::text, $7::json, $8::timestamptz,
            $9::timestamptz, $10::timestamptz, $11::timestamptz)
    RETURNING id)"};
  const auto result =
      session_.run(kInsert, to_sql(post.channel_id), to_sql(post.published_at), to_sql(post.created_by),
                   to_sql(post.type), to_sql(post.body_text), to_sql(post.link_url), to_sql(post.chart_payload_json),
                   pinned_at(post), to_sql(post.deleted_at), to_sql(post.created_at), to_sql(post.updated_at));
  const auto line = result.at(0);
  post.id = RowReader(line).next<PostId>();
  if (!post.attachments.empty()) replace_attachments(session_, post);
}

void PgPosts::update(Post& post, bool attachments) {
  static constexpr Statement kUpdate{"posts_update", R"(
    UPDATE posts
    SET published_at = $2::timestamptz, type = $3::smallint, body_text = $4::text, link_url = $5::text,
        chart_payload = $6::json, pinned_at = $7::timestamptz, deleted_at = $8::timestamptz,
        updated_at = $9::timestamptz
    WHERE id = $1::bigint)"};
  expect_one_row(session_.run(kUpdate, to_sql(post.id), to_sql(post.published_at), to_sql(post.type),
                              to_sql(post.body_text), to_sql(post.link_url), to_sql(post.chart_payload_json),
                              pinned_at(post), to_sql(post.deleted_at), to_sql(post.updated_at)),
                 "posts.update");
  if (attachments) replace_attachments(session_, post);
}

}  // namespace belfry::storage
