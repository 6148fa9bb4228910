"""Live readers: connections that join, leave, sync, drop, sleep and come back, and record every frame."""

import collections
import json
import select
import threading
import time

from actors import LOST, Actor, Caller
from recorder import now, seen
from support.ws import RawSocket
from support.world import new_id

JOIN = {"posts": "communication:join_channel_posts", "messages": "communication:join_discussion"}
LEAVE = {"posts": "communication:leave_channel_posts", "messages": "communication:leave_discussion"}
SYNC = {"posts": "communication:sync_channel_posts", "messages": "communication:sync_discussion"}
GONE = (*LOST, EOFError, AssertionError)


class Connection:
    """One WebSocket; everything is done by the thread of its reader."""

    def __init__(self, world, user, token, port, receive_buffer=None):
        self._prepare(world, user, receive_buffer is not None)
        self.name = "r" + new_id()[:13]
        self.raw = RawSocket(port, token=token, receive_buffer=receive_buffer)
        self.read_at = 0  # when all that had arrived was read
        self.joined, self.heads = {}, {}  # room → (place, kind), room → the last event it has

    def _prepare(self, world, user, sleepy):
        self.world, self.rec, self.user, self.sleepy = world, world.rec, user, sleepy
        self.heard_at = 0
        self._ids, self._corked = 0, self._nothing()
        self._replies = collections.OrderedDict()

    def close(self):
        self.raw.socket.close()
        self.rec("closed", reader=self.name, at=self.read_at)

    def hurry(self):
        """A slow reader has no time left: see RawSocket.hurry."""
        self.raw.hurry()

    def read(self, wait):
        """Takes what is there, waiting at most `wait` for the first frame. Raises when the line is gone."""
        if not self.raw._buffer:
            asked = now()
            if not select.select([self.raw.socket], [], [], 0)[0]:
                self.read_at = asked
                if not select.select([self.raw.socket], [], [], wait)[0]:
                    return False
        opcode, payload = self.raw.read(pings=True)
        if opcode == 8:
            raise EOFError
        if opcode == 1:
            self.take(json.loads(payload))
        return True

    def take(self, frame):
        at = self.heard_at = now()
        if "ok" in frame:
            if next(iter(self._replies)) != frame["id"]:
                self.world.failures.append(f"{self.name}: a reply out of turn: {frame}")
            begun, what, place, kind, extra = self._replies.pop(frame["id"])
            if frame["ok"]:
                self.replied(what, place, kind, extra, frame.get("data"), begun, at)
            else:
                self.world.counts["refused " + what] += 1
        elif frame["event"] == "communication:room_left":
            self.joined.pop(frame["room"], None)
            self.rec("left", reader=self.name, room=frame["room"], reason=frame["data"]["reason"], at=at)
        elif "prevEventId" in frame:
            self.world.last[self.user, frame["room"]] = frame["data"]["eventId"]
            self.rec("frame", reader=self.name, user=self.user, room=frame["room"], prevEventId=frame["prevEventId"], at=at,
                     **seen(frame["data"]))
            self.heads[frame["room"]] = frame["data"]["eventId"]
        elif frame["event"] == "server:draining":
            self.world.counts["drained"] += 1

    def replied(self, what, place, kind, extra, data, begun, at):
        room = getattr(place, kind)
        if what == "join":
            if room not in self.joined:  # else it goes on from where it is
                self.joined[room] = (place, kind)
                self.heads[room] = data["lastEventId"]
            self.tell_join(room, data["lastEventId"], begun, at)
        elif what == "leave":
            self.joined.pop(room, None)
            self.rec("left", reader=self.name, room=room, at=at)
        else:
            self.rec("sync", user=self.user, room=room, since=extra, events=[seen(event) for event in data["events"]],
                     lastEventId=data["lastEventId"], hasMore=data["hasMore"], gap=data["gap"], begun=begun, done=at)
            if data["hasMore"] and not self.world.stop.is_set():
                if self.world.quiet.is_set():
                    time.sleep(0.06)  # the whole log takes more commands than a connection may send at once
                self.send("sync", place, kind, since=data["lastEventId"])

    def tell_join(self, room, head, begun, at):
        self.rec("join", reader=self.name, user=self.user, room=room, lastEventId=head, begun=begun, done=at,
                 **({"sleepy": True} if self.sleepy else {}))

    def send(self, what, place, kind, since=None, limit=None, cork=False):
        self._ids += 1
        data = {"channelId": place.channel}
        if what == "leave" and kind == "messages":
            data = {"discussionId": place.discussion}
        if what == "sync":
            data.update({} if since is None else {"sinceEventId": since}, **({"limit": limit} if limit else {}))
        event = {"join": JOIN, "leave": LEAVE, "sync": SYNC}[what][kind]
        self._replies[self._ids] = (now(), what, place, kind, since)
        self._corked += self._encoded(event, data, self._ids)
        if not cork:
            self.flush()

    def flush(self):
        """All that was corked goes out as one segment."""
        corked, self._corked = self._corked, self._nothing()
        if corked:
            self._put(corked)

    def _encoded(self, event, data, number):
        return self.raw.frame(1, json.dumps({"id": number, "event": event, "data": data}).encode())

    def _nothing(self):
        return b""

    def _put(self, corked):
        self.raw.socket.sendall(corked)


class Reader(Actor):
    """Keeps one connection, restless until the world is quiet; then it only reads."""

    drops = 0.02  # share of its moves

    def __init__(self, world, rng, user, places, sleepy=False, restless=True):
        super().__init__(world, rng, user=user)
        self.sleepy, self.restless, self.connection = sleepy, restless, None
        self.subscriptions = [(place, kind) for place in places for kind in ("posts", "messages") if getattr(place, kind)]
        self.next_move = 0.0

    def run(self):
        try:
            while not self.world.stop.is_set():
                self.guarded()
        except BaseException as error:  # noqa: BLE001 - a dead reader must not look like a quiet one
            self.world.failures.append(f"{self.name}: {error!r}")
            raise

    def guarded(self):
        try:
            self.expect_answers()
            if self.connection is None:
                self.connect()
            elif not self.connection.read(0.05) or time.monotonic() >= self.next_move:
                self.move()
        except GONE:
            self.drop()
            time.sleep(0.05)

    def expect_answers(self):
        """Each command is answered before long, whatever happens to the database; naps of the reader are shorter.

        Whoever sleeps has a long queue in front of the answer, and reads it a window at a time: then the time counts from
        the last frame, as long as they come.
        """
        waiting = self.connection and next(iter(self.connection._replies.values()), None)
        if not waiting:
            return
        since, at = max(waiting[0], self.connection.heard_at if self.sleepy else 0), now()
        if at - since > 25e9 and at - since > 1e9 * self.world.pulse.bound(25, since, at):
            self.world.failures.append(f"{self.connection.name}: no reply within 25 s to {waiting[1]} {waiting[3]}")
            self.drop()

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def connect(self):
        port = self.world.fleet.port(self.rng)
        if port is None:
            time.sleep(0.05)
            return
        self.open(port)

    def open(self, port):
        self.connection = Connection(self.world, self.caller.user, self.caller.token, port, 4096 if self.sleepy else None)
        self.enter(self.connection)

    def enter(self, connection):
        """As a client that has nothing but the last events that it saw."""
        for place, kind in self.subscriptions[:20]:
            connection.send("join", place, kind, cork=True)
            since = self.world.last.get((self.caller.user, getattr(place, kind)))
            if since or self.rng.random() < 0.2:  # the whole log, now and then
                connection.send("sync", place, kind, since=since, cork=True)
        connection.flush()

    def move(self):
        if time.monotonic() < self.next_move:
            return
        self.next_move = time.monotonic() + self.rng.random() * 0.5
        if self.sleepy and self.world.quiet.is_set():
            self.connection.hurry()
        if self.world.quiet.is_set() or not self.restless:
            self.come_back()
            return
        (place, kind), draw, connection = self.rng.choice(self.subscriptions), self.rng.random(), self.connection
        room = getattr(place, kind)
        if draw < self.drops:
            self.drop()
        elif self.sleepy and draw < 0.4:
            self.world.counts["sleeping sockets"] += 1
            time.sleep(1 + 3 * self.rng.random())
        elif room not in connection.joined:
            connection.send("join", place, kind)
        elif draw < 0.1:
            connection.send("leave", place, kind)
            if self.rng.random() < 0.7:
                connection.send("join", place, kind)
        elif draw < 0.3:
            since = self.world.last.get((self.caller.user, room))
            if self.rng.random() < 0.1:
                since = "0190c0de-0000-7000-8000-" + new_id()[-12:]  # in no log
            if since:
                connection.send("sync", place, kind, since=since, limit=self.rng.choice([1, 7, 100, 500]))
        elif draw < 0.6:
            self.come_back()

    def come_back(self):
        """Asks for all rooms that it is not in, some at a time, once all it asked is answered."""
        connection = self.connection
        if connection._replies:
            return
        missing = [(place, kind) for place, kind in self.subscriptions if getattr(place, kind) not in connection.joined]
        for place, kind in missing[:30]:
            connection.send("join", place, kind, cork=True)
        connection.flush()
