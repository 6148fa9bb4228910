"""Data that comes by SQL, since it is more than clients would write in the time of a measurement. What the server would have written, row for row."""
from bench.ground import ADMIN
from bench.tokens import user_id


def add_channels(postgres, count, title="Room"):
    """Open channels, each with a discussion and the rows of both rooms. (channel, thread) of each, in order."""
    rows = postgres.query("belfry", f"""
        WITH made AS (
          INSERT INTO channels (public_id, kind, access_policy, status, visibility, title, created_by, created_at, updated_at)
          SELECT gen_random_uuid(), 0, 0, 1, 0, '{title} ' || n, '{user_id(ADMIN)}', now(), now() FROM generate_series(1, {count}) n
          RETURNING id),
        discussed AS (
          INSERT INTO threads (public_id, channel_id, title, is_enabled, slow_mode_enabled, created_by, created_at, updated_at)
          SELECT gen_random_uuid(), id, 'Bench', true, false, '{user_id(ADMIN)}', now(), now() FROM made ORDER BY id
          RETURNING id, channel_id),
        posts_rooms AS (INSERT INTO room_log (kind, key) SELECT 1, id FROM made ORDER BY id),
        message_rooms AS (INSERT INTO room_log (kind, key) SELECT 2, id FROM discussed ORDER BY id)
        SELECT channel_id, id FROM discussed ORDER BY channel_id""")
    return [(int(channel), int(thread)) for channel, thread in rows]


def add_members(postgres, channel, first, last):
    """Users `first` to `last` by number, known and in the channel since a while."""
    sql_id = "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid"
    postgres.query("belfry", f"""
        INSERT INTO users (id, username) SELECT {sql_id}, 'bench' FROM generate_series({first}, {last}) n;
        INSERT INTO memberships (user_id, channel_id, joined_at, from_seq)
        SELECT {sql_id}, {channel}, now() - interval '1 hour', 0 FROM generate_series({first}, {last}) n""")
