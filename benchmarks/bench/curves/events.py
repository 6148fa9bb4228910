"""One room, a longer and longer log: what reading its ends and its middle costs, and what it costs to be rid of a day of it."""
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

from bench.clients import Http, Native
from bench.curve import Curve, Figure, both, named, repeat
from bench.ground import ADMIN, Ground
from bench.machine import Failed
from bench.report import say
from bench.seed import add_channels
from bench.statements import LOGGED, logged
from bench.tokens import token, user_id

REPLAY = 1000          # events
PAGE = 500             # events of a sync, the most there may be
CHUNK = 500_000        # rows of an INSERT
BYTES_PER_EVENT = 2500  # on the disk: event, message, post, their indexes, and what there is of the write-ahead log
DAY_MS = 86_400_000
KEPT_MS = 7 * DAY_MS - 2 * 3_600_000           # the log's age: within the retention for longer than a measurement takes
EXPIRED_MS = 7 * DAY_MS + 1 * 3_600_000        # before that, some that are past the retention, in a partition that is still there
OLDEST_MS = 8 * DAY_MS - 2 * 3_600_000
DROP = re.compile(r"DETACH PARTITION|^DROP TABLE")
LAST_OF_PASS = re.compile(r"^DELETE FROM idempotency_keys")

# What the server writes for a message, with the numbers of row n.
ID = "(lpad(to_hex({ms}), 12, '0') || '70008000' || lpad(to_hex(({n})::bigint), 12, '0'))::uuid"
PUBLIC_ID = "('00000000-0000-7000-8000-' || lpad(to_hex(n::bigint), 12, '0'))"
AUTHOR = "('00000000-0000-4000-8000-' || lpad((n % 1000 + 1)::text, 12, '0'))"
USER = "1"  # the kind of author
BODY = "('A word or two. A word or two. A word or two. Number ' || n)"


class Log:
    """One room: `size` events within the retention, some before, a message for each, and as many posts in its channel."""

    def __init__(self, postgres, size):
        self.postgres, self.size, self.expired = postgres, size, max(10, size // 100)
        self.rows = self.size + self.expired
        self.stopping = False
        (self.channel, self.thread), = add_channels(postgres, 1, f"Log of {size}")
        self.room, = self.one(f"SELECT id FROM room_log WHERE kind = 2 AND key = {self.thread}")
        self.now_ms, = self.one("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        self.first_message, = self.one("SELECT coalesce(max(id), 0) + 1 FROM messages")
        self.first_post, = self.one("SELECT coalesce(max(id), 0) + 1 FROM posts")

    def one(self, sql):
        return list(map(int, self.postgres.query("belfry", sql)[0]))

    def ms(self, n):
        """SQL: when row n (1 to rows) was written. Rises with n, also within the part that expired."""
        kept, expired = self.now_ms - KEPT_MS, self.now_ms - OLDEST_MS
        return (f"(CASE WHEN ({n}) > {self.expired} THEN {kept} + ({n} - {self.expired})::bigint * {KEPT_MS - 60_000} / {self.size} "
                f"ELSE {expired} + ({n})::bigint * {OLDEST_MS - EXPIRED_MS} / {self.expired} END)")

    def id_sql(self, n):
        return ID.format(ms=self.ms(n), n=n)

    def id(self, n):
        return self.postgres.query("belfry", f"SELECT {self.id_sql(n)}")[0][0]

    # Making it ------------------------------------------------------------------------------------

    def make(self):
        self.make_partitions()
        with self.postgres.on_all_cores(), ThreadPoolExecutor(2) as threads:
            jobs = [threads.submit(self.fill, ["events"], [self.events_sql]),
                    threads.submit(self.fill, ["messages", "posts"], [self.messages_sql, self.posts_sql])]
            try:
                for job in jobs:
                    job.result()
            finally:
                self.stopping = True  # when time is up: the pool waits for its threads
        self.postgres.query("belfry", f"""
            UPDATE room_log SET last_seq = {self.rows}, last_id = {self.id_sql(self.rows)}, last_visible_id = {self.id_sql(self.rows)} WHERE id = {self.room};
            SELECT setval(pg_get_serial_sequence('messages', 'id'), max(id)) FROM messages;
            SELECT setval(pg_get_serial_sequence('posts', 'id'), max(id)) FROM posts""")
        self.postgres.settle()

    def make_partitions(self):
        """As housekeeping makes them: beside the table, then attached."""
        for day in range((self.now_ms - OLDEST_MS) // DAY_MS, self.now_ms // DAY_MS + 1):
            name = f"events_{time.strftime('%Y%m%d', time.gmtime(day * DAY_MS // 1000))}"
            low, high = (f"{ms:012x}70008000000000000000" for ms in (day * DAY_MS, (day + 1) * DAY_MS))
            if self.postgres.query("belfry", f"SELECT to_regclass('{name}') IS NULL")[0][0] == "t":
                self.postgres.query("belfry", f"CREATE TABLE {name} (LIKE events INCLUDING ALL); "
                                              f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')")

    def fill(self, tables, statements):
        """In chunks, so that it can be stopped. No waiting for the disk: a crash would end the benchmark anyway."""
        for sql in statements:
            for first in range(1, self.rows + 1, CHUNK):
                if self.stopping:
                    return
                last = min(first + CHUNK - 1, self.rows)
                self.postgres.query("belfry", f"SET synchronous_commit = off; {sql(first, last)}", seconds=300)
        self.postgres.query("belfry", f"VACUUM ANALYZE {', '.join(tables)}", seconds=400)

    def events_sql(self, first, last):
        time_text = "to_char(to_timestamp(ms / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
        payload = ('{"actor":{"type":%s,"id":"%s"},"message":{"id":%s,"publicId":"%s","threadId":%s,"channelId":%s,"parentId":null,'
                   '"author":{"type":%s,"id":"%s"},"username":"bench","picture":null,"body":"%s","clientMessageId":null,"deletedAt":null,"deletedBy":null,'
                   '"editedAt":null,"editedBy":null,"createdAt":"%s","updatedAt":"%s","masked":false}}')
        values = [USER, AUTHOR, f"{self.first_message - 1} + n", PUBLIC_ID, str(self.thread), str(self.channel), USER, AUTHOR, BODY, time_text, time_text]
        return f"""
            INSERT INTO events (room_id, event_id, seq, prev_id, prev_visible_id, access_seq, audience, type, entity_id, schema, payload)
            SELECT {self.room}, {self.id_sql("n")}, n, before, before, 0, 0, 11, {self.first_message - 1} + n, 1,
                   format('{payload}', {", ".join(values)})::jsonb
            FROM (SELECT n, {self.ms("n")} AS ms, CASE WHEN n > 1 THEN {self.id_sql("n - 1")} END AS before
                  FROM generate_series({first}, {last}) n) numbers"""

    def messages_sql(self, first, last):
        return f"""
            INSERT INTO messages (id, public_id, thread_id, author_type, author_id, author_username, body, created_at, updated_at) OVERRIDING SYSTEM VALUE
            SELECT {self.first_message - 1} + n, {PUBLIC_ID}::uuid, {self.thread}, {USER}, {AUTHOR}::uuid, 'bench', {BODY}, to_timestamp({self.ms("n")} / 1000.0),
                   to_timestamp({self.ms("n")} / 1000.0)
            FROM generate_series({first}, {last}) n"""

    def posts_sql(self, first, last):
        return f"""
            INSERT INTO posts (id, channel_id, published_at, created_by, type, body_text, created_at, updated_at) OVERRIDING SYSTEM VALUE
            SELECT {self.first_post - 1} + n, {self.channel}, to_timestamp({self.ms("n")} / 1000.0), '{user_id(ADMIN)}', 0, {BODY},
                   to_timestamp({self.ms("n")} / 1000.0), to_timestamp({self.ms("n")} / 1000.0)
            FROM generate_series({first}, {last}) n"""


def last_id(reply):
    """Where a sync says to go on."""
    at = reply.rindex(b'"lastEventId":"') + 15
    return reply[at:at + 36].decode()


class Reader:
    """Syncs of one client, checked: what is measured must be what was asked for."""

    def __init__(self, server, log):
        self.log, self.socket = log, Native(server.port, token(1))
        self.socket.ask("communication:join_discussion", {"channelId": log.channel})

    def sync(self, since):
        return self.socket.ask("communication:sync_discussion", {"channelId": self.log.channel, "sinceEventId": since, "limit": PAGE})

    def replay(self, since, count, end=None):
        """`count` events after `since`; the id of the last, which must be `end` if that is given."""
        got = 0
        while got < count:
            reply = self.sync(since)
            events = reply.count(b'{"eventId":')
            if not events or b'"gap":false' not in reply:
                raise Failed(f"replay: {reply[:300]}")
            got, since = got + events, last_id(reply)
        if got != count or end and since != end:
            raise Failed(f"replay: {got} of {count} events, up to {since}, not {end}")

    def refused(self, since):
        reply = self.sync(since)
        if b'"gapReason":"EXPIRED"' not in reply:
            raise Failed(f"no gap: {reply[:300]}")

    def nothing_new(self, since):
        reply = self.sync(since)
        if b'"events":[]' not in reply or b'"gap":false' not in reply:
            raise Failed(f"not at the end: {reply[:300]}")


def replays(server, log):
    """All that comes with an id: from near the head, from the oldest position that is kept, from one that is not, and from the head."""
    count = min(REPLAY, log.size // 2)
    reader = Reader(server, log)
    near, near_end, head = log.id(log.rows - count), log.id(log.rows), log.id(log.rows)
    oldest, oldest_end = log.id(log.expired), log.id(log.expired + count)
    expired = log.id(log.expired // 2)
    samples = {**named("near", repeat(server.pid, lambda _: reader.replay(near, count, near_end))),
               **named("oldest", repeat(server.pid, lambda _: reader.replay(oldest, count, oldest_end))),
               **named("refused", repeat(server.pid, lambda _: reader.refused(expired))),
               **named("nothing", repeat(server.pid, lambda _: reader.nothing_new(head)))}
    reader.socket.close()
    return samples


def pages(server, log):
    http, reader = Http(server.port), token(1)
    samples = {}
    for key, path, first in (("messages", "discussion/messages", log.first_message), ("posts", "posts", log.first_post)):
        base = f"/api/mobile/channels/{log.channel}/{path}"

        def page(query, newest):
            body = http.request(reader, "GET", base + query)
            if b'"count":20' not in body or (f'"id":{newest},' if key == "messages" else f'"id":"{newest}"').encode() not in body:
                raise Failed(f"not the page that starts with {newest}: {body[:300]}")

        top, middle = first + log.rows - 1, first + log.rows // 2
        samples |= named(key + ".newest", repeat(server.pid, lambda _: page("", top)))
        samples |= named(key + ".deep", repeat(server.pid, lambda i: page(f"?before_id={middle + 3 * i}", middle + 3 * i - 1)))
    http.close()
    return samples


def writing(ground, server, log):
    http = Http(server.port)
    path = f"/api/admin/channels/{log.channel}/discussion/messages"
    samples = repeat(server.pid, lambda _: http.request(ground.admin, "POST", path, {"body": "A word or two."}))
    http.close()
    return named("write", samples)


def housekeeping(ground, retention):
    """One pass of a fresh server that keeps a day less than the last one did. (drop of partitions, whole pass) in ms, rows that went."""
    rows_sql = "SELECT count(*), coalesce(sum(reltuples), 0)::bigint FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'events'::regclass"
    _, before = map(int, ground.postgres.query("belfry", rows_sql)[0])
    with logged(ground.postgres, "belfry-housekeeping") as statements, ground.belfry(event_retention=retention):
        end = time.monotonic() + 60
        while not any(LAST_OF_PASS.search(statement) for _, statement in statements()):
            if time.monotonic() > end:
                raise Failed("housekeeping did not end")
            time.sleep(0.1)
        spent = statements()
    _, after = map(int, ground.postgres.query("belfry", rows_sql)[0])
    return sum(ms for ms, statement in spent if DROP.search(statement)), sum(ms for ms, _ in spent), before - after


def drops(ground, log):
    """A day at a time; the first passes drop what has expired, and the part of a day that the log begins with."""
    samples = {"drop": [], "pass": []}
    for retention in ("6d", "5d", "4d", "3d", "2d", "1d", "1s"):
        dropped, whole, rows = housekeeping(ground, retention)
        if rows > log.size // 10:
            samples["drop"].append(dropped)
            samples["pass"].append(whole)
    return samples


class Logs(Ground):
    def __init__(self, build):
        super().__init__(build, autovacuum="off", **LOGGED)  # `make` vacuums when it is done


def measure(ground, size, quick):
    free = shutil.disk_usage(ground.postgres.folder).free
    if free < size * BYTES_PER_EVENT:
        raise Failed(f"{free >> 30} GB are free, and {size:,} events may need {size * BYTES_PER_EVENT >> 30}")
    begun = time.monotonic()
    log = Log(ground.postgres, size)
    log.make()
    say(f"events {size:,}: made in {time.monotonic() - begun:.0f} s")
    with ground.belfry(cache_mib=0, ws_command_burst=100_000) as server:
        samples = {**replays(server, log), **pages(server, log), **writing(ground, server, log)}
    return samples | drops(ground, log)


CURVE = Curve(
    "events", "Events of one room", "events that are kept, messages and posts", (1000, 10_000, 100_000, 1_000_000, 10_000_000), (1000, 10_000), (
        *both("near", f"replay of {REPLAY:,} events, the newest"),
        *both("oldest", f"replay of {REPLAY:,} events from the oldest position that is kept"),
        *both("refused", "sync from an event that is kept no longer: a gap"),
        *both("nothing", "sync from the head: nothing new"),
        *both("messages.newest", "messages, newest page"),
        *both("messages.deep", "messages, a page in the middle"),
        *both("posts.newest", "posts, newest page"),
        *both("posts.deep", "posts, a page in the middle"),
        *both("write", "a message is written"),
        Figure("drop", "dropping the partition of a day, about a seventh of the log", "ms"),
        Figure("pass", "a pass of housekeeping that drops it", "ms")),
    Logs, measure, seconds=1800,
    notes="One client, one request at a time, nothing in the server's memory (cache_mib 0): each read is a job. The log is seven days long and has a hundredth more "
          "that is past the retention. Each size is a room of its own; the messages and posts of smaller ones stay. Of 1,000 events a replay is 500.")
