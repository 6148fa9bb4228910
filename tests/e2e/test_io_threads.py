"""One process with several I/O threads: to its clients it is one server."""

import json
import os
import time
from collections import Counter

import pytest

from support import wait
from support.http import Client
from support.parallel import in_parallel
from support.tokens import token
from support.world import Admin, Person, new_id
from support.ws import Refused, Socket

THREADS = 4
CROWD = 48
LEFT = "communication:room_left"


def sockets_by_loop(node):
    """How many sockets each event loop of the process waits for: its epoll instances name them. Loops without any are left out."""
    folder = f"/proc/{node.process.pid}"
    links = {}
    for fd in os.listdir(f"{folder}/fd"):
        try:
            links[int(fd)] = os.readlink(f"{folder}/fd/{fd}")
        except FileNotFoundError:
            pass
    found = []
    for fd, link in links.items():
        if "eventpoll" in link:
            with open(f"{folder}/fdinfo/{fd}", encoding="ascii") as info:
                watched = [int(line.split()[1]) for line in info if line.startswith("tfd:")]
            found.append(sum(1 for one in watched if links.get(one, "").startswith("socket:")))
    return sorted(count for count in found if count)


@pytest.fixture
def threaded(start, fresh):
    return start(fresh, BELFRY_IO_THREADS=str(THREADS))


def crowd_of(people, node, count):
    return [Socket(node.port, token=people[i % len(people)].token) for i in range(count)]


def stream(sock, count):
    """The next `count` events of a room, each of which must name the one before it."""
    frames = [sock.next("discussion_message.created", timeout=30) for _ in range(count)]
    for before, after in zip(frames, frames[1:]):
        assert after["prevEventId"] == before["data"]["eventId"]
    return [frame["data"]["eventId"] for frame in frames]


@pytest.mark.parametrize("bus", ["postgres", "nats"], indirect=True)
def test_readers_on_all_threads_of_two_nodes_see_one_order(start, fresh, bus):
    pair = [start(fresh, BELFRY_IO_THREADS=str(THREADS), BELFRY_BUS=bus) for _ in range(2)]
    admin = Admin(pair[0])
    channel = admin.channel(discussion={})
    people = [Person(pair[0]) for _ in range(6)]
    crowd = [sock for node in pair for sock in crowd_of(people, node, CROWD)]
    for node in pair:
        loops = sockets_by_loop(node)
        assert len(loops) == THREADS and min(loops) >= CROWD // THREADS, loops
    for sock in crowd:
        sock.join_discussion(channel)
    writers = [Person(pair[i % 2]) for i in range(8)]
    in_parallel(len(writers), lambda i: [writers[i].says(channel, f"{i} {n}") for n in range(15)])
    seen = [stream(sock, 8 * 15) for sock in crowd]
    assert len(set(seen[0])) == 8 * 15
    assert all(one == seen[0] for one in seen), "lost, doubled or out of order"
    assert [sock for sock in crowd if sock.pending()] == []
    page = Person(pair[1]).messages(channel, "?limit=100").data["items"]
    assert len(page) == 100


def test_who_loses_a_right_loses_it_on_every_thread(threaded):
    admin = Admin(threaded)
    channel, key = admin.gated(discussion={})
    leaver, banned, stays = (Person(threaded) for _ in range(3))
    for person in (leaver, banned, stays):
        admin.grant(person, key)
    crowds = {person: [person.socket() for _ in range(12)] for person in (leaver, banned, stays)}
    for sock in sum(crowds.values(), []):
        sock.join_posts(channel)
        sock.join_discussion(channel)
    assert len(sockets_by_loop(threaded)) == THREADS
    admin.revoke(leaver, key)
    admin.ban(channel, banned)
    admin.publish(channel, "after")
    admin.says_officially(channel, "after")
    for sock in crowds[stays]:
        assert {sock.next()["event"] for _ in range(2)} == {"communication.channel_post.created", "communication.discussion_message.created"}
    for sock in crowds[leaver]:
        assert [sock.next()["event"] for _ in range(2)] == [LEFT, LEFT]
        assert sock.pending() == []
    for sock in crowds[banned]:
        frames = [sock.next() for _ in range(2)]
        assert {frame["event"] for frame in frames} == {LEFT, "communication.channel_post.created"}
        assert sock.pending() == []


def test_what_was_written_is_read_on_every_connection(threaded):
    admin = Admin(threaded)
    channel = admin.channel(discussion={})
    reader = Person(threaded)
    clients = [Client(threaded.port, token=reader.token) for _ in range(2 * THREADS)]
    place = f"/api/mobile/channels/{channel}/discussion/messages?limit=1"
    for client in clients:
        client.get(place, expect=200)
    writers = [Person(threaded) for _ in range(THREADS)]
    for turn in range(24):
        made = writers[turn % THREADS].says(channel, f"turn {turn}").data["id"]
        found = in_parallel(len(clients), lambda i: clients[i].get(place, expect=200).data["items"][0]["id"])
        assert found == [made] * len(clients)
    admin.drop_message(made)
    for client in clients:
        assert client.get(place, expect=200).data["items"][0]["isDeleted"]
    for client in clients:
        client.get("/readyz", expect=200)
        client.close()


def test_a_drain_tells_and_closes_everybody(threaded):
    people = [Person(threaded) for _ in range(4)]
    crowd = crowd_of(people, threaded, CROWD)
    assert len(sockets_by_loop(threaded)) == THREADS
    threaded.terminate()
    hints = [sock.until("server:draining", timeout=20)["data"]["reconnectInMs"] for sock in crowd]
    assert {sock.closed(timeout=20) for sock in crowd} == {1012}
    threaded.stop()
    assert max(hints) > 2500 > min(hints) and len(set(hints)) > CROWD // 2, "spread over all of the time"
    said = [json.loads(line) for line in threaded.lines if '"draining"' in line]
    assert [line["connections"] >= CROWD for line in said] == [True], said


def test_the_rate_of_handshakes_is_the_nodes(start):
    rate = 8
    node = start(BELFRY_IO_THREADS=str(THREADS), BELFRY_WS_HANDSHAKE_RATE=str(rate))
    bearer = token(new_id(), None, 3600)
    answers, begun = Counter(), time.monotonic()
    for _ in range(60):
        try:
            Socket(node.port, token=bearer)
            answers["in"] += 1
        except Refused as refused:
            answers[refused.status] += 1
    most = rate * (2 + time.monotonic() - begun) + THREADS
    assert rate <= answers["in"] <= most and answers[503] == 60 - answers["in"], answers


def test_nothing_is_left_on_any_thread_when_all_have_gone(threaded):
    def count(name):
        with threaded.client() as client:
            text = client.get("/metrics", expect=200).text
        return int(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])

    channel = Admin(threaded).channel(discussion={})
    people = [Person(threaded) for _ in range(4)]
    crowd = crowd_of(people, threaded, CROWD)
    for sock in crowd:
        sock.join_discussion(channel)
    assert count("belfry_ws_connections") == CROWD
    assert count("belfry_subscriptions") == CROWD
    assert count("belfry_rooms") == THREADS
    for i, sock in enumerate(crowd):
        sock.drop() if i % 2 else sock.close()
    for name in ("belfry_ws_connections", "belfry_subscriptions", "belfry_rooms"):
        wait.until(lambda name=name: count(name) == 0, f"{name} is zero again")
