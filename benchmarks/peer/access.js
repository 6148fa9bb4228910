// Who may read a channel and be in its discussion: one statement for everything that decides it.
import { pool } from './database.js';

const ACTIVE_DISCUSSION = {
  name: 'discussion',
  text: `
    SELECT c.status, c.access_policy, t.id AS thread_id, t.is_enabled, r.last_visible_id,
           EXISTS (SELECT 1 FROM grants g
                   WHERE g.user_id = $2 AND g.kind = 0 AND g.key = c.entitlement_key AND g.revoked_at IS NULL
                     AND g.valid_from <= now() AND (g.valid_until IS NULL OR g.valid_until > now())) AS entitled,
           EXISTS (SELECT 1 FROM sanctions s
                   WHERE s.thread_id = t.id AND s.user_id = $2 AND s.kind = 0 AND s.lifted_at IS NULL
                     AND (s.until IS NULL OR s.until > now())) AS banned
    FROM channels c
    LEFT JOIN threads t ON t.channel_id = c.id AND t.kind = 0
    LEFT JOIN room_log r ON r.kind = 2 AND r.key = t.id
    WHERE c.id = $1`,
};

const DRAFT = 0;
const OPEN = 0;

function readable(row, user) {
  return row && row.status !== DRAFT && (row.access_policy === OPEN || user?.admin || row.entitled);
}

export async function readDiscussion(user, channelId) {
  const { rows } = await pool.query({ ...ACTIVE_DISCUSSION, values: [channelId, user?.id ?? null] });
  const [row] = rows;
  if (!readable(row, user) || !user || !row.thread_id) return null;
  if (!user.admin && (!row.is_enabled || row.banned)) return null;
  return row;
}

const CHANNEL = {
  name: 'channel',
  text: `
    SELECT c.status, c.access_policy,
           EXISTS (SELECT 1 FROM grants g
                   WHERE g.user_id = $2 AND g.kind = 0 AND g.key = c.entitlement_key AND g.revoked_at IS NULL
                     AND g.valid_from <= now() AND (g.valid_until IS NULL OR g.valid_until > now())) AS entitled
    FROM channels c WHERE c.id = $1`,
};

export async function mayRead(user, channelId) {
  const { rows } = await pool.query({ ...CHANNEL, values: [channelId, user?.id ?? null] });
  return Boolean(readable(rows[0], user));
}
