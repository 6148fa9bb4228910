"""What the database says at the end: the log of every room, and where each change of rights stands in it."""

import bisect
import collections
import datetime
import json

from recorder import content_of

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
BAN, UNBAN, MUTE, UNMUTE = 1, 2, 3, 4
QUERY = """SELECT row_to_json(e) FROM (SELECT r.kind, r.key, v.seq, v.event_id, v.prev_visible_id, v.access_seq, v.type,
 v.entity_id, v.payload FROM events v JOIN room_log r ON r.id = v.room_id ORDER BY r.id, v.seq) e"""


def room_name(kind, key):
    return f"communication:channel:{key}:posts" if kind == 1 else f"communication:discussion:{key}:messages"


def milliseconds(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Ledger:
    def __init__(self, fleet):
        self.rows = [json.loads(row[0]) for row in fleet.cluster.sql(fleet.database, QUERY)]
        self.rooms = collections.defaultdict(list)
        self.heads = {}
        for row in self.rows:
            if row["kind"]:
                self.rooms[room_name(row["kind"], row["key"])].append(row)
                if row["type"] < 100:
                    self.heads[room_name(row["kind"], row["key"])] = row["event_id"]

    def write(self, rec):
        for room, rows in self.rooms.items():
            for row in rows:
                if row["type"] >= 100:
                    continue
                entity = row["payload"].get("post") or row["payload"]["message"]
                by_user = row["type"] == 11 and entity["author"]["type"] == USER
                rec("log", room=room, eventId=row["event_id"], prevEventId=row["prev_visible_id"], type=TYPES[row["type"]],
                    entity=row["entity_id"], content=None if row["type"] in WITHOUT_CONTENT else content_of(entity),
                    actor=entity["author"]["id"] if by_user else None, at=milliseconds(entity["createdAt"]))

    def place_accesses(self, accesses):
        """Names the event before each change, where every change of that right is known for certain."""
        by_right = collections.defaultdict(list)
        for access in accesses:
            by_right[access["user"], access["cause"]].append(access)
        for (user, cause), made in by_right.items():
            records = self.records_of(user, cause)
            if len(records) != len(made) or any(access["outcome"] != "acknowledged" for access in made):
                continue
            for access, record in zip(made, records):
                access["after"] = {room: self.before(room, record) for room in access["rooms"] if room in self.rooms}

    def records_of(self, user, cause):
        kind, _, key = cause.partition(".")
        if kind == "key":
            return [row for row in self.rows if row["kind"] == 0 and row["payload"].get("subject") == user
                    and row["payload"].get("key") == key]
        wanted = (BAN, UNBAN) if kind == "ban" else (MUTE, UNMUTE)
        return [row for row in self.rows if row["kind"] == 2 and str(row["key"]) == key and row["type"] == 100
                and row["payload"].get("subject") == user and row["payload"]["kind"] in wanted]

    def before(self, room, record):
        rows = self.rooms[room]
        column = "access_seq" if record["kind"] == 0 else "seq"
        end = bisect.bisect_left(rows, record["seq"], key=lambda row: row[column])
        visible = [row["event_id"] for row in rows[max(0, end - 50):end] if row["type"] < 100]
        if not visible and end > 50:
            visible = [row["event_id"] for row in rows[:end] if row["type"] < 100]
        return visible[-1] if visible else None
