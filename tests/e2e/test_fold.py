"""State at a position, plus the events after it, is the state read afresh: field by field, for random actions, for every kind of reader."""

import copy
import os
import random

from support.world import Person

SEED = int(os.environ.get("BELFRY_E2E_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ROUNDS = 3
ACTIONS = 40


def by_actor(data, verb):
    """What a message shows of who did something, as an event tells it."""
    actor = data["actor"]
    return {
        f"{verb}ByAdminId": actor["id"] if actor["type"] == "ADMIN" else None,
        f"{verb}ByUserId": actor["id"] if actor["type"] == "USER" else None,
    }


def fold_post(state, event):
    kind, data = event["eventType"].rsplit(".", 1)[1], dict(event["data"])
    data.pop("actor")
    key = data["id"]
    if kind == "created":
        state[key] = data
    elif kind in ("updated", "pinned"):
        # A replayed update of a post that is deleted by now says so and has no content: the tombstone comes later in the log.
        state[key].update({name: value for name, value in data.items() if name in state[key]})
    else:
        state[key].update(data, bodyText=None, linkUrl=None, chartPayloadJson=None, attachments=[])


def fold_message(state, event):
    kind, data = event["eventType"].rsplit(".", 1)[1], dict(event["data"])
    actor = {"actor": data.pop("actor")}
    data.pop("channelId")
    key = data["id"]
    if kind in ("created", "restored"):
        state[key] = data
    elif kind == "updated":
        state[key].update({name: value for name, value in data.items() if name in state[key]}, **by_actor(actor, "edited"))
    else:
        state[key].update(data, body=None, deletedByAdminId=by_actor(actor, "deleted")["deletedByAdminId"])


def all_pages(read):
    items, query = {}, "?limit=50"
    while True:
        page = read(query).data
        items.update({item["id"]: item for item in page["items"]})
        if not page["has_more"]:
            return items
        query = f"?limit=50&before_id={page['cursor']['next_before_id']}"


def follow(sock, sync, channel, since, fold, state):
    while True:
        page = sync(sock)(channel, since, limit=17)
        assert not page["gap"]
        for event in page["events"]:
            fold(state, event)
        since = page["lastEventId"]
        if not page["hasMore"]:
            return since


def take_live(sock, world, posts, messages):
    """Folds the frames that came by themselves, up to the heads of both rooms."""
    with world.admin.socket() as judge:
        heads = {judge.join_posts(world.channel)["lastEventId"], judge.join_discussion(world.channel)["lastEventId"]}
    while heads:
        frame = sock.next()
        fold, state = (fold_post, posts) if "channel_post" in frame["event"] else (fold_message, messages)
        fold(state, frame["data"])
        heads.discard(frame["data"]["eventId"])


class World:
    def __init__(self, rng, pair, admin):
        self.rng, self.pair, self.admin = rng, pair, admin
        self.key = f"fold.{rng.randrange(10**9)}"
        self.channel, _ = admin.gated(self.key, discussion={})
        self.users = [Person(pair[0]) for _ in range(2)]
        for user in self.users:
            admin.grant(user, self.key)
        self.posts, self.messages = [], []

    def act(self):
        rng, admin = self.rng, self.admin.on(self.rng.choice(self.pair))
        user = rng.choice(self.users).on(rng.choice(self.pair))
        choice = rng.random()
        if choice < 0.2 or not self.posts:
            media = [{"storageKey": f"a/{rng.random()}", "fileName": "a.png", "mimeType": "image/png", "sizeBytes": 5, "displayOrder": 1}]
            self.posts.append(admin.publish(self.channel, f"post {rng.random()}", attachments=media if rng.random() < 0.5 else [])["id"])
        elif choice < 0.32:
            admin.patch(f"/api/admin/posts/{rng.choice(self.posts)}", rng.choice([{"bodyText": f"edit {rng.random()}"}, {"attachments": []},
                                                                              {"linkUrl": f"https://example.org/{rng.randrange(9)}"}]))
        elif choice < 0.42:
            admin.delete(f"/api/admin/posts/{rng.choice(self.posts)}")
        elif choice < 0.52:
            post = f"/api/admin/posts/{rng.choice(self.posts)}/pin"
            admin.put(post) if rng.random() < 0.6 else admin.delete(post)
        elif choice < 0.72 or not self.messages:
            writer = rng.choice([user, admin])
            said = writer.says(self.channel, f"said {rng.random()}", clientMessageId=f"c{rng.randrange(10**9)}")
            self.messages.append((writer, said.data["id"]))
        elif choice < 0.82:
            writer, message = rng.choice(self.messages)
            writer.patch(f"/api/mobile/discussion-messages/{message}", {"body": f"edit {rng.random()}"})
        elif choice < 0.9:
            writer, message = rng.choice(self.messages)
            writer.delete(f"/api/mobile/discussion-messages/{message}") if rng.random() < 0.5 else admin.drop_message(message)
        else:
            admin.restore(rng.choice(self.messages)[1])


def test_state_and_events_after_it_are_the_state_read_afresh(pair, admin):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    world = World(rng, pair, admin)
    readers = [world.users[0], admin]
    for _ in range(ACTIONS):
        world.act()
    for _ in range(ROUNDS):
        held = []
        for reader in readers:
            here = reader.on(rng.choice(pair))
            sock = here.socket()
            position = sock.join_posts(world.channel)["lastEventId"], sock.join_discussion(world.channel)["lastEventId"]
            state = all_pages(lambda q, h=here: h.posts(world.channel, q)), all_pages(lambda q, h=here: h.messages(world.channel, q))
            held.append((reader, sock, position, copy.deepcopy(state)))
        for _ in range(ACTIONS):
            world.act()
        for number, (reader, sock, (post_position, message_position), (posts, messages)) in enumerate(held):
            if number == 0:
                take_live(sock, world, posts, messages)
            else:
                follow(sock, lambda s: s.sync_posts, world.channel, post_position, fold_post, posts)
                follow(sock, lambda s: s.sync_discussion, world.channel, message_position, fold_message, messages)
            fresh = reader.on(rng.choice(pair))
            assert posts == all_pages(lambda q, h=fresh: h.posts(world.channel, q))
            assert messages == all_pages(lambda q, h=fresh: h.messages(world.channel, q))
            sock.close()


def test_a_reader_without_the_right_gets_neither_state_nor_events(pair, admin):
    world = World(random.Random(SEED), pair, admin)
    lapsed = Person(pair[0])
    admin.grant(lapsed, world.key)
    with lapsed.socket() as sock:
        last = sock.join_discussion(world.channel)["lastEventId"]
        for _ in range(10):
            world.act()
        admin.revoke(lapsed, world.key)
        for _ in range(10):
            world.act()
        sock.until("communication:room_left")
        sock.fails("communication:sync_discussion", {"channelId": world.channel, "sinceEventId": last} if last else {"channelId": world.channel},
                   "FORBIDDEN")
    lapsed.posts(world.channel, expect=403)
    lapsed.messages(world.channel, expect=403)
