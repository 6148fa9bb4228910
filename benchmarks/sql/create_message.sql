-- A message in a transaction of its own: lock alone, then read what decides, then all rows at once.
\set thread random(:first_thread, :last_thread)
BEGIN;
SELECT id, last_seq FROM room_log WHERE kind = 2 AND key = :thread FOR NO KEY UPDATE;
SELECT c.status, t.is_enabled, u.username, u.picture, a.last_seq
FROM threads t
JOIN channels c ON c.id = t.channel_id
JOIN room_log a ON a.kind = 0 AND a.key = 0
LEFT JOIN users u ON u.id = '00000000-0000-4000-8000-000000000001'
WHERE t.id = :thread;
WITH made AS (
  INSERT INTO messages (public_id, thread_id, author_type, author_id, author_username, body, created_at, updated_at)
  VALUES (gen_random_uuid(), :thread, 2, '00000000-0000-4000-8000-000000000001', 'bench', repeat('.', 130), clock_timestamp(),
          clock_timestamp())
  RETURNING id, thread_id, author_id, author_username, body, created_at
), audited AS (
  INSERT INTO audit_log (admin_id, action, entity_type, entity_id, details)
  SELECT author_id, 'message.create', 'message', id::text, '{}' FROM made
), drawn AS (
  SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
          || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid AS event_id
), logged AS (
  INSERT INTO events (room_id, event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, schema, payload)
  SELECT r.id, d.event_id, r.last_seq + 1, r.last_id, r.last_visible_id, 1, 0, 11, m.id, 1,
         jsonb_build_object('message', jsonb_build_object(
           'id', m.id, 'threadId', m.thread_id, 'authorId', m.author_id, 'username', m.author_username, 'body', m.body,
           'createdAt', m.created_at, 'updatedAt', m.created_at))
  FROM made m, drawn d, room_log r WHERE r.kind = 2 AND r.key = :thread
), headed AS (
  UPDATE room_log r SET last_seq = r.last_seq + 1, last_id = d.event_id, last_visible_id = d.event_id
  FROM drawn d WHERE r.kind = 2 AND r.key = :thread
  RETURNING r.id, r.last_seq
)
INSERT INTO commit_journal (room_ids, seqs) SELECT ARRAY[id], ARRAY[last_seq] FROM headed;
COMMIT;
