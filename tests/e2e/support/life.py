"""A channel in which everything happens that can happen: posts of each type, talk, moderation, settings, rights that come and go."""

import collections
import time

from support.fold import POSTS, TALK, head_of
from support.world import Person, time_text

REFUSALS = (403, 404, 409, 429)  # a place that is locked, gone, archived or slow at the moment


class Life:
    def __init__(self, rng, nodes, admin):
        self.rng, self.nodes, self.admin = rng, nodes, admin
        admin = self.boss()  # on a connection that has not been idle
        self.key, self.feature = f"life.{rng.randrange(10**9)}", f"talk.{rng.randrange(10**9)}"
        self.channel, _ = admin.gated(self.key, discussion={"requiredFeatureKey": self.feature})
        self.users = [Person(nodes[0], username=f"user {number}") for number in range(2)]
        self.lapsed, self.banned = Person(nodes[0], username="lapsed"), Person(nodes[0], username="banned")
        self.people = [*self.users, self.lapsed, self.banned]
        for person in self.people:
            admin.grant(person, self.key)
            admin.grant(person, self.feature, kind="features")
        self.entitled = self.featured = self.enabled = True
        self.is_banned, self.drafted, self.lapses_at, self.slow = False, False, None, False
        self.bounds = {}  # by person and room: its last event before the right to it was lost
        self.posts, self.messages = [], []
        self.done = collections.Counter()
        written = {
            "publish": (14, self.publish), "change post": (14, self.change_post), "drop post": (5, self.drop_post),
            "pin": (6, self.pin), "unpin": (6, self.unpin), "say": (20, self.say), "say officially": (5, self.say_officially),
            "say again": (4, self.say_again), "edit": (8, self.edit), "edit any": (5, self.edit_any),
            "drop message": (6, self.drop_message), "drop own": (4, self.drop_own), "restore": (8, self.restore),
        }
        self.writes = list(written)
        self.actions = {
            **written,
            "rename channel": (2, self.rename_channel), "rename discussion": (2, self.rename_discussion),
            "slow mode": (2, self.slow_mode), "mute": (2, self.mute), "unmute": (3, self.unmute),
            "join": (2, self.join), "leave": (2, self.leave), "read": (3, self.read),
            "lose entitlement": (2, self.lose_entitlement), "regain entitlement": (3, self.regain_entitlement),
            "run out": (1, self.let_entitlement_run_out), "lose feature": (2, self.lose_feature),
            "regain feature": (3, self.regain_feature), "ban": (3, self.ban), "unban": (3, self.unban),
            "switch off": (1, self.switch_off), "switch on": (5, self.switch_on), "archive": (1, self.archive),
            "withdraw": (1, self.withdraw), "back": (6, self.publish_again), "new name": (2, self.new_name),
        }

    def node(self):
        return self.rng.choice(self.nodes)

    def boss(self):
        return self.admin.on(self.node())

    def may(self, person, room):
        """What the contract says, told by what was done."""
        boss = person is self.admin
        posts = not self.drafted and (boss or person is not self.lapsed or self.entitled)
        if room is not TALK:
            return posts
        held = boss or person is not self.lapsed or self.featured
        return posts and self.enabled and held and not (person is self.banned and self.is_banned)

    def act(self):
        names = list(self.actions)
        missing = self.missing()
        if missing and self.rng.random() < 0.2:
            return self._do(self.rng.choice(missing))
        self._do(self.rng.choices(names, [self.actions[name][0] for name in names])[0])

    def missing(self):
        """What was not done with success yet."""
        return [name for name in self.actions if name not in self.done]

    def make_up(self):
        for name in self.missing():
            self.open_everything()
            self._do(name)

    def write(self):
        """Something that the rooms show, by somebody who may."""
        self._do(self.rng.choices(self.writes, [self.actions[name][0] for name in self.writes])[0])

    def _do(self, name):
        answer = self.actions[name][1]()
        if answer is None or answer.status < 300:
            self.done[name] += 1
        else:
            assert answer.status in REFUSALS, f"{name}: {answer}"

    def open_everything(self):
        for heal in (self.publish_again, self.switch_on, self.regain_entitlement, self.regain_feature, self.unban):
            heal()
        self.boss().discussion(self.channel, slowModeEnabled=False)
        for person in self.people:
            self.boss().unmute(self.channel, person)
            person.on(self.node()).post(f"/api/mobile/channels/{self.channel}/leave", expect=200)

    # posts
    def media(self):
        return [{"storageKey": f"a/{self.rng.random()}", "fileName": "a.png", "mimeType": "image/png", "sizeBytes": 5,
                 "displayOrder": order} for order in range(self.rng.randrange(1, 3))]

    def link(self):
        return f"https://example.org/{self.rng.randrange(9)}"

    def chart(self):
        return {"points": [self.rng.randrange(9), self.rng.random()], "of": {"name": f"{self.rng.randrange(9)}"}}

    def publish(self):
        body = self.rng.choice([{"type": "TEXT", "bodyText": f"post {self.rng.random()}"}, {"type": "LINK", "linkUrl": self.link()},
                                {"type": "CHART", "chartPayloadJson": self.chart()}, {"type": "MEDIA", "attachments": self.media()}])
        if self.rng.random() < 0.3:
            body["publishedAt"] = time_text(-self.rng.randrange(1, 9999))
        answer = self.boss().post(f"/api/admin/channels/{self.channel}/posts", body)
        if answer.status == 201:
            self.posts.append(answer.data["id"])
        return answer

    def a_post(self):
        return f"/api/admin/posts/{self.rng.choice(self.posts)}" if self.posts else "/api/admin/posts/999999999"

    def change_post(self):
        change = self.rng.choice([{"bodyText": f"edit {self.rng.random()}"}, {"attachments": self.media()}, {"linkUrl": self.link()},
                                  {"chartPayloadJson": self.chart()}, {"publishedAt": time_text(-self.rng.randrange(1, 9999))},
                                  {"bodyText": "the same", "linkUrl": self.link()}])
        return self.boss().patch(self.a_post(), change)

    def drop_post(self):
        return self.boss().delete(self.a_post())

    def pin(self):
        return self.boss().put(self.a_post() + "/pin")

    def unpin(self):
        return self.boss().delete(self.a_post() + "/pin")

    # talk
    def somebody(self):
        return self.rng.choice(self.people)

    def say(self, fields=None, person=None):
        person = person or self.somebody()
        if fields is None:
            fields = {"clientMessageId": f"c{self.rng.randrange(10**9)}"} if self.rng.random() < 0.5 else {}
        answer = person.on(self.node()).says(self.channel, f"said {self.rng.random()}", expect=None, **fields)
        if answer.status == 201:
            self.messages.append((person, answer.data["id"], fields))
        return answer

    def say_officially(self):
        answer = self.boss().says_officially(self.channel, f"said {self.rng.random()}", expect=None)
        if answer.status == 201:
            self.messages.append((self.admin, answer.data["id"], {}))
        return answer

    def say_again(self):
        """The client's own id again: nothing is written."""
        said = [(person, fields) for person, _, fields in self.messages if fields]
        return self.say(*reversed(self.rng.choice(said))) if said else None

    def a_message(self):
        person, message, _ = self.rng.choice(self.messages) if self.messages else (self.users[0], 999999999, {})
        return person.on(self.node()), message

    def text(self):
        return "the same words" if self.rng.random() < 0.2 else f"edit {self.rng.random()}"

    def edit(self):
        person, message = self.a_message()
        return person.patch(f"/api/mobile/discussion-messages/{message}", {"body": self.text()})

    def edit_any(self):
        return self.boss().patch(f"/api/admin/discussion-messages/{self.a_message()[1]}", {"body": self.text()})

    def drop_message(self):
        return self.boss().delete(f"/api/admin/discussion-messages/{self.a_message()[1]}")

    def drop_own(self):
        person, message = self.a_message()
        return person.delete(f"/api/mobile/discussion-messages/{message}")

    def restore(self):
        return self.boss().post(f"/api/admin/discussion-messages/{self.a_message()[1]}/restore")

    # what the rooms do not show
    def rename_channel(self):
        return self.boss().set_channel(self.channel, title=f"Title {self.rng.random()}", description="Of today")

    def rename_discussion(self):
        self.boss().discussion(self.channel, title=f"Talk {self.rng.random()}")

    def slow_mode(self):
        self.slow = not self.slow
        self.boss().discussion(self.channel, slowModeEnabled=self.slow, slowModeIntervalSeconds=1)

    def mute(self):
        return self.boss().mute(self.channel, self.somebody(), **({"until": time_text(1)} if self.rng.random() < 0.5 else {}))

    def unmute(self):
        return self.boss().unmute(self.channel, self.somebody())

    def join(self):
        return self.somebody().on(self.node()).post(f"/api/mobile/channels/{self.channel}/join")

    def leave(self):
        return self.somebody().on(self.node()).post(f"/api/mobile/channels/{self.channel}/leave")

    def read(self):
        return self.somebody().on(self.node()).post(f"/api/mobile/channels/{self.channel}/read-state",
                                                    {"last_seen_post_id": str(self.rng.choice(self.posts or ["1"]))})

    def new_name(self):
        """An author's later messages have it, the earlier ones keep the old one."""
        person = self.somebody()
        person.token = Person(self.nodes[0], user_id=person.id, username=f"name {self.rng.randrange(10**6)}").token

    # rights
    def lose_entitlement(self):
        self.losing([self.lapsed], POSTS, TALK)
        self.entitled, self.lapses_at = False, None
        return self.boss().revoke(self.lapsed, self.key)

    def losing(self, people, *rooms):
        for room in rooms:
            if self.may(self.admin, room):
                head = head_of(room, self.boss(), self.channel)
                self.bounds.update({(person.id, room): head for person in people if self.may(person, room)})

    def regain_entitlement(self):
        self.entitled, self.lapses_at = True, None
        return self.boss().grant(self.lapsed, self.key, validUntil=None)

    def let_entitlement_run_out(self):
        if not self.entitled:
            return None
        self.lapses_at = time.time() + 0.7
        return self.boss().grant(self.lapsed, self.key, validUntil=time_text(0.7))

    def lose_feature(self):
        self.losing([self.lapsed], TALK)
        self.featured = False
        return self.boss().revoke(self.lapsed, self.feature, kind="features")

    def regain_feature(self):
        self.featured = True
        return self.boss().grant(self.lapsed, self.feature, kind="features")

    def ban(self):
        self.losing([self.banned], TALK)
        self.is_banned = True
        return self.boss().ban(self.channel, self.banned)

    def unban(self):
        self.is_banned = False
        return self.boss().unban(self.channel, self.banned)

    def switch_off(self):
        self.losing([self.admin, *self.people], TALK)
        self.enabled = False
        self.boss().discussion(self.channel, isEnabled=False)

    def switch_on(self):
        self.enabled = True
        self.boss().discussion(self.channel, isEnabled=True)

    # the channel
    def archive(self):
        return self.boss().set_channel(self.channel, status="ARCHIVED", expect=None)

    def withdraw(self):
        self.losing([self.admin, *self.people], POSTS, TALK)
        self.drafted = True
        return self.boss().set_channel(self.channel, status="DRAFT")

    def publish_again(self):
        self.drafted = False
        return self.boss().set_channel(self.channel, status="ACTIVE")
