-- oldest-binary: @CURRENT@
-- What a compatible step looks like: a table, a column that has a default and an index that the present binary knows nothing of.
CREATE TABLE reactions (
  message_id bigint NOT NULL,
  user_id    uuid NOT NULL,
  emoji      text NOT NULL,
  PRIMARY KEY (message_id, user_id, emoji)
);
ALTER TABLE messages ADD COLUMN reaction_count integer NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN locale text;
CREATE INDEX users_by_locale ON users (locale) WHERE locale IS NOT NULL;
