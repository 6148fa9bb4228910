"""Those who write, read pages and change rights. Each is one thread with a generator of its own; what it did is recorded."""

import http.client
import threading
import time

from recorder import content_of, now
from support.http import Client
from support.world import new_id
from support.tokens import token

POST = "communication.channel_post."
MESSAGE = "communication.discussion_message."
LENGTHS = [0, 0, 10, 10, 40, 80, 200, 200, 1000, 12000]
LOST = (OSError, http.client.HTTPException, ValueError)
HANGS = 60.0  # s: not waited for any longer
ANSWERS = 8.0  # s: longer than any fault lasts
SLOW = 2_000_000_000  # ns: worth a line in the recording


class Place:
    """A channel with its discussion, if it has one."""

    def __init__(self, channel, discussion, key=None, slow=None, feature=None):
        self.channel, self.discussion, self.key, self.slow, self.feature = channel, discussion, key, slow, feature
        self.posts = f"communication:channel:{channel}:posts"
        self.messages = discussion and f"communication:discussion:{discussion}:messages"

    def rooms(self):
        return [self.posts, self.messages] if self.messages else [self.posts]


class Caller:
    """One identity that asks any node; each request may be lost."""

    def __init__(self, world, rng, role=None, user=None):
        self.world, self.rng, self.rec, self.user = world, rng, world.rec, user or new_id()
        self.role, self.token = role, token(self.user, role, lifetime=86_400)
        world.callers.append(self)
        self._clients, self.late = {}, False

    def ask(self, method, path, body=None, port=None):
        """(answer or None, begun, done)"""
        port = port or self.world.fleet.port(self.rng)
        self.late = False  # may it still be executed after it seemed lost?
        begun = now()
        if port is None:
            time.sleep(0.05)
            return None, begun, now()
        client = self._clients.get(port)
        if client is None:
            for old in self._clients.values() if len(self._clients) > 6 else ():
                old.close()
            self._clients = self._clients if len(self._clients) <= 6 else {}
            client = self._clients[port] = Client(port, token=self.token, timeout=HANGS)
        try:
            answer = client.request(method, path, **({} if body is None else {"body": body}))
        except LOST as error:
            self.late = not isinstance(error, ConnectionRefusedError)  # no node ever had it
            self.judge(method, path, begun, None)
            time.sleep(0.02)
            return None, begun, now()
        done = self.judge(method, path, begun, answer)
        self.world.statuses[answer.status] += 1
        return answer, begun, done

    def judge(self, method, path, begun, answer):
        """Whatever happens, an answer or the end of the connection comes before long."""
        done = now()
        if done - begun > SLOW:
            bound = self.world.pulse.bound(ANSWERS, begun, done)
            self.rec("wait", what=f"{method} {path}", begun=begun, done=done, bound=int(bound * 1e9))
        if answer is not None and (answer.status == 500 or
                                   (answer.status in (429, 503) and "retry-after" not in answer.headers)):
            self.world.failures.append(f"{answer.status}: {method} {path}: {answer}")
        return done

    def close(self):
        for client in self._clients.values():
            client.close()

    @staticmethod
    def outcome(answer):
        if answer is None or answer.status >= 500:
            return "unknown"
        return "acknowledged" if answer.status < 300 else "refused"


class Actor(threading.Thread):
    def __init__(self, world, rng, **who):
        super().__init__(daemon=True)
        self.world, self.rng, self.rec = world, rng, world.rec
        self.caller = Caller(world, rng, **who)
        self.made = 0
        self.name = f"{type(self).__name__}-{self.caller.user[:8]}"

    def run(self):
        try:
            while not self.world.quiet.is_set():
                self.step()
            self.finish()
        except BaseException as error:  # noqa: BLE001 - a dead actor must not look like a quiet one
            self.world.failures.append(f"{self.name}: {error!r}")
            raise

    def finish(self):
        """What is left to be put right when the world is quiet."""

    def mark(self):
        self.made += 1
        return f"#{self.caller.user[:13]}.{self.made}#"

    def write(self, room, kind, method, path, body=None, entity=None, content=None, port=None):
        answer, begun, done = self.caller.ask(method, path, body, port)
        outcome = self.caller.outcome(answer)
        if outcome == "acknowledged" and entity is None:
            entity = int(answer.data["id"])
        self.rec("write", who=self.caller.user, room=room, type=kind, entity=entity, content=content, begun=begun,
                 done=done, outcome=outcome)
        return outcome, entity, answer


class AdminWriter(Actor):
    """Posts and official messages. An entity whose state is not known any more is left alone."""

    def __init__(self, world, rng, pause):
        super().__init__(world, rng, role="ADMIN")
        self.pause = pause
        self.mine = []  # [place, "post" or "message", id, deleted, pinned]
        self.reader = Caller(world, rng, user=world.member)

    def step(self):
        if self.rng.random() < 0.6 or not self.mine:
            self.create()
        else:
            self.change(self.rng.choice(self.mine))
        time.sleep(self.rng.random() * self.pause)

    def create(self):
        place, mark = self.rng.choice(self.world.places), self.mark()
        text = mark + " " + "x" * self.rng.choice(LENGTHS)
        if self.rng.random() < 0.5:
            made = self.write(place.posts, POST + "created", "POST", f"/api/admin/channels/{place.channel}/posts",
                              {"type": "TEXT", "bodyText": text}, content=mark)
            what = "post"
        else:
            made = self.write(place.messages, MESSAGE + "created", "POST",
                              f"/api/admin/channels/{place.channel}/discussion/messages", {"body": text[:3500]}, content=mark)
            what = "message"
        if made[0] == "acknowledged":
            self.mine.append([place, what, made[1], False, False])
            del self.mine[:-30]

    def change(self, own):
        place, what, entity, deleted, pinned = own
        post = what == "post"
        room, prefix = (place.posts, POST) if post else (place.messages, MESSAGE)
        path = f"/api/admin/posts/{entity}" if post else f"/api/admin/discussion-messages/{entity}"
        if deleted:
            outcome = self.write(room, prefix + "restored", "POST", path + "/restore", entity=entity)[0]
            own[3] = False
        elif post and self.rng.random() < 0.2:
            outcome = self.write(room, prefix + "pinned", "DELETE" if pinned else "PUT", path + "/pin", entity=entity)[0]
            own[4] = not pinned
        elif self.rng.random() < 0.5:
            mark = self.mark()
            outcome = self.write(room, prefix + "updated", "PATCH", path, {"bodyText" if post else "body": mark},
                                 entity=entity, content=mark)[0]
        else:
            outcome = self.write(room, prefix + "deleted", "DELETE", path, entity=entity)[0]
            own[3] = True
            if outcome == "acknowledged":
                self.look(place, what, entity)
        if outcome != "acknowledged" or (post and own[3]):
            self.mine.remove(own)

    def look(self, place, what, entity):
        """A page of any node that was asked after the deletion was answered."""
        read_page(self.world, self.reader, place, what, "before", entity + 1, 3)


class UserWriter(Actor):
    """Messages of a user with a client id: an unknown outcome is asked again elsewhere, and must not write twice."""

    def __init__(self, world, rng, place, pause, user=None):
        super().__init__(world, rng, user=user)
        self.place, self.pause = place, pause

    def step(self):
        mark = self.mark() if not self.place.slow else self.mark()[:-1] + f".{threading.get_ident()}#"
        path = f"/api/mobile/channels/{self.place.channel}/discussion/messages"
        body = {"body": mark, "clientMessageId": mark[1:-1][-60:]}
        answer, begun, done = self.caller.ask("POST", path, body)
        outcome = self.caller.outcome(answer)
        while outcome == "unknown" and not self.world.quiet.is_set() and self.rng.random() < 0.9:
            answer, _, done = self.caller.ask("POST", path, body)
            again = self.caller.outcome(answer)
            outcome = again if again == "acknowledged" else "unknown"  # a refusal now says nothing about the first time
            self.world.counts["repeated writes"] += 1
        entity = int(answer.data["id"]) if outcome == "acknowledged" else None
        self.rec("write", who=self.caller.user, room=self.place.messages, type=MESSAGE + "created", entity=entity,
                 content=mark, begun=begun, done=done, outcome=outcome)
        time.sleep(self.rng.random() * self.pause)


def read_page(world, caller, place, what, order, cursor, limit):
    post = what == "post"
    path = f"/api/mobile/channels/{place.channel}/" + ("posts" if post else "discussion/messages") + f"?limit={limit}"
    if order != "newest":
        path += f"&{order}_id={cursor}"
    answer, begun, done = caller.ask("GET", path)
    if answer is None or answer.status != 200:
        return None
    items = [{"entity": int(item["id"]), "content": content_of(item)} for item in answer.data["items"]]
    world.rec("page", user=caller.user, room=place.posts if post else place.messages, order=order,
              cursor=None if order == "newest" else cursor, limit=limit, items=items, hasMore=answer.data["has_more"],
              begun=begun, done=done)
    return items, answer.data["has_more"]


class Poller(Actor):
    """Follows the posts of each channel by `after_id`, and looks at pages in the other direction in between."""

    def __init__(self, world, rng, user=None, places=None, pause=0.15):
        super().__init__(world, rng, user=user)
        self.places, self.pause = places or world.places, pause
        self.at = {place.channel: 0 for place in world.places}

    def step(self):
        place = self.rng.choice(self.places)
        draw, limit = self.rng.random(), self.rng.choice([1, 5, 20, 20, 50])
        if draw < 0.5:
            page = read_page(self.world, self.caller, place, "post", "after", self.at[place.channel], limit)
            if page and page[0]:
                self.at[place.channel] = page[0][-1]["entity"]
        elif draw < 0.7:
            read_page(self.world, self.caller, place, "post", "newest", None, limit)
        elif draw < 0.8:
            read_page(self.world, self.caller, place, "post", "before", self.at[place.channel] + 1, limit)
        else:
            self.messages(place, limit)
        if self.rng.random() < 0.3:
            self.read_state(place)
        time.sleep(self.rng.random() * self.pause)

    def messages(self, place, limit):
        page = read_page(self.world, self.caller, place, "message", "newest", None, limit)
        if page and page[1]:
            read_page(self.world, self.caller, place, "message", "before", page[0][-1]["entity"], limit)

    def read_state(self, place):
        at = self.at[place.channel]
        path = f"/api/mobile/channels/{place.channel}/read-state"
        if self.rng.random() < 0.7:
            seen = str(self.rng.randrange(at + 1))
            answer, begun, done = self.caller.ask("POST", path, {"last_seen_post_id": seen})
        else:
            answer, begun, done = self.caller.ask("GET", path)
        if answer is not None and answer.status == 200:
            self.rec("cursor", user=self.caller.user, channel=str(place.channel), begun=begun, done=done,
                     value=int(answer.data["lastSeenPostId"]))
