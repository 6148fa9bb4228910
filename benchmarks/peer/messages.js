// A durable message: the same locks, checks and rows as Belfry's, one transaction each, and no more round trips than that
// order needs (lock alone, then read, then write).
import { randomUUID } from 'node:crypto';
import { pool, transaction } from './database.js';
import { idAfter } from './ids.js';

const FIND_ROOM = {
  name: 'find_room',
  text: 'SELECT r.id, t.id AS thread_id FROM threads t JOIN room_log r ON r.kind = 2 AND r.key = t.id WHERE t.kind = 0 AND t.channel_id = $1',
};
const LOCK = {
  name: 'lock_room',
  text: 'SELECT last_seq, last_id, last_visible_id FROM room_log WHERE id = $1 FOR NO KEY UPDATE',
};
const CHECK = {
  name: 'check_write',
  text: `
    SELECT c.status, t.is_enabled, u.username, u.picture, a.last_seq AS access_seq,
           (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
    FROM channels c
    JOIN threads t ON t.channel_id = c.id AND t.kind = 0
    JOIN room_log a ON a.kind = 0 AND a.key = 0
    LEFT JOIN users u ON u.id = $2
    WHERE c.id = $1`,
};
const WRITE = {
  name: 'write_message',
  text: `
    WITH made AS (
      INSERT INTO messages (public_id, thread_id, author_type, author_id, author_username, author_picture, body, created_at, updated_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING id
    ), audited AS (
      INSERT INTO audit_log (admin_id, action, entity_type, entity_id, details)
      SELECT $4, 'message.create', 'message', id::text, '{}' FROM made
    ), logged AS (
      INSERT INTO events (room_id, event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, schema, payload)
      SELECT $9, $10, $11, $12, $13, $14, 0, 11, id, 1, jsonb_set($15::jsonb, '{message,id}', to_jsonb(id)) FROM made
    ), headed AS (
      UPDATE room_log SET last_seq = $11, last_id = $10, last_visible_id = $10 WHERE id = $9
    ), journaled AS (
      INSERT INTO commit_journal (room_ids, seqs) VALUES (ARRAY[$9::bigint], ARRAY[$11::bigint])
    )
    SELECT id FROM made`,
};
const SEE_USER = {
  name: 'see_user',
  text: 'INSERT INTO users (id, username) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING',
};

const ADMIN = 2;
const seen = new Set();

/// Users are stored once, in a transaction of their own.
async function seeUser(user) {
  if (seen.has(user.id)) return;
  await pool.query({ ...SEE_USER, values: [user.id, user.username] });
  seen.add(user.id);
}

export async function createMessage(user, channelId, body) {
  await seeUser(user);
  return transaction(async (client) => {
    const room = (await client.query({ ...FIND_ROOM, values: [channelId] })).rows[0];
    if (!room) return null;
    const head = (await client.query({ ...LOCK, values: [room.id] })).rows[0];
    const check = (await client.query({ ...CHECK, values: [channelId, user.id] })).rows[0];
    if (!check || check.status !== 1) return null;
    const now = new Date(check.now_ms);
    const eventId = idAfter(head.last_id, check.now_ms);
    const message = {
      discussionId: room.thread_id,
      author: { id: user.id, username: check.username, picture: check.picture },
      authorType: 'ADMIN',
      authorUserId: null,
      authorAdminId: user.id,
      body,
      isDeleted: false,
      deletedAt: null,
      deletedByAdminId: null,
      editedAt: null,
      editedByUserId: null,
      editedByAdminId: null,
      createdAt: now,
      updatedAt: now,
    };
    const written = await client.query({
      ...WRITE,
      values: [randomUUID(), room.thread_id, ADMIN, user.id, check.username, check.picture, body, now, room.id, eventId,
        head.last_seq + 1, head.last_id, head.last_visible_id, check.access_seq, JSON.stringify({ message })],
    });
    const full = { id: written.rows[0].id, ...message };
    return { message: full, event: envelope(user, channelId, eventId, head.last_visible_id, full, now) };
  });
}

function envelope(user, channelId, eventId, prevEventId, message, now) {
  const type = 'communication.discussion_message.created';
  return {
    type,
    room: `communication:discussion:${message.discussionId}:messages`,
    prevEventId,
    data: {
      eventId,
      eventType: type,
      occurredAt: now,
      data: { actor: { type: 'ADMIN', id: user.id }, channelId, ...message },
    },
  };
}
