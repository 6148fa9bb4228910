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
CONTROL = {0: "switch", 1: "ban", 2: "ban", 3: "mute", 4: "mute"}  # what a control record in a room's log is about
ACCESS = {0: "key", 1: "feature"}  # and one in the access log
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
        self._changes = collections.defaultdict(list)  # of one right of one user, in order: (time, record)
        self._visible = collections.defaultdict(lambda: ([], [], []))  # of a room: places, heads of the access log, ids
        for line in fleet.cluster.log_lines(fleet.database, QUERY):
            row = Row(*json.loads(line))
            if row.kind == 0:
                self._changes[row.subject, f"{ACCESS[row.what]}.{row.name}"].append((written_at(row), row))
                continue
            room = room_name(row.kind, row.key)
            self.rooms[room].append(row)
            if row.type < 100:
                self.heads[room] = row.id
                for column, value in zip(self._visible[room], (row.seq, row.access, row.id)):
                    column.append(value)
            elif row.kind == 2:
                self._changes[row.subject, f"{CONTROL[row.what]}.{row.key}"].append((written_at(row), row))

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
        cause = access["cause"]
        changes = self._changes[None if cause.startswith("switch") else access["user"], cause]
        begin = bisect.bisect_left(changes, first, key=lambda change: change[0])
        end = bisect.bisect_right(changes, last, key=lambda change: change[0])
        if end - begin != 1:
            return False
        access["after"] = {room: self.before(room, changes[begin][1]) for room in access["rooms"] if room in self.rooms}
        return True

    def before(self, room, record):
        places, access, ids = self._visible[room]
        end = bisect.bisect_left(access if record.kind == 0 else places, record.seq)
        return ids[end - 1] if end else None
