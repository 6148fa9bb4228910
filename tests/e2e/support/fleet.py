"""Three nodes that are restarted one after another, writers that retry, and readers that follow their rooms through it all."""

import http.client
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from support.node import Node
from support.world import new_id
from support.ws import Refused

GONE = (OSError, http.client.HTTPException)


class Fleet:
    def __init__(self, url, count=3, **settings):
        self.url, self.settings = url, settings
        self.nodes = []
        self.changed = threading.Condition()
        self.open = []  # the nodes that a load balancer would name
        self.entering = {}  # node -> clients on their way in
        try:
            for _ in range(count):
                self.nodes.append(Node(url, **settings))
            for node in self.nodes:
                node.wait_ready()
        except BaseException:
            self.kill()
            raise
        self.open = list(self.nodes)

    def pick(self, other_than=None):
        with self.changed:
            return random.choice([node for node in self.open if node is not other_than] or self.open)

    def enter(self, reader, other_than=None):
        """A socket for the reader at one of the open nodes, which becomes its node."""
        with self.changed:
            node = random.choice([node for node in self.open if node is not other_than] or self.open)
            self.entering[node] = self.entering.get(node, 0) + 1
        try:
            sock = reader.person.on(node).socket()
            reader.node = node
            return sock
        finally:
            with self.changed:
                self.entering[node] -= 1
                self.changed.notify_all()

    def shut(self, node):
        """Nobody is sent there any more, and nobody is on the way."""
        with self.changed:
            self.open.remove(node)
            assert self.changed.wait_for(lambda: not self.entering.get(node), timeout=20)

    def replace(self, old, program=None):
        new = Node(self.url, program, **self.settings).wait_ready()
        self.nodes[self.nodes.index(old)] = new
        with self.changed:
            self.open.append(new)
        return new

    def stop(self):
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(lambda node: node.stop(), self.nodes))

    def kill(self):
        for node in self.nodes:
            if node.process.poll() is None:
                node.kill()


class Writer(threading.Thread):
    """Says one thing after another, and each again and again, at any node, until it is acknowledged."""

    def __init__(self, fleet, person, path, fields, headers):
        super().__init__(daemon=True)
        self.fleet, self.person, self.path, self.fields, self.headers = fleet, person, path, fields, headers
        self.acknowledged = {}  # key -> id
        self.retries = 0
        self.failure = None
        self.done = threading.Event()

    def run(self):
        try:
            while not self.done.is_set():
                key, begun = new_id(), time.monotonic()
                self.acknowledged[key] = self.write(key)
                # Each frame is held against the documents, in this process: on a busy machine readers need the time.
                time.sleep(min(1.0, 0.1 + 3 * (time.monotonic() - begun)))
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failure = repr(error)

    def write(self, key):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with self.person.on(self.fleet.pick()) as caller:
                try:
                    answer = caller.post(self.path, self.fields(key), headers=self.headers(key))
                except GONE:
                    answer = None
            if answer is not None and answer.status in (200, 201):
                return answer.data["id"]
            assert answer is None or answer.status == 503, answer
            self.retries += 1
            time.sleep(0.05)
        raise AssertionError(f"{self.path}: not acknowledged within 30 s")


class Reader(threading.Thread):
    """Follows the rooms of one channel as docs/protocol.md tells a client to: join, sync from the position, apply what follows
    it, and after `server:draining` come back when told, elsewhere."""

    SYNC = {"posts": "sync_posts", "messages": "sync_discussion"}
    JOIN = {"posts": "join_posts", "messages": "join_discussion"}

    def __init__(self, fleet, person, channel):
        super().__init__(daemon=True)
        self.fleet, self.person, self.channel = fleet, person, channel
        self.events = {"posts": [], "messages": []}  # ids, in the order of their arrival
        self.kinds = {}  # room -> kind
        self.hints = []  # (node, milliseconds)
        self.closed = []  # (node, code)
        self.node = None  # where it is
        self.settled = False  # and has all that was there when it came
        self.live = {}
        self.failure = None
        self.done = threading.Event()
        self.back_at = 0.0

    def run(self):
        try:
            last = None
            while not self.done.is_set():
                time.sleep(max(0.0, self.back_at - time.monotonic()))
                try:
                    sock = self.fleet.enter(self, other_than=last)
                except (Refused, *GONE):
                    time.sleep(0.1)
                    continue
                last = self.node
                with sock:
                    self.follow(sock, last)
                self.node = None
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failure = repr(error)

    def position(self, kind):
        return self.events[kind][-1] if self.events[kind] else None

    def follow(self, sock, node):
        self.back_at = time.monotonic() + 0.1
        self.live = {}
        try:
            for kind in self.events:
                self.kinds[getattr(sock, self.JOIN[kind])(self.channel)["room"]] = kind
            for kind in self.events:
                self.catch_up(sock, kind)
            self.settled = True
        except AssertionError:
            if sock.close_code is None:
                raise
        while not self.done.is_set():
            try:
                frame = sock.next(timeout=0.2)
            except AssertionError:
                if sock.close_code is None:
                    continue
                break
            self.take(frame, node)
        self.settled = False
        if sock.close_code is not None:
            self.closed.append((node, sock.close_code))

    def catch_up(self, sock, kind):
        while True:
            page = getattr(sock, self.SYNC[kind])(self.channel, self.position(kind), limit=100)
            assert not page["gap"], page
            self.events[kind] += [event["eventId"] for event in page["events"]]
            if not page["hasMore"]:
                return

    def take(self, frame, node):
        if frame["event"] == "server:draining":
            hint = frame["data"]["reconnectInMs"]
            self.hints.append((node, hint))
            self.back_at = time.monotonic() + hint / 1000
            return
        assert "prevEventId" in frame, frame
        kind = self.kinds[frame["room"]]
        event, position = frame["data"]["eventId"], self.position(kind)
        assert event > self.live.get(kind, ""), f"doubled or out of order: {frame}"
        self.live[kind] = event
        if position is not None and event <= position:
            return  # the sync had it already
        assert frame["prevEventId"] == position, f"a hole: {position} is followed by {frame}"
        self.events[kind].append(event)
