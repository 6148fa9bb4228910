"""Readers that drop, come back anywhere and are slow still end with exactly the room's events."""

import os
import random
import threading

from support import wait
from support.parallel import Background
from support.world import Person
from support.ws import RawSocket

SEED = int(os.environ.get("BELFRY_E2E_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)


def test_what_was_missed_on_another_node_comes_by_sync(pair, admin):
    channel, reader = admin.channel(discussion={}), Person(pair[0])
    sock = reader.socket()
    sock.join_discussion(channel)
    admin.says_officially(channel, "seen")
    last = sock.next("discussion_message.created")["data"]["eventId"]
    sock.drop()
    missed = [admin.on(pair[1]).says_officially(channel, f"missed {number}").data["id"] for number in range(20)]
    with reader.on(pair[1]).socket() as back:
        head = back.join_discussion(channel)["lastEventId"]
        synced = back.sync_discussion(channel, last)
        assert [event["data"]["id"] for event in synced["events"]] == missed and not synced["hasMore"]
        assert synced["lastEventId"] == head
        admin.says_officially(channel, "live again")
        frame = back.next("discussion_message.created")
        assert frame["prevEventId"] == head


class Reader:
    """Keeps a copy of a discussion from events only, as a client would: join, sync, then live, without duplicates."""

    def __init__(self, rng, person, pair, channel):
        self.rng, self.person, self.pair, self.channel = rng, person, pair, channel
        self.events, self.sock, self.last = [], None, None

    def connect(self):
        self.sock = self.person.on(self.rng.choice(self.pair)).socket()
        self.sock.join_discussion(self.channel)
        while True:
            page = self.sock.sync_discussion(self.channel, self.last, limit=self.rng.choice([1, 3, 50, 500]))
            assert not page["gap"]
            for event in page["events"]:
                self.apply(event)
            if not page["hasMore"]:
                break

    def apply(self, envelope, previous=...):
        if self.last is not None and envelope["eventId"] <= self.last:
            return  # had it by sync
        if previous is not ...:
            assert previous == self.last, "a hole in the chain"
        self.events.append(envelope)
        self.last = envelope["eventId"]

    def take(self):
        for frame in self.sock.pending():
            self.apply(frame["data"], frame["prevEventId"])

    def disturb(self):
        self.take()
        if self.rng.random() < 0.7:
            self.sock.drop() if self.rng.random() < 0.5 else self.sock.close()
            self.connect()


def fold(events):
    """What a client shows after these events."""
    state = {}
    for event in events:
        kind, data = event["eventType"].split(".")[-1], event["data"]
        if kind in ("created", "restored"):
            state[data["id"]] = None if data["isDeleted"] else data["body"]
        elif kind == "updated":
            if not data.get("isDeleted"):
                state[data["id"]] = data["body"]
        else:
            state[data["id"]] = None
    return state


def test_readers_that_drop_and_resume_at_random_end_with_the_state_of_rest(pair, admin, start, database):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    channel = admin.channel(discussion={})
    readers = [Reader(random.Random(rng.random()), Person(pair[0]), pair, channel) for _ in range(4)]
    writers = [(random.Random(rng.random()), admin.on(pair[index % 2]), []) for index in range(3)]
    # No more than this process reads in time: readers that never catch up would never come to the end of a sync.
    allowed = threading.Semaphore(0)

    def write(index):
        if not allowed.acquire(timeout=0.1):
            return
        mine, writer, made = writers[index]
        action = mine.random()
        if action < 0.6 or not made:
            made.append(writer.says_officially(channel, f"{index}: {mine.random()}").data["id"])
        elif action < 0.75:
            target = mine.choice(made)
            writer.patch(f"/api/admin/discussion-messages/{target}", {"body": f"edit {mine.random()}"})
        elif action < 0.9:
            writer.drop_message(mine.choice(made))
        else:
            writer.restore(mine.choice(made))

    for reader in readers:
        reader.connect()
    with Background(len(writers), write):
        for _ in range(12):
            for reader in readers:
                allowed.release(8)
                reader.disturb()
        wait.until(lambda: sum(len(made) for _, _, made in writers) > 60, "writers have written", timeout=30)
    with admin.socket() as judge:
        truth, since = [], None
        while True:
            page = judge.sync_discussion(channel, since, limit=500)
            truth += page["events"]
            since = page["lastEventId"]
            if not page["hasMore"]:
                break
    rest, query = {}, "?limit=100"
    while True:
        page = admin.messages(channel, query).data
        rest.update({item["id"]: item["body"] for item in page["items"]})
        if not page["has_more"]:
            break
        query = f"?limit=100&before_id={page['cursor']['next_before_id']}"
    assert fold(truth) == rest
    ids = [event["eventId"] for event in truth]
    assert ids == sorted(ids) and len(ids) == len(set(ids))
    for reader in readers:
        wait.until(lambda reader=reader: reader.take() or reader.last == ids[-1], "the reader has the last event")
        assert [event["eventId"] for event in reader.events] == ids, f"seed {SEED}"
        assert fold(reader.events) == rest, f"seed {SEED}"
        reader.sock.close()


def test_a_slow_reader_loses_nothing(pair, admin):
    channel, reader = admin.channel(), Person(pair[0])
    text, count = "x" * 15000, 120
    with RawSocket(pair[0].port, token=reader.token, receive_buffer=4096) as slow, reader.socket() as witness:
        witness.join_posts(channel)
        slow.text({"id": 1, "event": "communication:join_channel_posts", "data": {"channelId": channel}})
        assert slow.json()["ok"]
        made = [admin.publish(channel, f"{number} {text}")["id"] for number in range(count)]  # 1.8 MB
        for post in made:
            assert witness.next("channel_post.created")["data"]["data"]["id"] == post
        slow.hurry()
        previous = None
        for post in made:
            frame = slow.json()
            assert frame["data"]["data"]["id"] == post and frame["prevEventId"] == previous
            previous = frame["data"]["eventId"]
        slow.text({"id": 2, "event": "communication:leave_channel_posts", "data": {"channelId": channel}})
        assert slow.json()["id"] == 2


def test_a_slow_reader_that_loses_access_gets_room_left_and_no_refill(pair, admin):
    channel, key = admin.gated()
    reader, stays = Person(pair[0]), Person(pair[0])
    for person in (reader, stays):
        admin.grant(person, key)
    text, count = "x" * 19000, 250
    with RawSocket(pair[0].port, token=reader.token, receive_buffer=4096) as slow, stays.socket() as witness:
        witness.join_posts(channel)
        slow.text({"id": 1, "event": "communication:join_channel_posts", "data": {"channelId": channel}})
        assert slow.json()["ok"]
        made = [admin.publish(channel, text)["id"] for _ in range(count)]
        for _ in made:
            witness.next("channel_post.created")
        admin.revoke(reader, key)
        late = admin.publish(channel, "too late")["id"]
        witness.next("channel_post.created")
        slow.hurry()
        got = []
        while True:
            frame = slow.json()
            if frame["event"] == "communication:room_left":
                break
            got.append(frame["data"]["data"]["id"])
        assert got == made[: len(got)] and late not in got
        slow.text({"id": 2, "event": "ping"})
        assert slow.json() == {"id": 2, "event": "ping", "ok": True}


def test_a_killed_node_costs_its_readers_nothing_but_a_reconnect(pair, admin, start):
    third = start()
    channel, reader = admin.channel(), Person(third)
    sock = reader.socket()
    sock.join_posts(channel)
    admin.publish(channel, "one")
    last = sock.next("channel_post.created")["data"]["eventId"]
    written = (
        Person(third, role="ADMIN")
        .post(f"/api/admin/channels/{channel}/posts", {"type": "TEXT", "bodyText": "two"}, expect=201)
        .data["id"]
    )
    third.kill()
    third.gone = True
    sock.closed()
    with reader.on(pair[1]).socket() as back:
        back.join_posts(channel)
        assert [event["data"]["id"] for event in back.sync_posts(channel, last)["events"]] == [written]
