"""After all clients have left, nothing of them is left: counted by the server, and by the system for its descriptors."""

import os

import pytest

from support import wait
from support.node import Node
from support.parallel import in_parallel
from support.tokens import token
from support.world import Admin, Person, new_id
from support.ws import RawSocket, Socket

GAUGES = (
    "belfry_http_connections",
    "belfry_ws_connections",
    "belfry_ws_queued_bytes",
    "belfry_rooms",
    "belfry_subscriptions",
    "belfry_jobs_queued",
    "belfry_timers",
)


@pytest.fixture(scope="module")
def alone(database):
    node = Node(database)
    try:
        yield node.wait_ready()
    finally:
        node.stop()


class Counts:
    """Asks over one connection of its own, which is part of every count."""

    def __init__(self, node):
        self._client = node.client()
        self._descriptors = f"/proc/{node.process.pid}/fd"

    def now(self):
        lines = self._client.get("/metrics", expect=200).text.splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        counts = {name: int(values[name]) for name in GAUGES}
        counts["database_connections"] = int(values["belfry_database_connections"])
        counts["descriptors"] = len(os.listdir(self._descriptors))
        return counts

    def at_rest(self):
        """When two looks, half a second apart, see the same."""
        seen = []

        def calm():
            seen.append(self.now())
            return len(seen) > 1 and seen[-1] == seen[-2]

        wait.until(calm, "the server is at rest", timeout=20, every=0.5)
        return seen[-1]


def back_at(counts, baseline):
    found = []

    def same():
        found[:] = [counts.now()]
        # The pool may have grown under load; each of its connections is one descriptor.
        grown = found[0]["database_connections"] - baseline["database_connections"]
        left = {name: value - baseline[name] for name, value in found[0].items() if name != "database_connections"}
        left["descriptors"] -= grown
        return not any(left.values())

    try:
        wait.until(same, "the counts are back", timeout=20)
    except AssertionError as error:
        raise AssertionError(f"{error}: from {baseline} to {found}") from None


def test_counts_return_to_their_baseline_however_the_clients_leave(alone):
    admin = Admin(alone)
    channels = [admin.channel(discussion={"title": "Talk", "isEnabled": True}) for _ in range(3)]
    gated, key = admin.gated()
    admin.close()
    counts = Counts(alone)
    baseline = counts.at_rest()

    def client(index):
        person = Person(alone)
        sock = Socket(alone.port, token=token(person.id, lifetime=10 if index % 6 == 5 else 3600))
        for channel in channels:
            sock.join_posts(channel)
            sock.join_discussion(channel)
        return sock

    sockets = in_parallel(24, client)
    vip = Person(alone)
    admin.put(f"/api/admin/users/{vip.id}/entitlements/{key}", {}, expect=200)
    lapsing = vip.socket()
    lapsing.join_posts(gated)
    # One that never reads what it is sent, and one that leaves in the middle of a frame.
    stuck = RawSocket(alone.port, token=Person(alone).token, receive_buffer=4096)
    half = RawSocket(alone.port, token=Person(alone).token)
    half.socket.sendall(b"\x81\xfe\x01")
    anonymous = Socket(alone.port)
    during = counts.now()
    assert during["belfry_subscriptions"] - baseline["belfry_subscriptions"] == 24 * 6 + 1
    assert during["belfry_rooms"] - baseline["belfry_rooms"] == 7
    assert during["belfry_ws_connections"] - baseline["belfry_ws_connections"] == 28

    for channel in channels:
        admin.publish(channel)
    admin.delete(f"/api/admin/users/{vip.id}/entitlements/{key}", expect=200)
    lapsing.until("communication:room_left")
    for index, sock in enumerate(sockets):
        if index % 6 == 0:
            sock.close()
        elif index % 6 == 1:
            sock.drop()
        elif index % 6 == 2:  # gone while a command of its runs
            sock.send({"id": 1, "event": "communication:sync_channel_posts", "data": {"channelId": channels[0]}})
            sock.drop()
        elif index % 6 == 3:  # out of every room first
            for channel in channels:
                sock.ok("communication:leave_channel_posts", {"channelId": channel})
            sock.close()
        elif index % 6 == 4:
            sock.send({"id": 1, "event": "communication:join_channel_posts", "data": {"channelId": gated}})
            sock.close()
        else:
            assert sock.closed() == 4001
    lapsing.close()
    stuck.socket.close()
    half.socket.close()
    anonymous.close()
    vip.close()
    admin.close()
    back_at(counts, baseline)


def test_half_requests_and_refused_upgrades_leave_nothing(alone):
    counts = Counts(alone)
    baseline = counts.at_rest()
    for request in (b"GET /he", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"POST /api/mobile/ws-tickets HTTP/1.1\r\n"):
        with alone.client() as client:
            client.get("/healthz", expect=200)
            client._connection.sock.sendall(request)
    for query in ("?ticket=unknown", "?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "?ticket=" + new_id()):
        with pytest.raises(Exception, match="refused with 401"):
            Socket(alone.port, query=query)
    back_at(counts, baseline)
