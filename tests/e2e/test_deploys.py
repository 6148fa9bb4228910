"""Nodes that are replaced under load, herds that come back, and binaries one migration apart."""

import time

import pytest

from support import wait
from support.fleet import Fleet, Reader, Writer
from support.http import RawConnection
from support.node import migrate, next_binary, run
from support.statements import Told
from support.tokens import SECRET
from support.world import Admin, Person
from support.ws import Refused, Socket

EVENTS = """SELECT v.event_id FROM events v JOIN room_log r ON r.id = v.room_id
 WHERE r.kind = {kind} AND r.key = {key} AND v.type < 100 ORDER BY v.seq"""


def name_of(url):
    return url.split("dbname=")[1].split()[0]


def one_in_each_part(delays, within):
    """True when `delays`, sorted, lie one in each of as many equal parts of `within`."""
    part = within / len(delays)
    return all(part * i - 1 <= delay <= part * (i + 1) for i, delay in enumerate(sorted(delays)))


# A rolling restart ------------------------------------------------------------------------------


def restart(fleet, node, readers, program=None):
    """Drains one node full of clients and starts another in its place; what its clients were told."""
    crowd = [Socket(node.port, token=Person(node).token) for _ in range(24)]
    fleet.shut(node)
    here = [reader for reader in readers if reader.node is node]
    node.terminate()
    hints = [sock.until("server:draining", timeout=20)["data"]["reconnectInMs"] for sock in crowd]
    node.stop()
    assert {sock.closed() for sock in crowd} == {1012}
    for reader in here:
        wait.until(lambda reader=reader: any(where is node for where, _ in reader.closed), "it was closed", timeout=20)
        assert [code for where, code in reader.closed if where is node] == [1012]
        told = [hint for where, hint in reader.hints if where is node]
        assert len(told) == 1, f"told {told}"
        hints += told
    fleet.replace(node, program)
    return hints


@pytest.mark.parametrize(
    "bus, upgrade",
    [("postgres", False), ("postgres", True), ("nats", False)],
    indirect=["bus"],
    ids=["postgres", "postgres-to-the-next-version", "nats"],
)
def test_a_rolling_restart_under_load_loses_nothing(cluster, fresh, bus, upgrade):
    fleet = Fleet(fresh, BELFRY_BUS=bus)
    try:
        admin = Admin(fleet.nodes[0])
        channel = admin.channel()
        discussion = admin.discussion(channel)["id"]
        writers = [
            Writer(
                fleet,
                Person(fleet.nodes[0]),
                f"/api/mobile/channels/{channel}/discussion/messages",
                lambda key: {"body": "Low tide.", "clientMessageId": key},
                lambda key: {},
            )
            for _ in range(2)
        ]
        writers.append(
            Writer(
                fleet,
                admin,
                f"/api/admin/channels/{channel}/posts",
                lambda key: {"type": "TEXT", "bodyText": key},
                lambda key: {"Idempotency-Key": key},
            )
        )
        readers = [Reader(fleet, Person(fleet.nodes[0]), channel) for _ in range(6)]
        for thread in (*readers, *writers):
            thread.start()
        wait.until(lambda: all(reader.settled or reader.failure for reader in readers), "everybody reads", timeout=30)
        if upgrade:
            migrate(fresh, next_binary())
        for node in list(fleet.nodes):
            written = [len(writer.acknowledged) for writer in writers]
            hints = restart(fleet, node, readers, next_binary() if upgrade else None)
            assert len(hints) >= 24 and one_in_each_part(hints, 5000), sorted(hints)
            wait.until(lambda: all(reader.settled or reader.failure for reader in readers), "everybody is back", timeout=30)
            wait.until(
                lambda written=written: all(
                    writer.failure or len(writer.acknowledged) > before
                    for writer, before in zip(writers, written, strict=True)
                ),
                "everybody writes on",
                timeout=30,
            )
            assert [thread.failure for thread in (*writers, *readers) if thread.failure] == []
        for writer in writers:
            writer.done.set()
            writer.join(timeout=40)
        database = name_of(fresh)
        log = {
            "posts": [row[0] for row in cluster.sql(database, EVENTS.format(kind=1, key=channel))],
            "messages": [row[0] for row in cluster.sql(database, EVENTS.format(kind=2, key=discussion))],
        }
        for kind, head in ((kind, ids[-1]) for kind, ids in log.items()):
            wait.until(
                lambda kind=kind, head=head: all(
                    reader.position(kind) == head or reader.failure for reader in readers
                ),
                "everybody has everything",
                timeout=30,
            )
        for reader in readers:
            reader.done.set()
            reader.join(timeout=20)
        assert [thread.failure for thread in (*writers, *readers) if thread.failure] == []
        for reader in readers:
            assert reader.events == log, "lost, doubled or out of order"
        said = {key: made for writer in writers[:2] for key, made in writer.acknowledged.items()}
        rows = cluster.sql(database, "SELECT client_message_id, id FROM messages")
        assert sorted(rows) == sorted([key, str(made)] for key, made in said.items()), "each message once"
        posts = cluster.sql(database, "SELECT body_text, id FROM posts")
        assert sorted(posts) == sorted([key, str(made)] for key, made in writers[2].acknowledged.items())
        assert len(log["messages"]) == len(rows) and len(log["posts"]) == len(posts)
        fleet.stop()
        assert not any('"level":"error"' in line for node in fleet.nodes for line in node.lines)
    finally:
        fleet.kill()


def test_clients_are_spread_by_what_the_other_nodes_take(start, fresh):
    node = start(fresh, BELFRY_WS_HANDSHAKE_RATE="5")
    start(fresh)
    crowd, person = [], Person(node)

    def one_more():
        try:
            crowd.append(person.socket())
        except Refused as refused:
            assert refused.status == 503
        return len(crowd) == 36

    wait.until(one_more, "36 sockets at five a second", timeout=30)
    node.terminate()
    hints = [sock.until("server:draining")["data"]["reconnectInMs"] for sock in crowd]
    assert one_in_each_part(hints, 36 * 1000 / 5), sorted(hints)
    assert {sock.closed(timeout=15) for sock in crowd} == {1012}
    node.stop()


# Herds ------------------------------------------------------------------------------------------


def test_handshakes_above_the_rate_are_told_when_to_come_back(start):
    node = start(BELFRY_WS_HANDSHAKE_RATE="1")
    person = Person(node)
    ticket = person.ticket()
    waits = []
    while len(waits) < 25:
        try:
            person.socket().close()
        except Refused as refused:
            assert refused.status == 503
            waits.append(int(refused.headers["Retry-After"]))
    assert min(waits) >= 1 and max(waits) >= 8 and len(set(waits)) >= 6, waits
    with node.client() as client:
        assert "belfry_ws_handshakes_refused_total 25" in client.get("/metrics").text
        client.get("/api/mobile/channels", expect=200)

    def enter():
        try:
            return Socket(node.port, query=f"?ticket={ticket}")
        except Refused as refused:
            assert refused.status == 503, "the ticket was not used up"
            return None

    with wait.until(enter, "there is room again", timeout=10) as sock:
        sock.join_posts(Admin(node).channel())
    lines = node.log().count("handshakes_refused")
    assert 1 <= lines <= 5, "one line in ten seconds at most"


def test_a_refusal_is_a_problem_of_the_documents(start):
    node = start(BELFRY_WS_HANDSHAKE_RATE="1")
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"

    def knock():
        with RawConnection(node.port) as raw:
            raw.send(f"GET /ws HTTP/1.1\r\nHost: x\r\n{upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
            answer = raw.answer("GET", "/ws")
            return answer if answer.status == 503 else None

    assert wait.until(knock, "the rate is used up").code == "SERVICE_UNAVAILABLE"


# What a connection costs the database -----------------------------------------------------------


@pytest.fixture
def statements():
    """A node, and the names of the statements that it ran since one last asked."""
    told = Told()
    yield told
    told.stop()


def test_a_hot_reconnect_costs_no_statement_of_its_own(statements):
    node, person = statements.node, Person(statements.node)
    admin = Admin(node)
    channel = admin.channel()
    with person.socket() as sock:
        sock.join_posts(channel)
    joining = statements.ran()
    assert "users_seen" in joining, "the first sight of a user"
    with person.socket() as sock:
        sock.ok("ping")
        assert sock.authenticate(person.token)["ok"]
    with Socket(node.port) as sock:
        assert sock.authenticate(person.token)["ok"]
    assert statements.ran() == set()
    with person.socket() as sock:
        sock.join_posts(channel)
    assert "users_seen" not in statements.ran()
    ticket = person.ticket()
    statements.ran()
    for bad in ("x", "A" * 44, ticket[1:], ticket[:-1] + ("A" if ticket[-1] != "A" else "B")):
        with pytest.raises(Refused) as refused:
            Socket(node.port, query=f"?ticket={bad}")
        assert refused.value.status == 401
    assert statements.ran() == set(), "what cannot be a ticket is not looked for"
    with Socket(node.port, query=f"?ticket={ticket}"):
        assert statements.ran() == {"tickets_redeem", "commit_fence"}


# Versions side by side --------------------------------------------------------------------------


def reason(node):
    with node.client() as client:
        return client.get("/readyz", expect=503).body["message"]


def test_a_compatible_migration_disturbs_nobody(start, fresh):
    """Nodes of this version go on before, during and after the next version's migration, beside nodes of that version."""
    old = start(fresh)
    admin = Admin(old)
    channel = admin.channel(discussion={})
    with Person(old).socket() as sock:
        sock.join_discussion(channel)
        sock.join_posts(channel)
        migrate(fresh, next_binary())
        new = start(fresh, program=next_binary())
        late = start(fresh)  # started on the newer schema
        made = {Person(node).says(channel, "hello").data["id"] for node in (old, new, late)}
        assert {sock.next("discussion_message.created")["data"]["data"]["id"] for _ in made} == made
        post = admin.on(new).publish(channel)["id"]
        assert sock.next("channel_post.created")["data"]["data"]["id"] == post
        admin.drop_post(post)
        assert sock.next("channel_post.deleted")["data"]["data"]["id"] == post
        assert len(Person(late).messages(channel).data["items"]) == 3
    time.sleep(1.5)  # longer than the nodes take to look at the schema again
    assert [node.ready() for node in (old, new, late)] == [True] * 3
    assert "not_ready" not in old.log()
    done = run("migrate", settings={"BELFRY_DATABASE_URL": fresh, "BELFRY_JWT_SECRET": SECRET})
    assert done.returncode == 1 and "newer than this binary" in done.stderr, "the old binary does not migrate it"


def test_an_incompatible_migration_stops_old_nodes_with_a_reason(start, fresh, cluster):
    old = start(fresh)
    person = Person(old)
    migrate(fresh, next_binary())
    new = start(fresh, program=next_binary())
    cluster.sql(name_of(fresh), "UPDATE schema_migrations SET oldest_binary = version WHERE name = 'next'")
    wait.until(lambda: not old.ready(), "the old node is not ready", timeout=15)
    assert "install a newer belfry" in reason(old)
    wait.until(lambda: "not_ready" in old.log(), "it says so", timeout=5)
    with old.client() as client:
        client.get("/healthz", expect=200)
    person.get("/api/mobile/channels", expect=503)
    assert new.ready()
    person.on(new).get("/api/mobile/channels", expect=200)
    late = start(fresh, ready=False)
    wait.until(lambda: "install a newer belfry" in reason(late), "an old node that starts says the same", timeout=15)
    late.stop()


def test_a_binary_ahead_of_its_database_waits_for_the_migration(start, fresh):
    old = start(fresh)
    ahead = start(fresh, ready=False, program=next_binary())
    wait.until(lambda: "run `belfry migrate`" in reason(ahead), "it says what to do", timeout=15)
    with ahead.client() as client:
        client.get("/healthz", expect=200)
        assert int(client.get("/api/mobile/channels", expect=503).headers["retry-after"]) >= 1
    assert old.ready(), "and disturbs nobody"
    migrate(fresh, next_binary())
    ahead.wait_ready(timeout=20)
    assert old.ready()
