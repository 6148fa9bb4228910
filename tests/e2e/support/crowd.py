"""Writers that note every answer and readers that note every frame, while something goes wrong; and the reckoning after."""

import threading
import time

from support import wait
from support.parallel import Background
from support.world import Admin, Person, new_id

PATIENCE = 8.0  # no request may take longer, whatever the database does: five seconds of deadline, and asking for an outcome


class Room:
    """One kind of room of a channel, over the API."""

    def __init__(self, channel, posts):
        self.channel, self.posts = channel, posts
        self.target = {"channelId": channel}

    def write(self, admin, text):
        if self.posts:
            return admin.post(f"/api/admin/channels/{self.channel}/posts", {"type": "TEXT", "bodyText": text})
        path = f"/api/admin/channels/{self.channel}/discussion/messages"
        return admin.post(path, {"body": text, "clientMessageId": text})

    def join(self, sock):
        return (sock.join_posts if self.posts else sock.join_discussion)(self.channel)

    def sync(self, sock, since=None):
        """(events, gap) of everything after `since`."""
        events = []
        while True:
            page = (sock.sync_posts if self.posts else sock.sync_discussion)(self.channel, since, limit=500)
            events += page["events"]
            if page["gap"] or not page["hasMore"]:
                return events, page["gap"]
            since = page["lastEventId"]

    def stored(self, person):
        """Ids over REST, page by page."""
        ids, query = set(), "?limit=100"
        while True:
            page = (person.posts if self.posts else person.messages)(self.channel, query).data
            ids |= {item["id"] for item in page["items"]}
            if not page["has_more"]:
                return ids
            query = f"?limit=100&before_id={page['cursor']['next_before_id']}"

    def text_of(self, event):
        return event["data"]["bodyText" if self.posts else "body"]

    def has(self, frame):
        name = frame.get("event", "") if isinstance(frame, dict) else ""
        wanted = "channel_post.created" if self.posts else "discussion_message.created"
        return name.endswith(wanted) and str(frame["data"]["data"]["channelId"]) == str(self.channel)


def refused_properly(answer, seconds):
    assert answer.status == 503, answer
    assert answer.code == "SERVICE_UNAVAILABLE" and int(answer.headers["retry-after"]) >= 1, answer
    assert seconds < PATIENCE, f"answered after {seconds:.1f} s"


def timed(call):
    begun = time.monotonic()
    answer = call()
    return answer, time.monotonic() - begun


class Crowd:
    def __init__(self, nodes, channels=2, writers=4, readers=True):
        self.nodes = nodes
        self._lock = threading.Lock()
        self.acknowledged = {}  # text: (room, id)
        self.unknown = set()
        self.refusals = 0
        with Admin(nodes[0]) as admin:
            made = [admin.channel(discussion={}) for _ in range(channels)]
        self.rooms = [Room(channel, posts) for channel in made for posts in (False, True)]
        self._admins = [Admin(nodes[index % len(nodes)]) for index in range(writers)]
        self._round = [0] * writers
        self.sockets = [Person(node).socket() for node in nodes] if readers else []
        for sock in self.sockets:
            for room in self.rooms:
                room.join(sock)
        self._background = Background(writers, self._step)

    def __enter__(self):
        self._background.__enter__()
        return self

    def __exit__(self, *details):
        self._background.__exit__(*details)
        for admin in self._admins:
            admin.close()

    def _step(self, index):
        room = self.rooms[(index + self._round[index]) % len(self.rooms)]
        self._round[index] += 1
        self.write(self._admins[index], room)

    def write(self, admin, room, text=None):
        """One write, noted. A message without a good answer is sent again as a client would, under the same name."""
        text = text or new_id()
        answer, seconds = timed(lambda: room.write(admin, text))
        if answer.status not in (200, 201):
            refused_properly(answer, seconds)
            with self._lock:
                self.refusals += 1
                self.unknown.add(text)
            time.sleep(0.02)
            if not room.posts:
                answer, seconds = timed(lambda: room.write(admin, text))
                if answer.status not in (200, 201):
                    refused_properly(answer, seconds)
        with self._lock:
            if answer.status in (200, 201):
                self.unknown.discard(text)
                assert text not in self.acknowledged
                self.acknowledged[text] = (room, answer.data["id"])
        return answer

    def written(self):
        with self._lock:
            return len(self.acknowledged)

    def goes_on(self, more=40, timeout=15):
        goal = self.written() + more
        wait.until(lambda: self.written() >= goal, "writes go on", timeout=timeout)

    def is_refused(self, timeout=15):
        seen = self.refusals
        wait.until(lambda: self.refusals > seen, "writes are refused", timeout=timeout)

    def check(self):
        """Nothing acknowledged is lost or doubled, nothing is seen that is not there, and every reader has the log."""
        for admin in self._admins:
            admin.close()
        with Person(self.nodes[-1]) as person, person.socket() as fresh:
            for room in self.rooms:
                log, _ = room.sync(fresh)
                self._check_log(room, log, room.stored(person))
                for sock in self.sockets:
                    self._check_reader(room, sock, [event["eventId"] for event in log])

    def _check_log(self, room, log, stored):
        ids = [event["eventId"] for event in log]
        assert ids == sorted(set(ids)), "ids rise, each once"
        entities = [event["data"]["id"] for event in log]
        assert set(entities) == stored and len(entities) == len(stored), "each row has its event, each event its row"
        texts = [room.text_of(event) for event in log]
        assert len(texts) == len(set(texts)), "written twice"
        for text, (where, entity) in self.acknowledged.items():
            if where is room:
                assert text in texts, "an acknowledged write is gone"
                assert log[texts.index(text)]["data"]["id"] == entity
        strange = [text for text in texts if text not in self.acknowledged and text not in self.unknown]
        assert not strange, strange

    @staticmethod
    def _check_reader(room, sock, log):
        def seen():
            return [frame["data"]["eventId"] for frame in list(sock.frames) if room.has(frame)]

        if not log:
            return
        wait.until(lambda: seen()[-1:] == log[-1:], "the reader has the last event", timeout=20)
        assert seen() == log, "live: each event once and in order"


def ready_again(crowd, within=5.0):
    """All nodes are ready within `within` seconds from now, and what is asked of them then is served at once."""
    begun = time.monotonic()
    for node in crowd.nodes:
        wait.until(node.ready, "ready again", timeout=max(0.1, within - (time.monotonic() - begun)), every=0.02)
    for node in crowd.nodes:
        serves(crowd, node)


def serves(crowd, node):
    """Reads, writes, tickets and rooms: none of them is refused."""
    with Admin(node) as admin:
        for room in crowd.rooms:
            answer = crowd.write(admin, room)
            assert answer.status == 201, f"{answer}\n" + "\n".join(node.lines[-12:])
            with admin.socket() as sock:
                room.join(sock)
            (admin.posts if room.posts else admin.messages)(room.channel)
        admin.ticket()
