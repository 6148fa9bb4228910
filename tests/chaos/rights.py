"""Those who take rights and give them back. Each right of a user is changed by one of them only, and all end with
everything given back."""

import threading
import time

from actors import MESSAGE, POST, Actor, Caller, read_page
from readers import Connection
from recorder import now
from support.world import time_text


class Taker(Actor):
    def __init__(self, world, rng):
        super().__init__(world, rng, role="ADMIN")

    def change(self, may, users, rooms, cause, method, path, body=None, port=None):
        """Until it is certain."""
        while True:
            sent = {} if body is None and method == "PUT" else body
            answer, begun, done = self.caller.ask(method, path, sent, port)
            outcome = self.caller.outcome(answer)
            for user in users:
                self.rec.access(user=user, rooms=rooms, cause=cause, may=may, begun=begun, done=done, outcome=outcome,
                                late=self.caller.late, reading=not cause.startswith("mute"))
            if outcome == "acknowledged":
                return
            if outcome == "refused" and answer.status == 422 and body:
                return  # it took so long that its end has passed
            if outcome == "refused":
                raise AssertionError(f"{method} {path}: {answer}")
            port = None
            time.sleep(0.05)

    def grant(self, may, user, key, body=None, port=None, kind="entitlements"):
        cause = ("key." if kind == "entitlements" else "feature.") + key
        rooms = self.world.rooms_of(key)
        if kind == "features":
            rooms = [place.messages for place in self.world.places if place.feature == key]
        self.change(may, [user], rooms, cause, "PUT" if may else "DELETE", f"/api/admin/users/{user}/{kind}/{key}", body, port)

    def sanction(self, on, user, place, what, port=None):
        self.change(not on, [user], [place.messages], f"{what}.{place.discussion}", "PUT" if on else "DELETE",
                    f"/api/admin/channels/{place.channel}/discussion/{what}s/{user}", port=port)

    def wait(self, most):
        time.sleep(self.rng.random() * most)


class KeyTaker(Taker):
    """One right of one of its users at a time."""

    def __init__(self, world, rng, victims):
        super().__init__(world, rng)
        self.victims = victims

    def step(self):
        victim, draw = self.rng.choice(self.victims), self.rng.random()
        if draw < 0.6:
            key, kind = ("key.chaos", "entitlements") if draw < 0.4 else ("feature.chaos", "features")
            self.grant(False, victim, key, kind=kind)
            self.wait(0.6)
            self.grant(True, victim, key, kind=kind)
        else:
            place, what = self.rng.choice(self.world.places), "ban" if draw < 0.9 else "mute"
            self.sanction(True, victim, place, what)
            self.wait(0.6)
            self.sanction(False, victim, place, what)
        self.wait(0.3)


class Ambusher(Taker):
    """Takes a right at one node and, the moment that is acknowledged, has something written at another."""

    def __init__(self, world, rng, victim):
        super().__init__(world, rng)
        self.victim, self.places = victim, world.places[1:3]
        self.readers = [Caller(world, world.child(), user=victim) for _ in range(4)]

    def step(self):
        ports, place = self.world.fleet.ports(self.rng), self.rng.choice(self.places)
        if ports is None:
            return self.wait(0.1)
        readings = [threading.Thread(target=read_page, args=(self.world, reader, place, what, "newest", None, 20))
                    for reader, what in zip(self.readers, ("message", "message", "post", "post"))]
        for reading in readings:
            reading.start()
        self.wait(0.02)
        if self.rng.random() < 0.7:
            self.grant(False, self.victim, place.key, port=ports[0])
            self.shout(place, ports[1])
            self.wait(0.2)
            self.await_all(readings)
            self.grant(True, self.victim, place.key)
        else:
            self.sanction(True, self.victim, place, "ban", ports[0])
            self.shout(place, ports[1])
            self.wait(0.2)
            self.await_all(readings)
            self.sanction(False, self.victim, place, "ban")
        return self.wait(0.3)

    @staticmethod
    def await_all(threads):
        for thread in threads:
            thread.join()

    def shout(self, place, port):
        mark = self.mark()
        self.write(place.posts, POST + "created", "POST", f"/api/admin/channels/{place.channel}/posts",
                   {"type": "TEXT", "bodyText": mark}, content=mark, port=port)
        for _ in range(2):
            mark = self.mark()
            self.write(place.messages, MESSAGE + "created", "POST", f"/api/admin/channels/{place.channel}/discussion/messages",
                       {"body": mark}, content=mark, port=port)


class Borrower(Taker):
    """A right that ends by the clock, in a second."""

    def __init__(self, world, rng, victim):
        super().__init__(world, rng)
        self.victim, self.rooms = victim, world.rooms_of("key.brief")

    def step(self):
        seconds = 0.6 + self.rng.random()
        text, end = time_text(seconds), now() + int(seconds * 1e9)
        self.grant(True, self.victim, "key.brief", {"validUntil": text})
        if now() < end:
            # What was written before its last millisecond, by the server's clock, may still arrive.
            self.rec.access(user=self.victim, rooms=self.rooms, cause="key.key.brief", may=False, begun=end - 3_000_000,
                            done=end + 3_000_000, outcome="acknowledged", late=False, reading=True, byClock=True)
            time.sleep(max(0, (end - now()) / 1e9))
            self.world.counts["rights that ended by the clock"] += 1
        self.wait(0.5)

    def finish(self):
        self.grant(True, self.victim, "key.brief")


class Switcher(Taker):
    """A discussion that is switched off and on: everybody is out, and may come back."""

    def __init__(self, world, rng, place):
        super().__init__(world, rng)
        self.place = place

    def switch(self, on):
        self.change(on, self.world.everybody, [self.place.messages], f"switch.{self.place.discussion}", "PUT",
                    f"/api/admin/channels/{self.place.channel}/discussion", {"isEnabled": on})

    def step(self):
        self.wait(4)
        self.switch(False)
        self.wait(0.7)
        self.switch(True)


class VastTaker(Taker):
    """One key that opens very many rooms, while their readers read and something is written in them."""

    def __init__(self, world, rng, victim):
        super().__init__(world, rng)
        self.victim = victim

    def step(self):
        self.world.quiet.wait(2 + 6 * self.rng.random())
        self.grant(False, self.victim, "key.vast")
        self.world.counts["revocations of the vast key"] += 1
        self.wait(0.7)
        self.grant(True, self.victim, "key.vast")


class Herald(Taker):
    """Writes in the many rooms, seldom in each."""

    def step(self):
        place, mark = self.rng.choice(self.world.vast[:self.rng.choice([40, 1000])]), self.mark()
        self.write(place.posts, POST + "created", "POST", f"/api/admin/channels/{place.channel}/posts",
                   {"type": "TEXT", "bodyText": mark}, content=mark)
        self.wait(0.15)


class Huddler(Taker):
    """Join, leave and join again in one segment of TCP, with the ban on its way to the same node."""

    def __init__(self, world, rng, victim):
        super().__init__(world, rng)
        self.victim = Caller(world, rng, user=victim)
        self.connection, self.port = None, None

    def step(self):
        try:
            self.huddle()
        except (OSError, EOFError, AssertionError, ValueError):
            self.drop()
        self.wait(0.2)

    def finish(self):
        self.drop()

    def drop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def huddle(self):
        if self.connection is None:
            self.port = self.world.fleet.port(self.rng)
            if self.port is None:
                return
            self.connection = Connection(self.world, self.victim.user, self.victim.token, self.port)
        place, connection = self.rng.choice(self.world.places[:3]), self.connection
        ban = threading.Thread(target=self.sanction, args=(True, self.victim.user, place, "ban", self.port))
        ban.start()
        try:
            self.wait(0.008)
            for _ in range(self.rng.randrange(1, 4)):
                for what in self.rng.choice([("join", "leave", "join"), ("join", "sync", "leave"), ("leave", "join", "sync")]):
                    connection.send(what, place, "messages", cork=True, limit=5)
            connection.flush()
            self.world.counts["join, leave and ban at once"] += 1
            self.listen(0.05)
        finally:
            ban.join()
        self.listen(0.1)
        self.sanction(False, self.victim.user, place, "ban")

    def listen(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.connection.read(left)
