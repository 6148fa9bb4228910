-- `recovery`: what nodes sign of a client's place in its rooms. The client keeps it and shows it to whichever node it comes back to.
-- A binary that knows nothing of this key never reads it.
-- oldest-binary: 1
-- 244 bits of the server's strong randomness.
INSERT INTO keys (purpose, key)
VALUES ('recovery', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
