"""More and more rooms that have a subscriber on the node."""
import re

from bench.clients import Http, Native, idle, join_all, timed
from bench.curve import REPETITIONS, Curve, Figure
from bench.ground import Ground
from bench.machine import cpu_us, rss_bytes
from bench.report import say
from bench.seed import add_channels
from bench.statements import timed as statements_timed
from bench.tokens import token

PER_SOCKET = 200  # rooms that one connection may be in
SETTLE = 0.5      # seconds before memory is read
IDLE = 3.0        # seconds, six sweeps
EVENTS = 50
SWEEP = re.compile(r"FROM commit_journal j\b")


class Rooms(Ground):
    def __init__(self, build):
        super().__init__(build)
        self.channels = []

    def grow(self, count):
        self.channels += [channel for channel, _ in add_channels(self.postgres, count - len(self.channels))]
        self.postgres.query("belfry", "VACUUM ANALYZE")
        self.postgres.settle()


def once(ground, rooms):
    """A fresh server; everybody connects, memory is read, all join, memory is read again."""
    channels = ground.channels[:rooms]
    shares = [channels[at:at + PER_SOCKET] for at in range(0, rooms, PER_SOCKET)]
    with ground.belfry(ws_command_burst=100_000, ws_command_rate=100_000) as server:
        clients = [Native(server.port, token(number)) for number in range(1, len(shares) + 1)]
        try:
            idle(clients, SETTLE)
            before, cpu = rss_bytes(server.pid), cpu_us(server.pid)
            join_all(clients, "communication:join_discussion", shares)
            sample = {"join": [(cpu_us(server.pid) - cpu) / rooms]}
            idle(clients, SETTLE)
            sample["bytes"] = [(rss_bytes(server.pid) - before) / rooms]
            write_some(ground, server, clients, channels, sample)
            stay_idle(ground, server, clients, sample)
        finally:
            for client in clients:
                client.close()
    return sample


def write_some(ground, server, clients, channels, sample):
    """An event here and there, one at a time: from the request that writes it to the frame at the room's subscriber."""
    http, sample["event"] = Http(server.port), []
    cpu = cpu_us(server.pid)
    for number in range(EVENTS):
        place = number * (len(channels) - 1) // max(1, EVENTS - 1)
        sample["event"].append(timed(lambda: write_one(ground, http, channels[place], clients[place // PER_SOCKET])))
        http.receive()
    sample["event_cpu"] = [(cpu_us(server.pid) - cpu) / EVENTS]
    http.close()


def write_one(ground, http, channel, client):
    http.send(ground.admin, "POST", f"/api/admin/channels/{channel}/discussion/messages", {"body": "A word or two."})
    client.text()


def stay_idle(ground, server, clients, sample):
    with statements_timed(ground.postgres, "belfry") as statements:
        cpu = cpu_us(server.pid)
        idle(clients, IDLE)
        sample["idle"] = [(cpu_us(server.pid) - cpu) / IDLE]
    sweeps = [(calls, spent) for calls, spent, query in statements if SWEEP.search(query)]
    sample["sweep"] = [1000 * sum(spent for _, spent in sweeps) / sum(calls for calls, _ in sweeps)]


def measure(ground, rooms, quick):
    ground.grow(rooms)
    samples = {}
    for number in range(1, REPETITIONS + 1):
        for name, values in once(ground, rooms).items():
            samples.setdefault(name, []).extend(values)
        say(f"rooms {rooms:,}: {number}/{REPETITIONS}")
    return samples


CURVE = Curve(
    "rooms", "Rooms with a subscriber on the node", "rooms", (1, 100, 1000, 10_000, 100_000), (1, 100, 500), (
        Figure("bytes", "RSS per room and its one subscription", "B"),
        Figure("join", "server CPU per join of a room", "us"),
        Figure("idle", "server CPU in a second in which nothing happens (two sweeps)", "us"),
        Figure("sweep", "a sweep's statement in PostgreSQL, mean", "us"),
        Figure("event", "an event: from the request that writes it to the subscriber", "ms"),
        Figure("event_cpu", "an event: server CPU, its write included", "us")),
    Rooms, measure, seconds=600,
    notes=f"A socket is in {PER_SOCKET} rooms (all that it may); sockets are connected before memory is read the first time. RSS grows by pages and by what the "
          "allocator takes at once, so that the figure of one room means nothing.")
