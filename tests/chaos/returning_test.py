"""What a reader of Socket.IO records when it comes back, and that `belfry verify` finds in it what a recovery may not do."""

import collections
import json
import os
import random
import subprocess
import sys
import threading
import types

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]

import returning  # noqa: E402
from actors import Place  # noqa: E402
from readers import JOIN, SYNC  # noqa: E402
from recorder import Recorder  # noqa: E402
from support.node import binary  # noqa: E402

SECOND = 1_000_000_000
PLACE = Place("7", "8")
CREATED = "communication.channel_post.created"


class FakeSession:
    """Says what the test says, and remembers what it was told."""

    def __init__(self, _port, memory, _auth, handle, _transport, _buffer):
        self.memory, self.handle, self.connected, self.sent = memory, handle, False, []
        self.engine = types.SimpleNamespace(drop=lambda: None)

    def emit_all(self, events):
        self.sent += events

    def disconnect(self):
        pass

    def connect(self, pid):
        self.connected = True
        self.handle({"event": "connect", "recovered": self.memory.connected(pid)})

    def event(self, number, room=PLACE.posts):
        previous = f"e{number - 1}" if number > 1 else None
        self.handle({"event": CREATED, "room": room, "prevEventId": previous, "data": {
            "eventId": f"e{number}", "eventType": CREATED, "data": {"id": str(number), "bodyText": f"#c{number}#"}}})

    def joined(self, head):
        event, _, number = self.sent.pop(0)
        self.handle({"id": number, "event": event, "ok": True, "data": {"lastEventId": head}})

    def refused(self):
        event, _, number = self.sent.pop(0)
        self.handle({"id": number, "event": event, "ok": False, "error": {"code": "FORBIDDEN"}})

    def left(self, room=PLACE.posts):
        self.handle({"event": "communication:room_left", "room": room, "data": {"reason": "CHANNEL_LOCKED"}})


@pytest.fixture
def story(tmp_path, monkeypatch):
    return Story(tmp_path, monkeypatch)


class Story:
    """One reader of one room, a clock of its own, and six posts, one each ten seconds."""

    def __init__(self, folder, monkeypatch):
        self.rec, self.time = Recorder(str(folder / "recording.jsonl")), 0
        for module in ("returning", "readers"):
            monkeypatch.setattr(sys.modules[module], "now", lambda: self.time * SECOND)
        monkeypatch.setattr(returning, "Session", FakeSession)
        world = types.SimpleNamespace(rec=self.rec, counts=collections.Counter(), failures=[], last={}, stop=threading.Event(),
                                      quiet=threading.Event(), callers=[])
        self.world = world
        place = Place(PLACE.channel, None)
        self.reader = returning.ReturningReader(world, random.Random(1), "u", [place], "websocket")
        self.connection = None

    def begin(self, at, pid):
        self.time = at
        self.reader.open(1)
        self.connection = self.reader.connection
        self.connection.session.connect(pid)
        return self.connection.session

    def lose(self, at):
        self.time = at
        if self.connection.entered:
            self.reader.kept.read_at = at * SECOND
        self.reader.drop()

    def seen(self, at, session, *numbers):
        self.time = at
        for number in numbers:
            session.event(number)

    def start(self):
        """Joined behind the first post, has the second, and is gone before the third."""
        session = self.begin(11, "P1")
        session.joined("e1")
        session.sent.clear()
        self.connection._replies.clear()
        self.seen(20, session, 2)
        self.lose(22)

    def judge(self, revoked_at=None):
        """What the judge says of it."""
        for number in range(1, 7):
            content = f"#c{number}#"
            self.rec("log", room=PLACE.posts, eventId=f"e{number}", prevEventId=f"e{number - 1}" if number > 1 else None, type=CREATED,
                     entity=number, content=content, actor=None, at=number)
            self.rec("write", who="w", room=PLACE.posts, type=CREATED, entity=number, content=content, begun=number * 10 * SECOND,
                     done=number * 10 * SECOND + 1, outcome="acknowledged")
        if revoked_at:
            self.rec("access", user="u", rooms=[PLACE.posts], cause="key", may=False, reading=True, late=False,
                     begun=revoked_at * SECOND, done=revoked_at * SECOND + 1, outcome="acknowledged")
        self.rec("prompt", milliseconds=12_000)
        self.rec.close()
        assert not self.world.failures
        judged = subprocess.run([binary(), "verify", self.rec.path], capture_output=True, text=True, timeout=60, check=False)
        found = [line.split(": ", 1)[1] for line in (judged.stdout + judged.stderr).splitlines() if line.startswith("VIOLATION")]
        assert judged.returncode == (1 if found else 0), judged
        return found


def lines(story, kind):
    story.rec._file.flush()
    with open(story.rec.path, encoding="utf-8") as file:
        return [line for line in map(json.loads, file) if line["kind"] == kind]


def test_a_recovery_goes_on_where_it_was(story):
    story.start()
    session = story.begin(55, "P1")
    story.seen(55, session, 3, 4, 5)
    session.joined("e5")
    story.seen(60, session, 6)
    assert story.world.counts["Socket.IO recoveries"] == 1 and story.world.counts["events by recovery"] == 3
    assert len({line["reader"] for line in lines(story, "join")}) == 1 and not lines(story, "closed")
    assert story.judge() == []


def test_a_hole_is_found(story):
    story.start()
    session = story.begin(55, "P1")
    story.seen(55, session, 4, 5)
    session.joined("e5")
    assert "1 events are missing before a frame" in story.judge()


def test_an_event_again_is_found(story):
    story.start()
    session = story.begin(55, "P1")
    story.seen(55, session, 2, 3, 4, 5)
    assert "a frame again, or before its place" in story.judge()


def test_what_was_missed_and_comes_behind_an_answer_is_found(story):
    story.start()
    session = story.begin(55, "P1")
    story.seen(55, session, 3)
    session.joined("e5")
    story.seen(55, session, 4, 5)
    assert story.judge() == ["a replay ends before what was acknowledged when it began"]


def test_a_room_without_the_right_to_it_is_found(story):
    story.start()
    session = story.begin(55, "P1")
    session.joined("e5")
    assert "a replay succeeded after the right was lost" in story.judge(revoked_at=30)


def test_a_room_that_was_lost_meanwhile_is_left_out(story):
    story.start()
    session = story.begin(55, "P1")
    session.left()
    session.refused()
    assert lines(story, "sync") == []
    assert story.judge(revoked_at=30) == []


def test_who_is_not_recovered_begins_anew(story):
    story.start()
    session = story.begin(55, "P2")
    assert story.world.counts["Socket.IO recoveries refused"] == 1 and len(lines(story, "closed")) == 1
    assert [event for event, _, _ in session.sent] == [JOIN["posts"], SYNC["posts"]]
    session.joined("e5")
    story.seen(60, session, 6)
    assert len({line["reader"] for line in lines(story, "join")}) == 2
    assert story.judge() == []


def test_a_leave_without_an_answer_may_have_been_done_or_not(story):
    story.start()
    session = story.begin(25, "P1")
    session.joined("e2")
    place, kind = story.reader.subscriptions[0]
    story.connection.send("leave", place, kind)
    story.lose(28)
    assert not story.reader.kept.joined and story.reader.kept.unsure
    session = story.begin(55, "P1")
    story.seen(55, session, 3, 4, 5)  # it had not been done
    assert story.reader.kept.joined and not story.reader.kept.unsure
    story.seen(60, session, 6)
    assert story.judge() == []


def test_a_join_without_an_answer_that_was_done_is_told_by_its_frames(story):
    session = story.begin(11, "P1")
    session.sent.clear()
    story.lose(12)
    session = story.begin(35, "P1")
    story.seen(35, session, 2, 3)
    story.lose(36)
    session = story.begin(55, "P1")
    story.seen(55, session, 4, 5)
    session.joined("e5")
    assert story.world.counts["events by recovery"] == 2
    assert story.judge() == []
