-- The key by which nodes know each other's word on a message server: who may write there, but not read here, has it not.
-- oldest-binary: 1
CREATE TABLE bus_key (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  key      bytea NOT NULL
);
-- 244 bits of the server's strong randomness.
INSERT INTO bus_key (key)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
