#!/usr/bin/env python3
"""An adversary: random clients against real nodes that are killed, frozen and cut off, and `belfry verify` as the judge.

    BELFRY_BINARY=build/dev/belfry tests/chaos/run.py --seconds 60 --seed 7
"""

import argparse
import collections
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]

from support import record  # noqa: E402

record.http = record.frame_in = record.closed = lambda *_, **__: None  # the documents are held by the end-to-end tests

from actors import AdminWriter, Caller, Poller, Place, Revoker, UserWriter, read_page  # noqa: E402
from fleet import Fleet, half_open  # noqa: E402
from ledger import Ledger  # noqa: E402
from readers import Connection, Reader, TicketHolder, never_read  # noqa: E402
from recorder import Recorder  # noqa: E402
from support.node import binary  # noqa: E402
from support.world import Admin, new_id  # noqa: E402

DRIVEN = ["writes", "frames", "syncs", "replayed events", "pages", "page items", "joins", "leaves", "evictions", "revocations",
          "grants", "revocations under traffic", "reads of what is deleted", "read cursors", "tickets", "gaps",
          "messages under slow mode", "settled readers", "final states", "writes in order", "refused writes"]
FAULTS = ["kill", "freeze", "database restart", "terminate", "half-open socket", "never-reading socket", "cut connections",
          "held lock"]


class World:
    def __init__(self, fleet, rec, rng):
        self.fleet, self.rec, self.rng = fleet, rec, rng
        self.quiet, self.stop = threading.Event(), threading.Event()
        self.failures, self.counts, self.statuses = [], collections.Counter(), collections.Counter()
        self.last, self.heads = {}, {}
        self.key = "key.chaos"
        self.places = []
        self.member = new_id()  # is never refused anything
        self.victims = [new_id() for _ in range(4)]

    def build(self):
        with Admin(self.fleet.nodes()[0]) as admin:
            for number, key, slow in ((0, None, None), (1, self.key, None), (2, self.key, None), (3, None, 1)):
                rule = {"accessPolicy": "EXTERNAL_GATED", "entitlementKey": key} if key else {}
                channel = admin.channel(title=f"Room {number}", **rule)
                fields = {"slowModeEnabled": True, "slowModeIntervalSeconds": slow} if slow else {}
                made = admin.discussion(channel, title="Talk", isEnabled=True, **fields)
                self.places.append(Place(channel, made["id"], key, slow))
                if slow:
                    self.rec("slow", room=self.places[-1].messages, seconds=slow)
            for user in (self.member, *self.victims):
                admin.put(f"/api/admin/users/{user}/entitlements/{self.key}", {}, expect=200)

    def child(self):
        return random.Random(self.rng.random())

    def actors(self):
        made = [AdminWriter(self, self.child(), 0.05) for _ in range(3)]
        made += [UserWriter(self, self.child(), place, 0.1, user=user)
                 for place, user in zip(self.places[:3], (self.member, self.victims[0], self.victims[1]))]
        made += [UserWriter(self, self.child(), self.places[3], 0.04, user=self.victims[2]) for _ in range(4)]
        made += [Poller(self, self.child(), user=user) for user in (self.member, self.victims[0])]
        made += [Poller(self, self.child(), user=self.member)]
        made += [Revoker(self, self.child(), self.victims[:2]), Revoker(self, self.child(), self.victims[2:])]
        return made + [TicketHolder(self, self.child())]

    def readers(self):
        users = [self.member, self.member, *self.victims, *self.victims]
        return [Reader(self, self.child(), user, sleepy=number in (1, 5)) for number, user in enumerate(users)]


class Faults:
    """Each kind at least once as soon as there is time, then at random."""

    def __init__(self, world, slots):
        self.world, self.rng, self.slots = world, world.child(), slots
        self.kept, self.slowest = [], 0.0

    def run(self, until):
        order = list(FAULTS)
        self.rng.shuffle(order)
        while time.monotonic() < until:
            what = order.pop() if order else self.rng.choice(FAULTS)
            try:
                getattr(self, what.replace(" ", "_").replace("-", "_"))()
            except (OSError, AssertionError, subprocess.SubprocessError) as error:
                if what.endswith("socket"):
                    order.append(what)  # no node took it: another time
                    continue
                self.world.failures.append(f"{what}: {error!r}")
            self.world.rec("fault", what=what)
            took = self.world.fleet.ready_again(15)
            if took is None:
                self.world.failures.append(f"not ready within 15 s of: {what}")
            else:
                self.slowest = max(self.slowest, took)
            time.sleep(self.rng.random() * 1.5)
        for sock in self.kept:
            sock.close()

    def kill(self):
        self.world.fleet.kill(self.rng.randrange(self.slots))

    def terminate(self):
        self.world.fleet.terminate(self.rng.randrange(self.slots))

    def freeze(self):
        self.world.fleet.freeze(self.rng.randrange(self.slots), 0.2 + self.rng.random() * 3)

    def database_restart(self):
        self.world.fleet.restart_database()

    def cut_connections(self):
        for _ in range(self.rng.randrange(1, 6)):
            self.world.fleet.cut_connections(self.rng.choice([0.1, 0.3, 1]))
            time.sleep(self.rng.random() * 0.2)

    def held_lock(self):
        self.world.fleet.hold_lock(0.2 + self.rng.random() * 2)

    def half_open_socket(self):
        self.kept += [half_open(self.world.fleet.port(self.rng)) for _ in range(5)]

    def never_reading_socket(self):
        self.kept.append(never_read(self.world, self.rng, self.world.member))


def settle(world, readers, seconds):
    """Waits until what the readers have is what the log has; says for each what it has then."""
    ledger, end = Ledger(world.fleet), time.monotonic() + seconds

    def behind():
        count = 0
        for reader in readers:
            connection = reader.connection
            if connection is None:
                return 1
            for room, head in ledger.heads.items():
                count += room not in connection.joined or world.heads.get((connection.name, room)) != head
        return count

    while behind() and time.monotonic() < end:
        time.sleep(0.1)
    if behind():
        world.failures.append(f"{behind()} subscriptions are not at the head {seconds} s after the last write")
    return ledger


def last_word(world, readers, ledger):
    """Readers are stopped: their last state, everything by REST and by replay once more, and the log."""
    rec = world.rec
    for reader in readers:
        if reader.connection is not None:
            for room in list(reader.connection.joined):
                rec("settled", reader=reader.connection.name, user=reader.caller.user, room=room, at=time.monotonic_ns())
            reader.drop()
    judge = Caller(world, world.rng, user=world.member)
    world.stop.clear()
    connection = Connection(world, judge.user, judge.token, world.fleet.port(world.rng))
    for place in world.places:
        for kind in ("posts", "messages"):
            connection.send("sync", place, kind, limit=500)
    end = time.monotonic() + 60
    while connection._replies and time.monotonic() < end:
        connection.read(0.2)
    if connection._replies:
        world.failures.append("the whole log could not be replayed within 60 s")
    connection.close()
    for place in world.places:
        for what, room in (("post", place.posts), ("message", place.messages)):
            order, cursor = ("after", 0) if what == "post" else ("newest", None)
            while True:
                page = read_page(world, judge, place, what, order, cursor, 100)
                if page is None:
                    world.failures.append("a page was refused at the end")
                    break
                for item in page[0]:
                    deleted = item["content"] is None
                    rec("final", room=room, entity=item["entity"], deleted=deleted, content=item["content"])
                if not page[1]:
                    break
                order, cursor = ("after" if what == "post" else "before"), page[0][-1]["entity"]
    ledger.write(rec)
    accesses = rec.accesses()
    ledger.place_accesses(accesses)
    for access in accesses:
        rec("access", **access)


def drive(seed, seconds, slots, path):
    rec = Recorder(path)
    rec("driven", what=DRIVEN + ["fault " + what for what in FAULTS])
    fleet = Fleet(slots)
    try:
        world = World(fleet, rec, random.Random(seed))
        world.build()
        readers, actors = world.readers(), world.actors()
        for thread in readers + actors:
            thread.start()
        faults = Faults(world, slots)
        faults.run(time.monotonic() + seconds)
        world.quiet.set()
        for thread in actors:
            thread.join(timeout=40)
            if thread.is_alive():
                world.failures.append(f"{thread.name} hangs")
        ledger = settle(world, readers, 15)
        world.stop.set()
        for thread in readers:
            thread.join(timeout=15)
        if fleet.dead():
            world.failures.append(f"{len(fleet.dead())} nodes ended by themselves: {fleet.dead()[0].log()[-2000:]}")
        last_word(world, readers, ledger)
    finally:
        fleet.stop()
        rec.close()
    print("answers:", dict(sorted(world.statuses.items())), "besides:", dict(world.counts))
    print(f"slowest until all nodes were ready after a fault: {faults.slowest:.1f} s")
    return world.failures + fleet.failures


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10**9))
    options.add_argument("--nodes", type=int, choices=(1, 2, 3), default=2)
    options.add_argument("--recording", help="where to keep the recording; default: kept only when something is wrong")
    given = options.parse_args()
    print(f"seed {given.seed}, {given.seconds:g} s, {given.nodes} nodes", flush=True)
    path = given.recording or tempfile.mkstemp(prefix="belfry-chaos-", suffix=".jsonl")[1]
    failures = drive(given.seed, given.seconds, given.nodes, path)
    judged = subprocess.run([binary(), "verify", path], check=False, timeout=600)
    for failure in failures[:20]:
        print("FAILED:", failure)
    bad = judged.returncode != 0 or failures
    print(f"seed {given.seed}: {'BROKEN' if bad else 'every promise held'}")
    if bad:
        print(f"recording: {path}")
    elif not given.recording:
        os.unlink(path)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
