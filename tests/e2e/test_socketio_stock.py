"""The stock client of npm comes back: after a killed node, after a room was left, after a day."""

import glob

import pytest

from support.node import Node, binary, new_database
from support.postgres import Cluster
from support.stock import Stock
from support.world import Admin, Person

POSTS_JOIN, TALK_JOIN = "communication:join_channel_posts", "communication:join_discussion"
LEAVE = "communication:leave_channel_posts"
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}
transports = pytest.mark.parametrize("transport", list(TRANSPORTS))
DAY = "+24h"


@pytest.fixture
def client():
    made = []

    def begin(node, person, transport="websocket"):
        made.append(Stock(node, person.token, TRANSPORTS[transport]))
        return made[-1]

    yield begin
    for stock in made:
        stock.close()


class Rooms:
    """Three rooms of a stock client, and what it has had of each."""

    def __init__(self, admin, stock):
        self.admin, self.stock, self.heads = admin, stock, {}
        self.first, self.second = admin.channel(discussion={}), admin.channel()
        for event, channel in ((POSTS_JOIN, self.first), (TALK_JOIN, self.first), (POSTS_JOIN, self.second)):
            joined = stock.call(event, {"channelId": channel})
            self.heads[joined["room"]] = joined["lastEventId"]

    def write(self, word, admin=None):
        admin = admin or self.admin
        admin.publish(self.first, word)
        admin.says_officially(self.first, word)
        admin.publish(self.second, word)

    def hear(self, *words):
        """Each word once in each room, in order and chained to what was there before."""
        texts = {room: [] for room in self.heads}
        for _ in range(len(words) * len(self.heads)):
            event = self.stock.event()
            assert event["prevEventId"] == self.heads[event["room"]]
            self.heads[event["room"]] = event["id"]
            texts[event["room"]].append(event["text"])
        assert all(seen == list(words) for seen in texts.values())


@transports
def test_three_rooms_come_back_on_another_node_after_kill_9(pair, admin, start, client, transport):
    doomed = start()
    stock = client(doomed, Person(pair[0]), transport)
    first = stock.connected()
    assert not first["recovered"]
    rooms = Rooms(admin, stock)
    rooms.write("seen")
    rooms.hear("seen")
    if transport != "upgrade":
        assert stock.transport() == transport
    stock.at(pair[1])
    doomed.kill()
    doomed.gone = True
    rooms.write("missed")
    rooms.write("missed as well")
    stock.gone()
    again = stock.connected()
    assert again == {"connected": first["connected"], "recovered": True}
    rooms.hear("missed", "missed as well")
    rooms.write("live")
    rooms.hear("live")
    assert stock.quiet()


def test_a_room_that_was_left_stays_left(pair, admin, start, client):
    doomed = start()
    stock = client(doomed, Person(pair[0]))
    stock.connected()
    rooms = Rooms(admin, stock)
    left = stock.call(LEAVE, {"channelId": rooms.second})["room"]
    stock.at(pair[1])
    doomed.kill()
    doomed.gone = True
    stock.gone()
    rooms.write("missed")
    assert stock.connected()["recovered"]
    del rooms.heads[left]
    rooms.hear("missed")
    rooms.write("live")
    rooms.hear("live")
    assert stock.quiet()


# A day later -------------------------------------------------------------------------------------


def moved_by(offset):
    """The environment of a process whose clock is off. None: it cannot be moved."""
    libraries = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not libraries:
        raise RuntimeError("libfaketime is missing: scripts/packages install test")
    return {"LD_PRELOAD": libraries[0], "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def sanitized():
    with open(binary(), "rb") as file:
        content = file.read()
    return b"__asan_init" in content or b"__tsan_init" in content


@pytest.fixture
def own_cluster():
    made = Cluster()
    yield made
    made.destroy()


@pytest.mark.parametrize("kept, recovered", [("7d", True), ("12h", False)])
def test_a_day_later_everything_is_there_that_is_kept_so_long(own_cluster, client, kept, recovered):
    own_cluster.start()
    url = new_database(own_cluster)
    settings = {"BELFRY_EVENT_RETENTION": kept}
    before, other = Node(url, **settings).wait_ready(), Node(url, **settings).wait_ready()
    admin, person = Admin(before, lifetime=10 * 86400), Person(before, lifetime=10 * 86400)
    stock = client(before, person)
    stock.connected()
    rooms = Rooms(admin, stock)
    rooms.write("seen")
    rooms.hear("seen")
    before.stop()
    stock.gone()
    rooms.write("missed", admin.on(other))
    other.stop()
    own_cluster.stop()
    own_cluster.run_with(**moved_by(DAY))
    own_cluster.start()
    # A sanitizer wants to be loaded first: then only the database, which judges the age of events, is a day ahead.
    ahead = {} if sanitized() else moved_by(DAY)
    after = Node(url, **settings, **ahead).wait_ready()
    try:
        rooms.write("a day later", admin.on(after))
        stock.at(after)
        again = stock.connected()
        assert again["recovered"] == recovered
        if recovered:
            rooms.hear("missed", "a day later")
        assert stock.quiet()
    finally:
        after.stop()
