"""A client that keeps a room by the rules of the protocol's documentation: a state read over REST, and the events after it."""

import json

LIMIT = 23  # events per sync, so that a replay takes several


def by_actor(actor, verb):
    """What a message shows of who did something, as an event tells it."""
    return {
        f"{verb}ByAdminId": actor["id"] if actor["type"] == "ADMIN" else None,
        f"{verb}ByUserId": actor["id"] if actor["type"] == "USER" else None,
    }


class Room:
    def __init__(self, name, join, sync, leave_key):
        self.name, self.join, self.sync, self.leave_key = name, join, sync, leave_key

    def __repr__(self):
        return self.name

    def page(self, person, channel, query):
        return getattr(person, self.name)(channel, query, expect=None)

    def first_page(self, person, channel):
        return self.page(person, channel, "?limit=1")

    def everything(self, person, channel, between=lambda: None):
        """All pages; `between` may write meanwhile."""
        items, query = {}, "?limit=60"
        while True:
            answer = self.page(person, channel, query)
            assert answer.status == 200, answer
            page = answer.data
            for item in page["items"]:
                items.setdefault(item["id"], item)
            if not page["has_more"]:
                return items
            query = f"?limit=60&before_id={page['cursor']['next_before_id']}"
            between()


POSTS = Room("posts", "communication:join_channel_posts", "communication:sync_channel_posts", "channelId")
TALK = Room("messages", "communication:join_discussion", "communication:sync_discussion", "discussionId")


def head_of(room, boss, channel):
    """The last event that was written before this call; `boss` reads whatever can be read."""
    with boss.socket() as judge:
        reply = judge.call(room.join, {"channelId": channel})
        assert reply["ok"], reply
        return reply["data"]["lastEventId"]


def fold(room, state, envelope):
    kind, data = envelope["eventType"].rsplit(".", 1)[1], dict(envelope["data"])
    actor = data.pop("actor")
    if room is TALK:
        data.pop("channelId")
    key = data["id"]
    if kind in ("created", "restored"):
        state[key] = data
        return
    # A replayed update of what is deleted by now says so and has no content: the tombstone comes later in the log.
    changed = dict(state[key])
    changed.update({name: value for name, value in data.items() if name in changed})
    if kind == "updated" and room is TALK:
        changed.update(by_actor(actor, "edited"))
    if kind == "deleted":
        changed.update({"body": None, "deletedByAdminId": by_actor(actor, "deleted")["deletedByAdminId"]} if room is TALK
                       else {"bodyText": None, "linkUrl": None, "chartPayloadJson": None, "attachments": []})
    state[key] = changed


class Held:
    """What a follower has of one room."""

    def __init__(self):
        self.state, self.last, self.inside, self.reason = {}, None, False, None


class Follower:
    """Follows both rooms of a channel, by frames or by asking for what it missed."""

    def __init__(self, name, person, life, live):
        self.name, self.person, self.life, self.live = name, person, life, live
        self.rooms = {POSTS: Held(), TALK: Held()}
        self.sock = self.here(life.node()).socket()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def here(self, node):
        return self.person.on(node)

    def begin(self, rooms=(POSTS, TALK), between=lambda: None):
        """A position first, then the state, which may be newer: events that it has already change nothing in the end."""
        for room in rooms:
            held = self.rooms[room]
            if self.live:
                self._join(room)
                held.last = held.joined_at
            else:
                held.last = self._head(room)
            held.state = room.everything(self.here(self.life.node()), self.life.channel, between)

    def begin_where_allowed(self, between):
        for room in (POSTS, TALK):
            if not self.live and room.first_page(self.here(self.life.node()), self.life.channel).status == 200:
                held = self.rooms[room]
                held.last = self._head(room)
                page = room.first_page(self.here(self.life.node()), self.life.channel)
                if page.status == 200:
                    held.state = room.everything(self.here(self.life.node()), self.life.channel)
        between()

    def catch_up(self, room):
        """Up to everything that was written before this call."""
        held = self.rooms[room]
        if not self.live:
            return self._sync(room, self.here(self.life.node()))
        head = self._head(room)
        while held.inside and head is not None and (held.last is None or held.last < head):
            self._take()
        if held.inside:
            return None
        # The way back in: join, then what was missed, then frames that are newer.
        self._join(room)
        return self._sync(room, self.here(self.life.node()), up_to=held.joined_at)

    def left(self, room):
        """The reason why this room ended."""
        while self.rooms[room].inside:
            self._take()
        return self.rooms[room].reason

    def refused(self, room, reason):
        """Neither joined nor synced; whatever was on its way has arrived."""
        held = self.rooms[room]
        if self.live:
            self.left(room)
            for frame in self.sock.pending():
                self._apply(frame)
        for event in (room.join, room.sync):
            reply = self.sock.call(event, {"channelId": self.life.channel, **({"sinceEventId": held.last} if event == room.sync and held.last else {})})
            assert not reply["ok"], f"{self.name} {room}: {reply}"
            assert reason is None or reply["error"].get("reason") == reason, f"{self.name} {room}: {reply}, REST says {reason}"

    def _head(self, room):
        return head_of(room, self.life.boss(), self.life.channel)

    def _join(self, room):
        held = self.rooms[room]
        reply = self.sock.ok(room.join, {"channelId": self.life.channel})
        held.inside, held.reason, held.joined_at = True, None, reply["lastEventId"]
        held.room_name = reply["room"]

    def _sync(self, room, person, up_to=None):
        held = self.rooms[room]
        with person.socket() as asking:
            while up_to is None or held.last is None or held.last < up_to:
                page = asking.ok(room.sync, {"channelId": self.life.channel, "limit": LIMIT,
                                             **({"sinceEventId": held.last} if held.last else {})})
                assert not page["gap"], page
                for event in page["events"]:
                    self._event(room, event)
                if not page["hasMore"]:
                    return

    def _take(self):
        self._apply(self.sock.next())

    def _apply(self, frame):
        room = next((room for room, held in self.rooms.items() if getattr(held, "room_name", None) == frame["room"]), None)
        assert room is not None, frame
        held = self.rooms[room]
        assert held.inside, f"{self.name}: a frame of a room that was left: {json.dumps(frame)[:600]}"
        if frame["event"] == "communication:room_left":
            held.inside, held.reason = False, frame["data"]["reason"]
        elif held.last is None or frame["data"]["eventId"] > held.last:
            assert frame["prevEventId"] == held.last, f"{self.name}: a hole after {held.last}: {json.dumps(frame)[:600]}"
            self._event(room, frame["data"])

    def _event(self, room, envelope):
        held = self.rooms[room]
        assert held.last is None or envelope["eventId"] > held.last
        fold(room, held.state, envelope)
        held.last = envelope["eventId"]
