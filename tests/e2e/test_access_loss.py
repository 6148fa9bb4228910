"""Losing the right to a room ends the subscription at once, on every node, with the reason as its last frame."""

import threading
import time

import pytest

from support import wait
from support.world import Person, new_id, parse_time, time_text

LEFT = "communication:room_left"


class Scene:
    """One reader, who loses access, and one who stays, both on both nodes and in both rooms of one gated channel."""

    def __init__(self, pair, admin, joined=True):
        self.pair, self.admin = pair, admin
        self.feature = "f." + new_id()[:8]
        self.channel, self.key = admin.gated(discussion={"requiredFeatureKey": self.feature})
        self.reader, self.stays = Person(pair[0]), Person(pair[0])
        for person in (self.reader, self.stays):
            admin.grant(person, self.key)
            admin.grant(person, self.feature, kind="features")
        if joined:
            self.reader.post(f"/api/mobile/channels/{self.channel}/join", expect=200)
        self.sockets = [self.reader.on(node).socket() for node in pair]
        self.witnesses = [self.stays.on(node).socket() for node in pair]
        for sock in self.sockets + self.witnesses:
            self.posts_room = sock.join_posts(self.channel)["room"]
            self.talk_room = sock.join_discussion(self.channel)["room"]

    def write(self):
        self.admin.publish(self.channel, "after")
        self.admin.says_officially(self.channel, "after")

    def everybody_heard(self):
        for witness in self.witnesses:
            found = set()
            while len(found) < 2:
                found.add(witness.next()["event"])


LOSSES = {
    "entitlement": (lambda s: s.admin.revoke(s.reader, s.key), "CHANNEL_LOCKED", True),
    "feature": (lambda s: s.admin.revoke(s.reader, s.feature, kind="features"), "FEATURE_REQUIRED", False),
    "ban": (lambda s: s.admin.ban(s.channel, s.reader), "DISCUSSION_BANNED", False),
}


@pytest.mark.parametrize("name", list(LOSSES))
def test_one_reader_loses_a_right_and_nothing_follows(pair, admin, name):
    lose, reason, posts_too = LOSSES[name]
    scene = Scene(pair, admin)
    scene.write()
    scene.everybody_heard()
    for sock in scene.sockets:
        sock.next()
        sock.next()
    lose(scene)
    scene.write()
    scene.everybody_heard()
    expected = {scene.talk_room} | ({scene.posts_room} if posts_too else set())
    for sock in scene.sockets:
        left = {}
        while set(left) != expected:
            frame = sock.until("communication:room_left")
            assert frame["room"] not in left, "said once"
            left[frame["room"]] = frame["data"]["reason"]
        assert set(left.values()) == {reason}
        rest = sock.pending()
        assert [frame for frame in rest if frame["room"] in expected] == []
        everything = [frame for frame in sock.frames if frame.get("room") in expected]
        assert {frame["event"] for frame in everything[2 if posts_too else 1 :]} == {LEFT}
        if posts_too:
            sock.fails("communication:sync_channel_posts", {"channelId": scene.channel}, "FORBIDDEN", reason)
        sock.fails("communication:join_discussion", {"channelId": scene.channel}, "FORBIDDEN", reason)


def test_a_stranger_who_never_joined_hears_entitlement_required(pair, admin):
    scene = Scene(pair, admin, joined=False)
    admin.revoke(scene.reader, scene.key)
    for sock in scene.sockets:
        assert {sock.next(LEFT)["data"]["reason"] for _ in range(2)} == {"ENTITLEMENT_REQUIRED"}


@pytest.mark.parametrize(
    "change, rooms, reason",
    [
        (lambda s: s.admin.discussion(s.channel, isEnabled=False), 1, "DISCUSSION_DISABLED"),
        (lambda s: s.admin.set_channel(s.channel, status="DRAFT"), 2, "CHANNEL_UNAVAILABLE"),
        (lambda s: s.admin.set_channel(s.channel, entitlementKey="other." + new_id()[:8]), 2, "ENTITLEMENT_REQUIRED"),
        (lambda s: s.admin.discussion(s.channel, requiredFeatureKey="other." + new_id()[:8]), 1, "FEATURE_REQUIRED"),
    ],
    ids=["discussion disabled", "channel drafted", "key changed", "feature changed"],
)
def test_a_change_of_the_room_sends_everybody_away(pair, admin, change, rooms, reason):
    scene = Scene(pair, admin, joined=False)
    change(scene)
    for sock in scene.sockets + scene.witnesses:
        frames = [sock.next(LEFT) for _ in range(rooms)]
        assert {frame["data"]["reason"] for frame in frames} == {reason}
        assert {frame["room"] for frame in frames} == (
            {scene.talk_room} if rooms == 1 else {scene.talk_room, scene.posts_room}
        )
        assert sock.pending() == []


def test_a_disabled_discussion_sends_admins_away_too_and_an_archive_nobody(pair, admin):
    channel = admin.channel(discussion={})
    with admin.on(pair[1]).socket() as boss, Person(pair[0]).socket() as reader:
        for sock in (boss, reader):
            sock.join_discussion(channel)
            sock.join_posts(channel)
        admin.set_channel(channel, status="ARCHIVED")
        assert boss.pending() == [] and reader.pending() == []
        admin.set_channel(channel, status="ACTIVE")
        admin.publish(channel)
        reader.next("channel_post.created")
        boss.next("channel_post.created")
        admin.discussion(channel, isEnabled=False)
        assert boss.next(LEFT)["data"]["reason"] == reader.next(LEFT)["data"]["reason"] == "DISCUSSION_DISABLED"


@pytest.mark.parametrize("what", ["entitlements", "features"])
def test_an_end_by_the_clock_shows_within_two_seconds_and_nothing_comes_after_it(pair, admin, what):
    scene = Scene(pair, admin)
    end = time_text(2)
    admin.grant(scene.reader, scene.key if what == "entitlements" else scene.feature, kind=what, validUntil=end)
    until = parse_time(end).timestamp()
    stop = threading.Event()

    def write_on():
        writer = admin.on(pair[1])
        while not stop.is_set():
            writer.says_officially(scene.channel, "tick")
            for witness in scene.witnesses:  # no faster than this process reads: a heap of frames would hide when it ended
                witness.next("discussion_message.created")

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for sock in scene.sockets:
            frame = sock.until(LEFT)
            assert until - 0.1 <= time.time() <= until + 3, "at the end, not before and not long after"
            assert frame["data"]["reason"] == ("CHANNEL_LOCKED" if what == "entitlements" else "FEATURE_REQUIRED")
    finally:
        stop.set()
        writer.join(timeout=10)
    for sock in scene.sockets:
        sock.pending()
        ticks = [frame["data"] for frame in sock.frames if frame["event"].endswith("message.created")]
        assert ticks and all(parse_time(tick["occurredAt"]).timestamp() < until for tick in ticks)


def test_a_prolonged_right_goes_on_without_a_break(pair, admin):
    scene = Scene(pair, admin)
    end = time_text(3)
    admin.grant(scene.reader, scene.key, validUntil=end)
    admin.grant(scene.reader, scene.key, validUntil=time_text(3600))
    with Person(pair[0], lifetime=5).socket() as clock:  # ends after the first end
        clock.closed(timeout=15)
    assert time.time() > parse_time(end).timestamp()
    scene.write()
    for sock in scene.sockets:
        assert {sock.next()["event"], sock.next()["event"]} == {
            "communication.channel_post.created",
            "communication.discussion_message.created",
        }


def test_revocation_is_exact_under_a_storm_of_writes(pair, admin):
    """Nothing whose write began after the revocation was acknowledged reaches the reader, live or by sync, on either node."""
    for round_number in range(3):
        scene = Scene(pair, admin)
        stop, marks = threading.Event(), []
        lock = threading.Lock()
        revoked = [None]

        def storm(index, scene=scene, stop=stop, marks=marks, lock=lock, revoked=revoked):
            writer, number = admin.on(pair[index % 2]), 0
            while not stop.is_set():
                number += 1
                after = revoked[0] is not None  # read before the write begins
                made = writer.says_officially(scene.channel, f"{index}.{number}").data["id"]
                if after:
                    with lock:
                        marks.append(made)

        writers = [threading.Thread(target=storm, args=(index,)) for index in range(4)]
        for writer in writers:
            writer.start()
        try:
            for sock in scene.sockets:
                for _ in range(10 + 10 * round_number):
                    sock.next("discussion_message.created")
            admin.on(pair[round_number % 2]).revoke(scene.reader, scene.key)
            revoked[0] = True
            lefts = [sock.until(LEFT) for sock in scene.sockets]
            assert lefts
            wait.until(lambda marks=marks: len(marks) > 20, "writers go on")
        finally:
            stop.set()
            for writer in writers:
                writer.join(timeout=10)
        forbidden = set(marks)
        for sock in scene.sockets:
            sock.until(LEFT)
            assert sock.pending() == []
            got = [frame["data"]["data"]["id"] for frame in sock.frames if frame["event"].endswith("message.created")]
            assert got and not forbidden & set(got)
            assert got == sorted(got) and len(got) == len(set(got))


def test_access_comes_back_with_a_new_join_and_a_sync(pair, admin):
    channel, key = admin.gated()
    reader = Person(pair[0])
    admin.grant(reader, key)
    with reader.on(pair[1]).socket() as sock:
        sock.join_posts(channel)
        admin.publish(channel, "one")
        last = sock.next("channel_post.created")["data"]["eventId"]
        admin.revoke(reader, key)
        sock.next(LEFT)
        admin.publish(channel, "two")
        admin.grant(reader, key)
        head = sock.join_posts(channel)
        synced = sock.sync_posts(channel, last)
        assert [event["data"]["bodyText"] for event in synced["events"]] == ["two"] and head["lastEventId"] == synced[
            "lastEventId"
        ]
