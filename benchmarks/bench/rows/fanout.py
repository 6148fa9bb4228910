"""Fan-out against raw sends and Socket.IO: what a delivery costs the server."""
import functools

from bench.histogram import quantile
from bench.row import Check, Row

BOUND = 120
NODE_SHARE = 8  # of the messages: it is slower by about that
SOCKETIO = "socketio"  # Belfry, its subscribers by Socket.IO


def deliver(setting, kind, rooms, clients, window, messages, **more):
    """One contender; figures of the generator and, of Belfry, what its own histogram says."""
    with setting.start("belfry" if kind == SOCKETIO else kind) as server:
        if server is None:
            return None
        options = {"clients": clients, "window": window, "messages": messages, **more}
        if kind in ("belfry", SOCKETIO, "node"):
            options |= {"rooms": setting.rooms(rooms), "tokens": setting.tokens, "admin_token": setting.admin,
                        "creates": max(50 * min(window, 16), messages // 5)}
        else:
            options |= {"rooms": setting.numbers(rooms), "frame_bytes": setting.frame_bytes, "protocol": "raw"}
        if kind in (SOCKETIO, "node"):
            options |= {"protocol": "socketio"}
        if kind == "node":
            options |= {"ordered": "no"}
        figures = setting.load("fanout", server, BOUND, **options)
        if server.kind == "belfry":
            metrics = server.metrics()
            figures["commit_to_socket_p99_ms"] = 1000 * quantile(metrics, "belfry_commit_to_socket_seconds", 0.99)
            figures["deliveries_per_write"] = metrics["belfry_deliveries_total"] / max(1, metrics["belfry_ws_writes_total"])
        return figures


def compare(setting, kinds, rooms, clients, window, messages, **more):
    samples = {}
    for kind in kinds:
        count = max(messages // NODE_SHARE, 2 * window) if kind == "node" else messages
        figures = deliver(setting, kind, rooms, clients, window, count, **more)
        for name, value in (figures or {}).items():
            samples[f"{kind}.{name}"] = value
    return samples


def one_room(clients, window, messages, kinds):
    def measure(setting):
        return compare(setting, kinds, 1, setting.scaled(clients, clients // 10), window, setting.scaled(messages, max(messages // 10, 2 * window)))
    return measure


def many_rooms(setting):
    rooms = setting.scaled(1000, 100)
    return compare(setting, ("direct", "belfry", "node"), rooms, rooms * 10, 64, setting.scaled(10000, 1000))


def offered(setting):
    """400 messages a second to 1000 subscribers, whatever the server does."""
    rate, clients = setting.scaled(400, 100), setting.scaled(1000, 100)
    samples = compare(setting, ("batch", "belfry"), 1, clients, 16, rate * setting.scaled(10, 2), rate=rate)
    samples["rate"] = samples["belfry.messages_per_s"] / rate
    samples["growth"] = samples["belfry.rss_second_half_kb"] / max(1, samples["belfry.rss_first_half_kb"])
    return samples


US = functools.partial(Check, ours="belfry.us", unit="us")
SOCKETIO_US = functools.partial(Check, ours="socketio.us", unit="us")
ROWS = (
    Row("fanout-1", "1 room x 1000, window 1", one_room(1000, 1, 300, ("direct", "belfry")),
        (US("us per delivery / raw direct", theirs="direct.us", must=1.15, aim=1.05),)),
    Row("fanout-16", "1 room x 1000, window 16", one_room(1000, 16, 4800, ("batch", "belfry", "node")),
        (US("us per delivery / raw batch", theirs="batch.us", must=1.25, aim=1.0),
         US("us per delivery / Socket.IO", theirs="node.us", must=1 / 12, aim=1 / 25),
         Check("commit to socket, p99", "belfry.commit_to_socket_p99_ms", None, 20, 12, unit="ms"))),
    # Socket.IO subscribers, and the native ones again just before: what is between the two is the dialect. The floor's frames are those of the native rows.
    Row("fanout-1-socketio", "1 room x 1000 by Socket.IO, window 1", one_room(1000, 1, 300, ("direct", "belfry", SOCKETIO)),
        (SOCKETIO_US("us per delivery / raw direct", theirs="direct.us", must=1.15, aim=1.05),
         SOCKETIO_US("us per delivery / native subscribers", theirs="belfry.us", must=1.15, aim=1.05))),
    Row("fanout-16-socketio", "1 room x 1000 by Socket.IO, window 16", one_room(1000, 16, 4800, ("batch", "belfry", SOCKETIO, "node")),
        (SOCKETIO_US("us per delivery / raw batch", theirs="batch.us", must=1.25, aim=1.0),
         SOCKETIO_US("us per delivery / native subscribers", theirs="belfry.us", must=1.15, aim=1.05),
         SOCKETIO_US("us per delivery / Socket.IO of Node", theirs="node.us", must=1 / 12, aim=1 / 25),
         Check("commit to socket, p99", "socketio.commit_to_socket_p99_ms", None, 20, 12, unit="ms")),
        seconds=500),
    Row("fanout-64", "1 room x 1000, window 64", one_room(1000, 64, 6400, ("batch", "belfry")),
        (US("us per delivery / raw batch", theirs="batch.us", must=2.0, aim=1.4),)),
    Row("fanout-5000", "1 room x 5000, window 16", one_room(5000, 16, 1600, ("batch", "belfry")),
        (US("us per delivery / raw batch", theirs="batch.us", must=1.25, aim=1.0),)),
    Row("fanout-rooms", "1000 rooms x 10, window 64", many_rooms,
        (US("us per delivery / raw direct", theirs="direct.us", must=1.2, aim=1.05),
         # A write costs the peer more than ten deliveries, so that their difference says nothing: both with their writes.
         Check("us per delivery, its write included / Socket.IO", "belfry.us_with_create", "node.us_with_create", must=0.45, aim=0.35, unit="us"))),
    Row("offered", "1 room x 1000, 400 messages a second offered", offered,
        (Check("share of the rate delivered", "rate", None, 1.0, None, low=False),
         Check("p99", "belfry.p99_ms", None, 25, None, unit="ms"),
         Check("p99 / raw batch", "belfry.p99_ms", "batch.p99_ms", None, 1.1, unit="ms"),
         Check("memory, second half / first half", "growth", None, 1.0, None))),
)
