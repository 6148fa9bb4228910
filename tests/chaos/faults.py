"""What is done to the servers: each kind at least once, then at random, by weight."""

import collections
import subprocess
import time

from fleet import half_open
from readers import JOIN, SYNC
from support.ws import RawSocket

ALWAYS = {
    "kill": 2, "kill after lock": 2, "kill at commit": 2, "kill after commit": 2, "freeze": 1, "stop after lock": 1, "stop at commit": 1,
    "terminate": 1, "terminate with 8 MB queued": 0.3, "database restart": 2, "cut after lock": 1, "cut at commit": 1, "cut after commit": 1,
    "error after lock": 1, "error at commit": 1, "cut connections": 1, "held lock": 1, "half-open socket": 1, "never-reading socket": 1,
}
WITH_NATS = {"bus silence": 1, "bus restart": 1, "bus freeze": 1}
LULL = 8.0  # s
QUEUED = 8 * 1024 * 1024
PATIENCE = 20.0  # s that never-reading sockets are given to fill up


class Faults:
    def __init__(self, world, kinds, slots, pause):
        self.world, self.rng, self.slots, self.pause = world, world.child(), slots, pause
        self.weights = {what: {**ALWAYS, **WITH_NATS}[what] for what in kinds}
        self.kept, self.slowest, self.done = [], 0.0, collections.Counter()

    def run(self, until, at_most):
        """Goes on until every kind was had, if need be longer than it should. Then nothing but delays for a while: after
        a fault the servers compare everything, and what was overlooked before is found."""
        self.harm(until, at_most)
        time.sleep(LULL)

    def harm(self, until, at_most):
        order, done = list(self.weights), True
        self.rng.shuffle(order)
        while time.monotonic() < (at_most if order else until):
            # After one that did not come off another goes first: what hindered it may be over then.
            what = order.pop() if order and done else self.rng.choices(list(self.weights), list(self.weights.values()))[0]
            try:
                done = self.act(what)
            except (OSError, AssertionError, subprocess.SubprocessError) as error:
                done = False
                if not what.endswith("socket"):  # no node took it: another time
                    self.world.failures.append(f"{what}: {error!r}")
            if not done:
                order = [what, *(other for other in order if other != what)]
                time.sleep(0.1)
                done = len(self.weights) == 1
                continue
            self.done[what] += 1
            order = [other for other in order if other != what]
            self.world.rec("fault", what=what)
            took = self.world.fleet.ready_again(15)
            if took is None:
                self.world.failures.append(f"not ready within 15 s of: {what}")
            else:
                self.slowest = max(self.slowest, took)
            if not order:
                time.sleep(self.rng.random() * self.pause)
        for sock in self.kept:
            sock.close()

    def act(self, what):
        first, _, place = what.partition(" ")
        if place in ("after lock", "at commit", "after commit"):
            name = what.replace(" ", "-")
            return self.world.fleet.trap(self.slot(), name, int(200 + self.rng.random() * 2500) if first == "stop" else 0)
        return getattr(self, what.replace(" ", "_").replace("-", "_").lower())() is not False

    def slot(self):
        return self.rng.randrange(self.slots)

    def kill(self):
        self.world.fleet.kill(self.slot())

    def terminate(self):
        self.world.fleet.terminate(self.slot())

    def freeze(self):
        self.world.fleet.freeze(self.slot(), 0.2 + self.rng.random() * 3)

    def database_restart(self):
        self.world.fleet.restart_database()

    def cut_connections(self):
        for _ in range(self.rng.randrange(1, 6)):
            self.world.fleet.cut_connections(self.rng.choice([0.1, 0.3, 1]))
            time.sleep(self.rng.random() * 0.2)

    def held_lock(self):
        self.world.fleet.hold_lock(0.2 + self.rng.random() * 2)

    def half_open_socket(self):
        self.keep([half_open(self.world.fleet.port(self.rng)) for _ in range(5)])

    def never_reading_socket(self):
        self.keep([never_reads(self.world, self.world.fleet.port(self.rng))])

    def keep(self, sockets):
        self.kept += sockets
        for old in self.kept[:-60]:
            old.close()
        del self.kept[:-60]

    def terminate_with_8_mb_queued(self):
        slot = self.slot()
        node = self.world.fleet.nodes()[slot]
        sockets = []
        try:
            end = time.monotonic() + self.world.pulse.allowance(PATIENCE)
            while self.world.fleet.metric(node, "belfry_ws_queued_bytes") < QUEUED:
                if time.monotonic() > end:
                    return False
                if len(sockets) < 32:
                    sockets += [never_reads(self.world, node.port, thirsty=True) for _ in range(8)]
                time.sleep(0.05)
            self.world.fleet.terminate(slot)
        finally:
            for sock in sockets:
                sock.close()
        return True

    def bus_silence(self):
        self.world.fleet.bus.silence(1 + self.rng.random() * 3)

    def bus_restart(self):
        self.world.fleet.bus.restart(self.rng.random() * 2)

    def bus_freeze(self):
        self.world.fleet.bus.freeze(1 + self.rng.random() * 3)


def never_reads(world, port, thirsty=False):
    """Joins everything and never reads: its node must not care. `thirsty`: asks for more than anybody keeps for it."""
    raw = RawSocket(port, token=world.member_token, receive_buffer=4096)
    for place in world.places:
        for kind in ("posts", "messages"):
            raw.text({"event": JOIN[kind], "data": {"channelId": place.channel}})
    for number in range(7 if thirsty else 0):
        raw.text({"id": number, "event": SYNC["posts"], "data": {"channelId": world.heavy, "limit": 500}})
    return raw.socket
