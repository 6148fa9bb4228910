"""What the database says at the end: the log of every room, and where each change of rights stands in it."""

import bisect
import collections
import datetime
import json

TYPES = {
    1: "communication.channel_post.created",
    2: "communication.channel_post.updated",
    3: "communication.channel_post.deleted",
    4: "communication.channel_post.pinned",
    11: "communication.discussion_message.created",
    12: "communication.discussion_message.updated",
    13: "communication.discussion_message.deleted",
    14: "communication.discussion_message.restored",
}
WITHOUT_CONTENT = (3, 4, 13)
USER = 1  # the number of its actor type
CONTROL = {"switch": (0,), "ban": (1, 2), "mute": (3, 4)}
ACCESS = {"key": 0, "feature": 1}
# An hour's log does not fit as text into this process: only what is needed, only the mark of each content.
QUERY = """SELECT json_build_array(r.kind, r.key, v.seq, v.event_id, v.prev_visible_id, v.access_seq, v.type, v.entity_id,
 substring(coalesce(v.payload->'post'->>'bodyText', v.payload->'message'->>'body') from '#[a-z0-9.\\-]+#'),
 coalesce(v.payload->'post', v.payload->'message')->'author',
 coalesce(v.payload->'post', v.payload->'message')->>'createdAt',
 v.payload->>'subject', v.payload->>'key', v.payload->'kind')
 FROM events v JOIN room_log r ON r.id = v.room_id ORDER BY r.id, v.seq"""
Row = collections.namedtuple("Row", "kind key seq id previous access type entity content author created subject name what")


def room_name(kind, key):
    return f"communication:channel:{key}:posts" if kind == 1 else f"communication:discussion:{key}:messages"


def milliseconds(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def written_at(row):
    """By its id, in nanoseconds of the wall clock."""
    return int(row.id.replace("-", "")[:12], 16) * 1_000_000


class Ledger:
    def __init__(self, fleet):
        self.rooms, self.heads = collections.defaultdict(list), {}
        self._access, self._control = collections.defaultdict(list), collections.defaultdict(list)
        for line in fleet.cluster.log_lines(fleet.database, QUERY):
            row = Row(*json.loads(line))
            if row.kind == 0:
                self._access[row.subject, row.what, row.name].append(row)
                continue
            self.rooms[room_name(row.kind, row.key)].append(row)
            if row.type < 100:
                self.heads[room_name(row.kind, row.key)] = row.id
            else:
                self._control[row.kind, row.key, row.what, row.subject].append(row)

    def write(self, rec):
        for room, rows in self.rooms.items():
            for row in rows:
                if row.type >= 100:
                    continue
                by_user = row.type == 11 and row.author["type"] == USER
                rec("log", room=room, eventId=row.id, prevEventId=row.previous, type=TYPES[row.type], entity=row.entity,
                    content=None if row.type in WITHOUT_CONTENT else row.content,
                    actor=row.author["id"] if by_user else None, at=milliseconds(row.created))

    def place(self, access):
        """Names the event before a change, where one record only can be its own: all changes of one right are one
        after the other."""
        wall = access.pop("wall")  # what to add to our clock for the wall's
        if access["outcome"] != "acknowledged" or access.get("byClock"):
            return False
        margin = 2_000_000
        first, last = access["begun"] + wall - margin, access["done"] + wall + margin
        found = [row for row in self.records_of(access["user"], access["cause"]) if first <= written_at(row) <= last]
        if len(found) != 1:
            return False
        access["after"] = {room: self.before(room, found[0]) for room in access["rooms"] if room in self.rooms}
        return True

    def records_of(self, user, cause):
        kind, _, key = cause.partition(".")
        if kind in ACCESS:
            return self._access[user, ACCESS[kind], key]
        subject = None if kind == "switch" else user
        return [row for what in CONTROL[kind] for row in self._control[2, int(key), what, subject]]

    def before(self, room, record):
        rows = self.rooms[room]
        column = 5 if record.kind == 0 else 2  # how far the access log had grown, or the place itself
        end = bisect.bisect_left(rows, record.seq, key=lambda row: row[column])
        while end and rows[end - 1].type >= 100:
            end -= 1
        return rows[end - 1].id if end else None
