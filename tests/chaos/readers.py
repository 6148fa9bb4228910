"""Live readers: connections that join, leave, sync, drop, sleep and come back, and record every frame."""

import collections
import json
import random
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
        self.world, self.rec, self.user = world, world.rec, user
        self.name = "r" + new_id()[:13]
        self.raw = RawSocket(port, token=token, receive_buffer=receive_buffer)
        self.joined = {}  # room → (place, kind)
        self._ids = 0
        self._replies = collections.OrderedDict()

    def close(self):
        self.raw.socket.close()
        self.rec("closed", reader=self.name)

    def read(self, wait):
        """Takes what is there, waiting at most `wait` for the first frame. Raises when the line is gone."""
        if not self.raw._buffer and not select.select([self.raw.socket], [], [], wait)[0]:
            return False
        opcode, payload = self.raw.read(pings=True)
        if opcode == 8:
            raise EOFError
        if opcode == 1:
            self.take(json.loads(payload))
        return True

    def take(self, frame):
        at = now()
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
            self.world.heads[self.name, frame["room"]] = frame["data"]["eventId"]
        elif frame["event"] == "server:draining":
            self.world.counts["drained"] += 1

    def replied(self, what, place, kind, extra, data, begun, at):
        room = getattr(place, kind)
        if what == "join":
            self.joined[room] = (place, kind)
            self.world.heads[self.name, room] = data["lastEventId"]
            self.rec("join", reader=self.name, user=self.user, room=room, lastEventId=data["lastEventId"], begun=begun, done=at)
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

    def send(self, what, place, kind, since=None, limit=None):
        self._ids += 1
        data = {"channelId": place.channel}
        if what == "leave" and kind == "messages":
            data = {"discussionId": place.discussion}
        if what == "sync":
            data.update({} if since is None else {"sinceEventId": since}, **({"limit": limit} if limit else {}))
        event = {"join": JOIN, "leave": LEAVE, "sync": SYNC}[what][kind]
        self._replies[self._ids] = (now(), what, place, kind, since)
        self.raw.socket.sendall(self.raw.frame(1, json.dumps({"id": self._ids, "event": event, "data": data}).encode()))


class Reader(Actor):
    """Keeps one connection, restless until the world is quiet; then it only reads."""

    def __init__(self, world, rng, user, sleepy=False):
        super().__init__(world, rng, user=user)
        self.sleepy, self.connection = sleepy, None
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
        """Each command is answered before long, whatever happens to the database; naps of the reader are shorter."""
        waiting = self.connection and next(iter(self.connection._replies.values()), None)
        if waiting and now() - waiting[0] > 25e9:
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
        self.connection = Connection(self.world, self.caller.user, self.caller.token, port, 4096 if self.sleepy else None)
        for place in self.world.places:
            for kind in ("posts", "messages"):
                self.connection.send("join", place, kind)
                room = getattr(place, kind)
                self.connection.send("sync", place, kind, since=self.world.last.get((self.caller.user, room)))

    def move(self):
        if time.monotonic() < self.next_move:
            return
        self.next_move = time.monotonic() + self.rng.random() * 0.5
        place, kind, draw = self.rng.choice(self.world.places), self.rng.choice(["posts", "messages"]), self.rng.random()
        room, connection = getattr(place, kind), self.connection
        if self.world.quiet.is_set():
            for place in self.world.places:
                for kind in ("posts", "messages"):
                    if getattr(place, kind) not in connection.joined:
                        connection.send("join", place, kind)
        elif draw < 0.03:
            self.drop()
        elif self.sleepy and draw < 0.4:
            self.world.counts["sleeping sockets"] += 1
            time.sleep(1 + 3 * self.rng.random())
        elif room not in connection.joined:
            connection.send("join", place, kind)
        elif draw < 0.15:
            connection.send("leave", place, kind)
            if self.rng.random() < 0.5:
                connection.send("join", place, kind)
        elif draw < 0.3:
            since = self.world.last.get((self.caller.user, room))
            if self.rng.random() < 0.1:
                since = "0190c0de-0000-7000-8000-" + new_id()[-12:]  # in no log
            connection.send("sync", place, kind, since=since, limit=self.rng.choice([1, 7, 100, 500]))


class TicketHolder(Actor):
    """One ticket, two attempts at once, at nodes of their own."""

    def step(self):
        answer, _, _ = self.caller.ask("POST", "/api/mobile/ws-tickets")
        if answer is None or answer.status != 201:
            return time.sleep(0.1)
        ticket, name = answer.data["ticket"], new_id()
        attempts = [threading.Thread(target=self.attempt, args=(ticket, name)) for _ in range(2)]
        for thread in attempts:
            thread.start()
        for thread in attempts:
            thread.join()
        time.sleep(self.rng.random() * 0.3)
        return None

    def attempt(self, ticket, name):
        outcome, port = "unknown", self.world.fleet.port(random)
        try:
            if port is not None:
                RawSocket(port, path=f"/ws?ticket={ticket}").socket.close()
                outcome = "acknowledged"
        except AssertionError as error:
            outcome = "refused" if " 401 " in str(error) else "unknown"
        except LOST:
            pass
        self.rec("ticket", ticket=name, outcome=outcome)


def never_read(world, rng, member):
    """Joins everything and never reads: its node must not care. The socket is the caller's to keep."""
    port = world.fleet.port(rng)
    caller = Caller(world, rng, user=member)
    raw = RawSocket(port, token=caller.token, receive_buffer=4096)
    for place in world.places:
        raw.text({"event": JOIN["posts"], "data": {"channelId": place.channel}})
        raw.text({"event": JOIN["messages"], "data": {"channelId": place.channel}})
    return raw.socket
