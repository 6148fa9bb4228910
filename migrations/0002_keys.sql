-- Keys that every node has and no client: whoever cannot read this database cannot speak in a node's name. `bus`: what nodes
-- say on a message server.
-- oldest-binary: 1
CREATE TABLE keys (
  purpose text PRIMARY KEY,
  key     bytea NOT NULL
);
-- 244 bits of the server's strong randomness.
INSERT INTO keys (purpose, key)
VALUES ('bus', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
