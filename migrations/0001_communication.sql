-- Belfry's first schema: channels, posts, discussions, the event log and what decides who may read it.
-- Ids that clients page on come from sequences with CACHE 1 and are drawn under the room's lock: id order is commit order.
-- Times are timestamptz(3): what the API shows is what is stored.

-- Times leave the database as whole milliseconds, whatever the session's time zone and date style are. Inlined by the planner.
CREATE FUNCTION epoch_ms(at timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
  RETURN (extract(epoch FROM at) * 1000)::bigint;

CREATE TABLE users (
  id         uuid PRIMARY KEY,
  username   text,
  picture    text,
  created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

-- The log ----------------------------------------------------------------------------------------

-- One row per room: the end of its log and the lock that orders its writers. No index on what changes (HOT updates), and no
-- foreign key points here. Kind 0 is the access log, the one system room.
CREATE TABLE room_log (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind            smallint NOT NULL,
  key             bigint NOT NULL,
  last_seq        bigint NOT NULL DEFAULT 0,
  last_id         uuid,
  last_visible_id uuid,
  access_version  bigint NOT NULL DEFAULT 0,
  UNIQUE (kind, key)
) WITH (fillfactor = 50);

INSERT INTO room_log (kind, key) VALUES (0, 0);

-- Partitioned by id, which is by time. prev_id and prev_visible_id chain the records, so that a gap can be proved.
CREATE TABLE events (
  room_id         bigint NOT NULL,
  event_id        uuid NOT NULL,
  seq             bigint NOT NULL,
  prev_id         uuid,
  prev_visible_id uuid,
  access_seq      bigint NOT NULL,
  audience        smallint NOT NULL,
  type            smallint NOT NULL,
  entity_id       bigint NOT NULL,
  embeds          bigint[],
  schema          smallint NOT NULL,
  payload         jsonb NOT NULL,
  PRIMARY KEY (room_id, event_id)
) PARTITION BY RANGE (event_id);

-- One row per transaction that appended: what the sweep reads. Lives for minutes.
CREATE TABLE commit_journal (
  xid        xid8 PRIMARY KEY DEFAULT pg_current_xact_id(),
  room_ids   bigint[] NOT NULL,
  seqs       bigint[] NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000);

-- Channels and posts -----------------------------------------------------------------------------

CREATE TABLE channels (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  public_id       uuid NOT NULL UNIQUE,
  kind            smallint NOT NULL,
  access_policy   smallint NOT NULL,
  status          smallint NOT NULL,
  visibility      smallint NOT NULL,
  title           text NOT NULL,
  description     text,
  entitlement_key text,
  created_by      uuid NOT NULL,
  created_at      timestamptz(3) NOT NULL,
  updated_at      timestamptz(3) NOT NULL,
  CHECK ((access_policy = 1) = (entitlement_key IS NOT NULL))
);
CREATE INDEX channels_newest ON channels (created_at DESC, id DESC);
CREATE INDEX channels_by_key ON channels (entitlement_key) WHERE entitlement_key IS NOT NULL;

CREATE TABLE posts (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel_id    bigint NOT NULL REFERENCES channels,
  published_at  timestamptz(3) NOT NULL,
  created_by    uuid NOT NULL,
  type          smallint NOT NULL,
  body_text     text,
  link_url      text,
  chart_payload json,
  pinned_at     timestamptz(3),
  deleted_at    timestamptz(3),
  created_at    timestamptz(3) NOT NULL,
  updated_at    timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX posts_by_channel ON posts (channel_id, id);
CREATE INDEX posts_pinned ON posts (channel_id, id) WHERE pinned_at IS NOT NULL;
-- Unread counts are index-only scans of this one.
CREATE INDEX posts_live ON posts (channel_id, id) WHERE deleted_at IS NULL;

CREATE TABLE attachments (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  post_id       bigint NOT NULL REFERENCES posts,
  storage_key   text NOT NULL,
  file_name     text NOT NULL,
  mime_type     text NOT NULL,
  size_bytes    bigint NOT NULL,
  display_order integer NOT NULL
);
CREATE INDEX attachments_by_post ON attachments (post_id, display_order, id);

-- Discussions: threads of one kind; conversations will be another --------------------------------

CREATE TABLE threads (
  id                         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  public_id                  uuid NOT NULL UNIQUE,
  kind                       smallint NOT NULL DEFAULT 0,
  channel_id                 bigint NOT NULL REFERENCES channels,
  title                      text NOT NULL,
  is_enabled                 boolean NOT NULL,
  required_feature_key       text,
  slow_mode_enabled          boolean NOT NULL,
  slow_mode_interval_seconds integer,
  created_by                 uuid NOT NULL,
  created_at                 timestamptz(3) NOT NULL,
  updated_at                 timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX threads_one_discussion ON threads (channel_id) WHERE kind = 0;

CREATE TABLE messages (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  public_id         uuid NOT NULL,
  thread_id         bigint NOT NULL,
  parent_id         bigint,
  author_type       smallint NOT NULL,
  author_id         uuid NOT NULL,
  author_username   text,
  author_picture    text,
  body              text NOT NULL,
  client_message_id text,
  deleted_at        timestamptz(3),
  deleted_by_type   smallint,
  deleted_by_id     uuid,
  edited_at         timestamptz(3),
  edited_by_type    smallint,
  edited_by_id      uuid,
  created_at        timestamptz(3) NOT NULL,
  updated_at        timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX messages_by_thread ON messages (thread_id, id);
CREATE INDEX messages_by_author ON messages (thread_id, author_id, author_type, id DESC);
CREATE UNIQUE INDEX messages_client_id ON messages (thread_id, author_id, author_type, client_message_id)
  WHERE client_message_id IS NOT NULL;

-- Who may what: append-only intervals. from_seq and until_seq are positions in the log that orders them ----------

CREATE TABLE memberships (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id    uuid NOT NULL,
  channel_id bigint NOT NULL REFERENCES channels,
  joined_at  timestamptz(3) NOT NULL,
  left_at    timestamptz(3),
  from_seq   bigint NOT NULL,
  until_seq  bigint
);
CREATE UNIQUE INDEX memberships_open ON memberships (user_id, channel_id) WHERE left_at IS NULL;
-- The open interval first, then the one that ended last: ids are no order here, since joins are not serialised.
CREATE INDEX memberships_by_user ON memberships (user_id, channel_id, left_at DESC, id DESC);
CREATE INDEX memberships_by_channel ON memberships (channel_id, user_id) WHERE left_at IS NULL;

-- kind 0: entitlement, 1: feature. from_seq, until_seq: positions in the access log.
CREATE TABLE grants (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id     uuid NOT NULL,
  kind        smallint NOT NULL,
  key         text NOT NULL,
  valid_from  timestamptz(3) NOT NULL,
  valid_until timestamptz(3),
  revoked_at  timestamptz(3),
  from_seq    bigint NOT NULL,
  until_seq   bigint
);
CREATE UNIQUE INDEX grants_open ON grants (user_id, kind, key) WHERE revoked_at IS NULL;

-- kind 0: ban, 1: mute. from_seq, until_seq: positions in the discussion room's log.
CREATE TABLE sanctions (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind       smallint NOT NULL,
  thread_id  bigint NOT NULL,
  user_id    uuid NOT NULL,
  reason     text,
  until      timestamptz(3),
  admin_id   uuid NOT NULL,
  created_at timestamptz(3) NOT NULL,
  lifted_at  timestamptz(3),
  from_seq   bigint NOT NULL,
  until_seq  bigint
);
CREATE UNIQUE INDEX sanctions_open ON sanctions (thread_id, user_id, kind) WHERE lifted_at IS NULL;
CREATE INDEX sanctions_by_user ON sanctions (user_id) WHERE lifted_at IS NULL;

CREATE TABLE read_states (
  user_id           uuid NOT NULL,
  channel_id        bigint NOT NULL REFERENCES channels,
  last_seen_post_id bigint NOT NULL,
  last_seen_at      timestamptz(3) NOT NULL,
  PRIMARY KEY (user_id, channel_id)
);

-- Edges ------------------------------------------------------------------------------------------

CREATE TABLE ws_tickets (
  secret_hash        bytea PRIMARY KEY,
  actor_type         smallint NOT NULL,
  actor_id           uuid NOT NULL,
  username           text,
  picture            text,
  scope              smallint NOT NULL,
  issuer             smallint NOT NULL,
  origin             text,
  expires_at         timestamptz(3) NOT NULL,
  session_expires_at timestamptz(3) NOT NULL
);
CREATE INDEX ws_tickets_expiry ON ws_tickets (expires_at);

-- answer_kind 0: channel, 1: post, 2: message; with entity_id it finds the row that says whether the answer must be masked.
-- The answer is text and not jsonb: it is given again exactly as it was.
CREATE TABLE idempotency_keys (
  caller      uuid NOT NULL,
  path        text NOT NULL,
  key         text NOT NULL,
  hash        bytea NOT NULL,
  answer_kind smallint NOT NULL,
  entity_id   bigint NOT NULL,
  answer      text NOT NULL,
  created_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (caller, path, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE audit_log (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at          timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  admin_id    uuid NOT NULL,
  action      text NOT NULL,
  entity_type text NOT NULL,
  entity_id   text NOT NULL,
  details     jsonb NOT NULL
);
CREATE INDEX audit_log_entity ON audit_log (entity_type, entity_id, id DESC);
CREATE INDEX audit_log_admin ON audit_log (admin_id, id DESC);
CREATE INDEX audit_log_action ON audit_log (action, id DESC);
