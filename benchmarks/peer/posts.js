import { pool } from './database.js';

const PAGE = {
  name: 'posts_page',
  text: `
    SELECT p.id, p.channel_id, p.published_at, p.created_by, p.type, p.body_text, p.link_url, p.chart_payload, p.pinned_at,
           p.deleted_at, p.created_at, p.updated_at
    FROM posts p WHERE p.channel_id = $1 AND p.id < $2 ORDER BY p.id DESC LIMIT $3`,
};
const ATTACHMENTS = {
  name: 'attachments',
  text: `
    SELECT post_id, id, storage_key, file_name, mime_type, size_bytes, display_order
    FROM attachments WHERE post_id = ANY ($1::bigint[]) ORDER BY post_id, display_order, id`,
};
const TYPES = ['TEXT', 'LINK', 'CHART', 'MEDIA'];
const NO_BOUND = '9223372036854775807';

function shown(post, attachments) {
  const deleted = post.deleted_at !== null;
  return {
    id: String(post.id),
    channelId: post.channel_id,
    publishedAt: post.published_at,
    createdByAdminId: post.created_by,
    type: TYPES[post.type],
    bodyText: deleted ? null : post.body_text,
    linkUrl: deleted ? null : post.link_url,
    chartPayloadJson: deleted ? null : post.chart_payload,
    attachments: deleted ? [] : attachments,
    isPinned: post.pinned_at !== null,
    pinnedAt: post.pinned_at,
    isDeleted: deleted,
    deletedAt: post.deleted_at,
    createdAt: post.created_at,
    updatedAt: post.updated_at,
  };
}

export async function listPosts(channelId, before, limit) {
  const page = await pool.query({ ...PAGE, values: [channelId, before ?? NO_BOUND, limit + 1] });
  const rows = page.rows.slice(0, limit);
  const files = await pool.query({ ...ATTACHMENTS, values: [rows.map((row) => row.id)] });
  const byPost = Map.groupBy ? Map.groupBy(files.rows, (file) => file.post_id) : group(files.rows);
  const items = rows.map((row) => shown(row, byPost.get(row.id) ?? []));
  const cursor = items.length ? { next_after_id: items[0].id, next_before_id: items.at(-1).id } : {};
  return { items, cursor, limit, has_more: page.rows.length > limit, count: items.length };
}

function group(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.post_id, [...(groups.get(row.post_id) ?? []), row]);
  return groups;
}
