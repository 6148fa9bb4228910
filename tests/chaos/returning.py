"""Live readers by Socket.IO, whose lines break as those of the others do, but who come back with what they kept.

They record what native readers do, so one judge holds both to the same. Whoever is recovered goes on under its name, from the
event that it had last: the next one must be the one behind it. A recovery is recorded as a replay as well, from that event to
what had come when a command behind it was answered: it must have what was acknowledged before it began, and nothing without a
right.
"""

from readers import Connection, Reader
from recorder import now, seen
from support.engineio import Violation
from support.socketio import Disconnected, Memory, Session
from support.world import new_id

UNTOLD = 0  # when a join began that was not asked for: its head is that of an earlier time, and another record judges the right
TRANSPORTS = ("websocket", "polling", "upgrade")


class Kept:
    """What a reader has between two connections: the texts, its rooms and the last event of each."""

    def __init__(self):
        self.memory, self.name, self.read_at = Memory(), None, 0
        self.joined, self.heads = {}, {}
        self.unsure = set()  # rooms of joins and leaves that had no answer


class SocketIoConnection(Connection):
    def __init__(self, reader, token, port, transport):
        self._prepare(reader.world, reader.caller.user, reader.sleepy)
        self.reader, self.kept, self.rooms = reader, reader.kept, reader.rooms
        self.replayed, self._fence = None, None  # room → what came since the recovery; the command behind it
        self.begun = now()
        self._replies[0] = (self.begun, "connect", None, None, None)
        self.showed = bool(self.kept.memory.shown())
        self.session = Session(port, self.kept.memory, {"token": token}, self.take, transport, 4096 if self.sleepy else None)
        self.world.counts["Socket.IO connections"] += 1
        self.world.counts["Socket.IO by " + transport] += 1

    name = property(lambda self: self.kept.name or "a newcomer")
    joined = property(lambda self: self.kept.joined)
    heads = property(lambda self: self.kept.heads)

    @property
    def entered(self):
        return self.session.connected

    def hurry(self):
        self.session.engine.hurry()

    def read(self, wait):
        engine, asked = self.session.engine, now()
        if not engine.ready(0):
            if self.entered:
                self.kept.read_at = asked
            if not engine.ready(wait):
                return False
        try:
            self.session.read()
        except Disconnected:
            self.world.failures.append(f"{self.name}: sent away, for good")
            raise
        return True

    def take(self, frame):
        room = frame.get("room")
        if frame["event"] == "connect":
            self.heard_at = now()
            self._replies.pop(0)
            self.recovered() if frame["recovered"] else self.began()
        elif frame["event"] == "connect_error":
            self.world.failures.append(f"{self.name}: refused: {frame}")
            raise EOFError
        elif frame["event"] == "communication:room_left" and room in self.kept.unsure:
            self.kept.unsure.discard(room)
        else:
            self.meet(frame, room)
            super().take(frame)
            if self._fence is not None and frame.get("id") == self._fence:
                self.tell_replay(self.heard_at)

    def began(self):
        """As at the first time; what it had is given up."""
        kept = self.kept
        if kept.name:
            self.rec("closed", reader=kept.name, at=kept.read_at)
        if self.showed:
            self.world.counts["Socket.IO recoveries refused"] += 1
        kept.name, kept.joined, kept.heads, kept.unsure = "s" + new_id()[:13], {}, {}, set()
        self.reader.enter(self)

    def recovered(self):
        self.world.counts["Socket.IO recoveries"] += 1
        for room in self.joined:
            self.rec("left", reader=self.name, room=room, at=self.kept.read_at)
            self.tell_join(room, self.heads[room], UNTOLD, self.heard_at)
        self.replayed = {room: (self.heads[room], []) for room in self.joined}
        if self.joined:
            place, kind = next(iter(self.joined.values()))
            self.send("join", place, kind)  # it is in: this changes nothing
            self._fence = self._ids

    def meet(self, frame, room):
        """A frame may be the first that tells of a room that it is in."""
        if "prevEventId" not in frame:
            if frame["event"] == "communication:room_left" and self.replayed is not None:
                self.replayed.pop(room, None)
            return
        if room in self.kept.unsure:
            self.kept.unsure.discard(room)
            self.joined[room] = self.rooms[room]
            self.tell_join(room, frame["prevEventId"], UNTOLD, now())
        if self.replayed is not None and room in self.replayed:
            self.replayed[room][1].append(seen(frame["data"]))

    def tell_replay(self, at):
        for room, (since, events) in self.replayed.items():
            self.rec("sync", user=self.user, room=room, since=since, events=events, gap=False, hasMore=False,
                     lastEventId=events[-1]["eventId"] if events else since, begun=self.begun, done=at)
            self.world.counts["events by recovery"] += len(events)
        self.world.counts["Socket.IO recoveries judged"] += 1
        self.replayed, self._fence = None, None

    def replied(self, what, place, kind, extra, data, begun, at):
        room = getattr(place, kind)
        if what == "join" and room in self.kept.unsure:
            self.kept.unsure.discard(room)
            begun = UNTOLD  # it may have been in all the time
        super().replied(what, place, kind, extra, data, begun, at)

    def _encoded(self, event, data, number):
        return [(event, data, number)]

    def _nothing(self):
        return []

    def _put(self, corked):
        self.session.emit_all(corked)

    def close(self):
        """The line ends, by itself or on purpose; what had no answer may have been done."""
        for _, what, place, kind, _ in self._replies.values():
            room = place and getattr(place, kind)
            if what == "leave" and self.joined.pop(room, None):
                self.rec("left", reader=self.name, room=room, at=self.kept.read_at)
            if what == "leave" or (what == "join" and room not in self.joined):
                self.kept.unsure.add(room)
        last = self.world.stop.is_set()
        if last and self.kept.name:
            self.rec("closed", reader=self.name, at=self.kept.read_at)
        self.session.disconnect() if last or self.reader.rng.random() < 0.3 else self.session.engine.drop()


class ReturningReader(Reader):
    drops = 0.06

    def __init__(self, world, rng, user, places, transport, **more):
        super().__init__(world, rng, user, places, **more)
        self.kept, self.transport = Kept(), transport
        self.rooms = {getattr(place, kind): (place, kind) for place, kind in self.subscriptions}

    def guarded(self):
        try:
            super().guarded()
        except Violation as error:
            self.world.failures.append(f"{self.name} by {self.transport}: {error}")
            self.drop()

    def open(self, port):
        self.connection = SocketIoConnection(self, self.caller.token, port, self.transport)

    def move(self):
        if self.connection.entered:
            super().move()
