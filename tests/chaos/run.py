#!/usr/bin/env python3
"""An adversary: random clients against real nodes that are killed, frozen and cut off, and `belfry verify` as the judge.

    tests/chaos/run.py --seconds 60 --seed 7        # of build/release; BELFRY_BINARY names another
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]

os.environ.setdefault("BELFRY_BINARY", os.path.abspath(os.path.join(HERE, "..", "..", "build", "release", "belfry")))

from support import record  # noqa: E402

record.http = record.frame_in = record.closed = lambda *_, **__: None  # the documents are held by the end-to-end tests

import baseline  # noqa: E402
from ending import last_word, settle  # noqa: E402
from faults import ALWAYS, WITH_NATS, Faults  # noqa: E402
from fleet import Fleet  # noqa: E402
from pulse import Pulse  # noqa: E402
from recorder import Recorder  # noqa: E402
from support.node import binary  # noqa: E402
from world import World  # noqa: E402

DRIVEN = ["writes", "frames", "syncs", "replayed events", "pages", "page items", "joins", "leaves", "evictions", "revocations",
          "grants", "revocations under traffic", "reads of what is deleted", "read cursors", "tickets", "gaps",
          "messages under slow mode", "settled readers", "final states", "writes in order", "refused writes", "placed revocations",
          "prompt frames", "baselines", "delays between statements", "delayed transactions", "sleeping sockets",
          "join, leave and ban at once", "rights that ended by the clock", "revocations of the vast key", "answers", "repeated writes",
          "Socket.IO connections", "Socket.IO by websocket", "Socket.IO by polling", "Socket.IO by upgrade", "Socket.IO recoveries",
          "Socket.IO recoveries judged", "Socket.IO recoveries refused", "events by recovery"]
ON_NATS = ["bus messages", "bus messages lost", "bus messages doubled", "bus messages out of order", "bus messages late"]
PROMPT = 12.0  # s from a write's answer to the frame, whatever is done to the servers


class Progress(threading.Thread):
    def __init__(self, world, faults):
        super().__init__(daemon=True)
        self.world, self.faults, self.begun = world, faults, time.monotonic()
        self.over, self._told = threading.Event(), 0

    def run(self):
        while not self.over.wait(30):
            self.world.fleet.skim()
            self.say()

    def say(self):
        counts, done = self.world.rec.counts, self.faults.done
        kills = sum(count for what, count in done.items() if what.startswith("kill"))
        print(f"{time.monotonic() - self.begun:6.0f} s: {counts['write']} writes, {counts['frame']} frames, {counts['sync']} syncs, "
              f"{counts['page']} pages, {counts['access']} changes of rights, "
              f"{self.world.counts['Socket.IO recoveries']} recoveries, {sum(done.values())} faults, {kills} kills, "
              f"{done['database restart']} database restarts, worst stall {self.world.pulse.worst:.2f} s, "
              f"{len(self.world.failures)} failures", flush=True)
        for failure in self.world.failures[self._told:self._told + 10]:
            print("FAILED:", failure[:1000], flush=True)
        self._told = len(self.world.failures)


def act(world, given, faults):
    """All of it, from the first write until nobody writes any more."""
    readers, actors = world.readers(), world.actors()
    for thread in readers + actors:
        thread.start()
    world.fleet.delay(given.delays)
    faults.run(time.monotonic() + given.seconds, time.monotonic() + 3 * given.seconds + 300)
    world.fleet.delay(0)
    world.quiet.set()
    for thread in actors:
        thread.join(timeout=90)
        if thread.is_alive():
            world.failures.append(f"{thread.name} hangs")
    ledger = settle(world, readers, 15)
    world.stop.set()
    for thread in readers:
        thread.join(timeout=30)
    for node in world.fleet.dead():
        world.failures.append(f"a node ended by itself: {node.log()[-2000:]}")
    last_word(world, readers, ledger)
    for caller in world.callers:
        caller.close()


def drive(given, path):
    rec, pulse = Recorder(path), Pulse()
    pulse.start()
    rec("driven", what=DRIVEN + (ON_NATS if given.bus == "nats" else []) + ["fault " + what for what in given.faults])
    fleet = Fleet(given.nodes, given.seed, given.bus == "nats", pulse, given.io_threads)
    try:
        world = World(fleet, rec, random.Random(given.seed), pulse, given.vast)
        world.build()
        before = baseline.at_rest(fleet, fleet.nodes()[0])
        faults = Faults(world, given.faults, given.nodes, given.pause)
        progress = Progress(world, faults)
        progress.start()
        act(world, given, faults)
        progress.over.set()
        fleet.skim()
        progress.say()
        for slot, node in enumerate(fleet.nodes()):
            rec("baseline", node=f"node {slot}", before=before, after=baseline.back(fleet, node, before, pulse.allowance(60)))
        rec("prompt", milliseconds=int(pulse.allowance(PROMPT) * 1000))
        for what, count in {**world.counts, **fleet.tally(), "answers": sum(world.statuses.values())}.items():
            rec("tally", what=what, count=count)
    finally:
        fleet.stop()
        rec.close()
    print("the nodes' complaints:", dict(fleet.complaints.most_common(30)))
    print("answers:", dict(sorted(world.statuses.items())))
    print(f"slowest until all nodes were ready after a fault: {faults.slowest:.1f} s; worst stall of this process: {pulse.worst:.2f} s")
    return world.failures + fleet.failures


def arguments():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=60, help="at least: a run goes on until each kind of fault was had")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10**9))
    options.add_argument("--nodes", type=int, choices=(1, 2, 3), default=2)
    options.add_argument("--bus", choices=("postgres", "nats"), help="default: as the seed says")
    options.add_argument("--io-threads", type=int, help="of each node; default: 1 or 4, as the seed says")
    options.add_argument("--delays", type=float, default=0.1, help="share of transactions that are delayed between statements")
    options.add_argument("--vast", type=int, help="channels that share one key; default: 500, 100 below five minutes")
    options.add_argument("--pause", type=float, help="most seconds between faults; default: 1.5, 6 from ten minutes on")
    options.add_argument("--faults", help="only these, with commas between; default: all")
    options.add_argument("--recording", help="where to keep the recording; default: kept only when something is wrong")
    given = options.parse_args()
    given.bus = given.bus or random.Random(given.seed).choice(("postgres", "nats"))
    given.io_threads = given.io_threads or random.Random(given.seed + 1).choice((1, 4))
    given.vast = given.vast or (500 if given.seconds >= 300 else 100)
    given.pause = given.pause or (6 if given.seconds >= 600 else 1.5)
    every = [*ALWAYS, *(WITH_NATS if given.bus == "nats" else [])]
    given.faults = given.faults.split(",") if given.faults else every
    if wrong := set(given.faults) - set(every):
        options.error(f"no such faults: {', '.join(wrong)}; there are: {', '.join(every)}")
    return given


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # everything that was started ends with us
    print(f"seed {given.seed}, {given.seconds:g} s, {given.nodes} nodes of {given.io_threads} I/O threads, bus {given.bus}, {given.vast} channels under one key", flush=True)
    path = given.recording or tempfile.mkstemp(prefix="belfry-chaos-", suffix=".jsonl")[1]
    failures = drive(given, path)
    judged = subprocess.run([os.environ.get("BELFRY_JUDGE") or binary(), "verify", path], check=False, timeout=3600)
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
