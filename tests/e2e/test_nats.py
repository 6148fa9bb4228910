"""Nodes that hear of each other over NATS: routing by interest, and a bus that is away, frozen or back."""

import json
import subprocess
import time

import pytest

from support import wait
from support.nats import NatsServer, binary
from support.world import Admin, Person

if binary() is None:  # never skipped quietly: scripts/packages install test
    raise RuntimeError("nats-server is missing: scripts/packages install test")

# A sweep runs twice a second; the rest is for a machine that is busy with other tests.
LATEST = 4.0


@pytest.fixture
def servers():
    made = []

    def begin(*arguments, started=True, **options):
        server = NatsServer(*arguments, **options)
        made.append(server)
        return server.start() if started else server

    yield begin
    for server in made:
        server.destroy()


def metric(node, name):
    with node.client() as client:
        for line in client.get("/metrics", expect=200).text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def alive(node):
    return metric(node, "belfry_bus_alive") == 1


def both_alive(nodes, timeout=15):
    wait.until(lambda: all(alive(node) for node in nodes), "heartbeats come back", timeout=timeout)


def a_post_arrives(admin, channel, sock, text):
    """Seconds from the answer to the frame."""
    made = admin.publish(channel, text)
    begun = time.monotonic()
    frame = sock.next("channel_post.created", timeout=LATEST)
    assert frame["data"]["data"]["id"] == made["id"]
    return time.monotonic() - begun


def mostly_within_a_second(delays):
    ordered = sorted(delays)
    assert ordered[len(ordered) * 9 // 10] < 1.0, ordered


def posts_come_by_hints(admin, channel, sock, node, count, text="Note"):
    """One after another. Looking twice a second finds some of them first, the more the slower the machine, but never most."""
    before = metric(node, "belfry_hints_delivered_total") + metric(node, "belfry_hints_read_total")
    for number in range(count):
        a_post_arrives(admin, channel, sock, f"{text} {number}")
    hinted = metric(node, "belfry_hints_delivered_total") + metric(node, "belfry_hints_read_total") - before
    assert hinted > count / 2, f"{hinted} of {count}"


def test_events_cross_nodes_at_once(start, fresh, servers):
    nats = servers()
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(2)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel = admin.channel(discussion={})
    with Person(nodes[1]).socket() as sock:
        sock.join_posts(channel)
        posts_come_by_hints(admin, channel, sock, nodes[1], 20)
        sock.join_discussion(channel)
        message = Person(nodes[0]).says(channel, "hello").data
        assert sock.next("discussion_message.created")["data"]["data"]["id"] == message["id"]
    assert metric(nodes[1], "belfry_bus_messages_total") >= 20


def test_a_node_without_a_reader_gets_nothing_of_a_room(start, fresh, servers):
    nats = servers()
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(3)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel = admin.channel()
    access = nats.room_subjects()
    assert len(access) == 1 and next(iter(access)).endswith(".room.0.0"), "the access log is always followed"
    reader = Person(nodes[1])
    with reader.socket() as sock:
        sock.join_posts(channel)
        followed = wait.until(lambda: nats.room_subjects() - access, "the room is followed")
        assert {subject.rsplit(".", 3)[1:] == ["room", "1", str(channel)] for subject in followed} == {True}
        assert sum(followed <= subjects for subjects in nats.subjects()) == 1, "the reader's node alone"
        heard = [metric(node, "belfry_bus_messages_total") for node in nodes]
        for number in range(10):
            admin.publish(channel, f"Note {number}")
            sock.next("channel_post.created")
        now = [metric(node, "belfry_bus_messages_total") for node in nodes]
        assert now[1] > heard[1]
        assert now[0] == heard[0], "no echo"
        assert now[2] == heard[2], "nobody reads there"
    assert nats.room_subjects() == access | followed, "a room stays followed for a moment"
    wait.until(lambda: nats.room_subjects() == access, "the room is no longer followed", timeout=15)


def test_hints_that_lie_cost_a_read_and_nothing_else(start, fresh, servers):
    nats = servers()
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(2)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel = admin.channel()
    with Person(nodes[1]).socket() as sock:
        sock.join_posts(channel)
        first = admin.publish(channel, "first")["id"]
        assert sock.next("channel_post.created")["data"]["data"]["id"] == first
        lies = ["7\n" + "0" * 64 + '\n{"timeline":1,"schema":1,"records":[]}', "9\nx", "9223372036854775807", "1", "2", "1", "0", "-1", "x", "", "1000000"]
        subjects = sorted(nats.room_subjects())
        heard = metric(nodes[1], "belfry_bus_messages_total")
        nats.publish([(subject, lie) for subject in subjects for lie in lies] * 20)
        wait.until(lambda: metric(nodes[1], "belfry_bus_messages_total") >= heard + 20 * 5 * 2, "they arrived")
        posts_come_by_hints(admin, channel, sock, nodes[1], 10)
        assert sock.pending() == []
        assert [node.ready() for node in nodes] == [True, True]
        assert not any("forked" in node.log() for node in nodes)


def test_events_travel_in_hints_and_need_no_read(start, fresh, servers):
    nats = servers()
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(2)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel = admin.channel(discussion={})
    with Person(nodes[1]).socket() as sock:
        sock.join_posts(channel)
        sock.join_discussion(channel)
        admin.publish(channel, "first")
        sock.next("channel_post.created")
        before = {name: metric(nodes[1], name) for name in ("belfry_hints_delivered_total", "belfry_log_reads_total")}
        sent = metric(nodes[0], "belfry_bus_published_with_events_total")
        for number in range(20):
            made = admin.publish(channel, f"Note {number} \u00fc \U0001f600")
            frame = sock.next("channel_post.created")
            assert frame["data"]["data"]["bodyText"] == made["bodyText"]
            said = Person(nodes[0]).says(channel, f"said {number}").data
            assert sock.next("discussion_message.created")["data"]["data"]["body"] == said["body"]
        # A sweep may be quicker now and then.
        assert metric(nodes[1], "belfry_hints_delivered_total") >= before["belfry_hints_delivered_total"] + 30
        assert metric(nodes[1], "belfry_log_reads_total") <= before["belfry_log_reads_total"] + 10
        wait.until(lambda: metric(nodes[0], "belfry_bus_published_with_events_total") >= sent + 40, "each was said")
        assert sock.pending() == []


def test_what_is_too_large_for_the_server_is_read(start, fresh, servers):
    nats = servers(max_payload=1500)
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(2)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel = admin.channel()
    with Person(nodes[1]).socket() as sock:
        sock.join_posts(channel)
        for number in range(10):
            a_post_arrives(admin, channel, sock, f"Note {number}")
            a_post_arrives(admin, channel, sock, "large " * 500)
        assert metric(nodes[1], "belfry_hints_delivered_total") >= 5
        assert metric(nodes[1], "belfry_hints_read_total") >= 5
        assert metric(nodes[0], "belfry_bus_alive") == 1, "the server was not made angry"


def test_words_put_into_a_nodes_mouth_are_not_believed(start, fresh, servers):
    """Somebody who may read and write on the server says what fits in every number."""
    nats = servers()
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(2)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel, other = admin.channel(), admin.channel()
    with Person(nodes[1]).socket() as sock, nats.listen() as spy:
        sock.join_posts(channel)
        sock.join_posts(other)
        for number in range(3):
            admin.publish(channel, f"Note {number}")
            sock.next("channel_post.created")
        heard = [spy.next(f".room.1.{channel}") for _ in range(3)]
        subject, text = heard[-1]
        position, signature, records = text.split("\n")
        assert int(position) == 3 and "Note 2" in records
        # The fourth, as it could be: only nobody signed it.
        found = json.loads(records)
        event = found["records"][0]
        event.update(seq=4, prev=event["id"], prevVisible=event["id"], id=event["id"][:-1] + "0123"[event["id"][-1] == "0"])
        event["payload"]["post"]["bodyText"] = "Forged"
        forged = json.dumps(found, separators=(",", ":"))
        elsewhere = subject.rsplit(".", 1)[0] + f".{other}"
        first = heard[0][1]
        nats.publish(
            [(subject, f"4\n{signature}\n{forged}"), (subject, f"4\n{'0' * 64}\n{forged}"), (elsewhere, first)]
            + [(subject, text) for _, text in heard]
        )
        made = admin.publish(channel, "True")
        assert sock.next("channel_post.created")["data"]["data"]["id"] == made["id"]
        assert sock.pending() == []
        assert not any("forked" in node.log() for node in nodes)


def test_encrypted_servers_are_verified(start, fresh, servers, tmp_path):
    files = certificates(tmp_path)
    nats = servers("--tls", "--tlscert", files["cert"], "--tlskey", files["key"], login=("belfry", "hush-hush-hush"))
    url = nats.url.replace("nats://", "tls://").replace("127.0.0.1", "localhost")
    nodes = [start(fresh, BELFRY_BUS=url, BELFRY_BUS_CA=files["cert"], BELFRY_LOG_LEVEL="debug") for _ in range(2)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel = admin.channel()
    with Person(nodes[1]).socket() as sock:
        sock.join_posts(channel)
        posts_come_by_hints(admin, channel, sock, nodes[1], 9)
    other = certificates(tmp_path / "other")
    doubtful = [
        start(fresh, BELFRY_BUS=url, BELFRY_BUS_CA=other["cert"]),
        start(fresh, BELFRY_BUS=url),  # the system's do not know it
        start(fresh, BELFRY_BUS=url.replace("localhost", "127.0.0.2"), BELFRY_BUS_CA=files["cert"]),  # another name
        start(fresh, BELFRY_BUS=nats.url, BELFRY_BUS_CA=files["cert"]),  # not encrypted, where it must be
        start(fresh, BELFRY_BUS=url, BELFRY_BUS_CA=str(tmp_path / "absent.pem")),
    ]
    for node in doubtful:
        wait.until(lambda: "bus_lost" in node.log(), "it is told that the server is not trusted")
        assert node.ready() and not alive(node)
    for node in nodes + doubtful:
        assert "hush-hush-hush" not in node.log()


def certificates(folder):
    """A server's certificate that signs itself, for `localhost`."""
    folder.mkdir(exist_ok=True)
    files = {name: str(folder / f"{name}.pem") for name in ("cert", "key")}
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", files["key"], "-out", files["cert"]],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return files


def test_two_deployments_on_one_server_do_not_hear_each_other(start, fresh, database, servers):
    nats = servers()
    for url in (fresh, database):
        start(url, BELFRY_BUS=nats.url)
    wait.until(lambda: len(nats.room_subjects()) == 2, "each follows its own access log")


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_bus_that_is_away_costs_half_a_second_and_no_event(start, fresh, servers, how):
    nats = servers()
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(2)]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel, late = admin.channel(), admin.channel()
    with Person(nodes[1]).socket() as sock, Person(nodes[1]).socket() as other:
        sock.join_posts(channel)
        a_post_arrives(admin, channel, sock, "before")
        (nats.stop if how == "stopped" else nats.pause)()
        mostly_within_a_second([a_post_arrives(admin, channel, sock, f"without {number}") for number in range(12)])
        other.ok("communication:join_channel_posts", {"channelId": late}, timeout=LATEST)
        wait.until(lambda: not any(alive(node) for node in nodes), "it is noticed", timeout=10)
        mostly_within_a_second([a_post_arrives(admin, channel, sock, f"known {number}") for number in range(12)])
        a_post_arrives(admin, late, other, "late")
        for node in nodes:
            wait.until(lambda node=node: "bus_lost" in node.log(), "it says so")
            assert node.ready()
        (nats.start if how == "stopped" else nats.resume)()
        both_alive(nodes, timeout=20)
        posts_come_by_hints(admin, channel, sock, nodes[1], 20, "after")
        posts_come_by_hints(admin, late, other, nodes[1], 9, "joined meanwhile and followed")
        wait.until(lambda: all("bus_restored" in node.log() for node in nodes), "they say so")
        assert len(sock.sync_posts(channel, limit=200)["events"]) == 1 + 12 + 12 + 20


def test_a_node_stops_while_the_bus_is_frozen(start, fresh, servers):
    nats = servers()
    node = start(fresh, BELFRY_BUS=nats.url)
    both_alive([node])
    admin = Admin(node)
    channel = admin.channel()
    with Person(node).socket() as sock:
        sock.join_posts(channel)
        nats.pause()
        a_post_arrives(admin, channel, sock, "one's own commits need no bus")
    node.stop(timeout=12)  # the drain takes its time, the bus next to none
    node.gone = True
    nats.resume()


def test_a_node_starts_without_the_bus_and_finds_it_later(start, fresh, servers):
    nats = servers(started=False)
    nodes = [start(fresh, BELFRY_BUS=nats.url) for _ in range(2)]
    admin = Admin(nodes[0])
    channel = admin.channel()
    with Person(nodes[1]).socket() as sock:
        sock.join_posts(channel)
        a_post_arrives(admin, channel, sock, "alone")
        wait.until(lambda: all("bus_lost" in node.log() for node in nodes), "they say so")
        nats.start()
        both_alive(nodes)
        posts_come_by_hints(admin, channel, sock, nodes[1], 20)


def test_a_login_is_used_and_never_shown(start, fresh, servers):
    nats = servers(login=("belfry", "hush-hush-hush"))
    node = start(fresh, BELFRY_BUS=nats.url, BELFRY_LOG_LEVEL="debug")
    both_alive([node])
    stranger = start(fresh, BELFRY_BUS=nats.url.replace("hush-hush-hush", "wrong-wrong-wrong"))
    wait.until(lambda: "bus_lost" in stranger.log(), "it is told that the login is refused")
    assert stranger.ready() and not alive(stranger)
    assert "hush-hush-hush" not in node.log() and "wrong-wrong-wrong" not in stranger.log()


def test_nodes_on_two_servers_of_a_cluster(start, fresh, servers):
    first = servers()
    second = servers(routes=[first])
    wait.until(lambda: first.about("routez")["num_routes"] and second.about("routez")["num_routes"], "one cluster")
    # Each knows both, and begins with another one.
    nodes = [
        start(fresh, BELFRY_BUS=f"{one.url},{other.url}") for one, other in ((first, second), (second, first))
    ]
    both_alive(nodes)
    admin = Admin(nodes[0])
    channel = admin.channel()
    with Person(nodes[1]).socket() as sock:
        sock.join_posts(channel)
        posts_come_by_hints(admin, channel, sock, nodes[1], 20)
        second.stop()
        a_post_arrives(admin, channel, sock, "one server less")
        wait.until(lambda: "bus_restored" in nodes[1].log(), "the other server serves", timeout=20)
        both_alive(nodes)
        posts_come_by_hints(admin, channel, sock, nodes[1], 20, "More")
