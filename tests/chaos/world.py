"""What there is to act on, who acts, and what everybody knows of each other."""

import collections
import random
import threading

from actors import AdminWriter, Place, Poller, UserWriter
from readers import Reader
from returning import TRANSPORTS, ReturningReader
from rights import Ambusher, Borrower, Herald, Huddler, KeyTaker, Switcher, VastTaker
from support.tokens import token
from support.world import Admin, new_id
from tickets import TicketHolder

KEY, VAST, BRIEF, FEATURE = "key.chaos", "key.vast", "key.brief", "feature.chaos"
ROOMS_OF_A_READER = 170  # a connection may be in 200


class World:
    def __init__(self, fleet, rec, rng, pulse, vast):
        self.fleet, self.rec, self.rng, self.pulse = fleet, rec, rng, pulse
        self.quiet, self.stop = threading.Event(), threading.Event()
        self.failures, self.counts, self.statuses = [], collections.Counter(), collections.Counter()
        self.last, self.callers = {}, []
        self.places, self.vast = [], []
        self.member = new_id()  # is never refused anything
        self.member_token = token(self.member, lifetime=86_400)
        self.victims = [new_id() for _ in range(8)]
        self._size = vast

    def build(self):
        with Admin(self.fleet.nodes()[0]) as admin:
            for number, (key, more) in enumerate(PLACES):
                self.place(admin, f"Room {number}", key, more)
            self.heavy = admin.channel(title="Heavy")
            for _ in range(40):
                admin.publish(self.heavy, "x" * 15000)
            for number in range(self._size):
                self.vast.append(Place(admin.channel(title=f"Vast {number}", **gated(VAST)), None, VAST))
            for user in (self.member, *self.victims):
                for kind, key in (("entitlements", KEY), ("entitlements", VAST), ("entitlements", BRIEF), ("features", FEATURE)):
                    admin.put(f"/api/admin/users/{user}/{kind}/{key}", {}, expect=200)

    def place(self, admin, title, key, more):
        channel = admin.channel(title=title, **(gated(key) if key else {}))
        made = admin.discussion(channel, title="Talk", isEnabled=True, **more)
        slow = more.get("slowModeIntervalSeconds")
        self.places.append(Place(channel, made["id"], key, slow, more.get("requiredFeatureKey")))
        if slow:
            self.rec("slow", room=self.places[-1].messages, seconds=slow)

    def rooms_of(self, key):
        return [room for place in self.places + self.vast if place.key == key for room in place.rooms()]

    @property
    def everybody(self):
        return [self.member, *self.victims]

    def child(self):
        return random.Random(self.rng.random())

    def actors(self):
        c, victims = self.child, self.victims
        made = [AdminWriter(self, c(), 0.12) for _ in range(4)]
        made += [UserWriter(self, c(), place, 0.15, user=user)
                 for place, user in zip(self.places[:3], (self.member, victims[0], victims[1]))]
        made += [UserWriter(self, c(), self.places[3], 0.04, user=victims[2]) for _ in range(4)]
        made += [UserWriter(self, c(), self.places[0], 0.1, user=victims[3])]
        made += [Poller(self, c(), user=user) for user in (self.member, self.member, victims[0], victims[3])]
        made += [Poller(self, c(), user=victims[4], places=self.places[1:3], pause=0.02) for _ in range(2)]
        made += [KeyTaker(self, c(), victims[:2]), KeyTaker(self, c(), victims[2:4]), Ambusher(self, c(), victims[4]),
                 Borrower(self, c(), victims[5]), Huddler(self, c(), victims[6]), Switcher(self, c(), self.places[5]),
                 VastTaker(self, c(), victims[7]), Herald(self, c()), TicketHolder(self, c()), TicketHolder(self, c())]
        return made

    def readers(self):
        users = [self.member] * 6 + self.victims[:6] + [self.victims[0], self.victims[2], self.victims[4], self.victims[4]]
        made = [self.reader(user, self.places, transport, sleepy=number in (1, 8), restless=number not in (0, 3, 4))
                for number, (user, transport) in enumerate(zip(users, self.transports(len(users))))]
        parts = [self.vast[at:at + ROOMS_OF_A_READER] for at in range(0, len(self.vast), ROOMS_OF_A_READER)]
        made += [self.reader(user, part, restless=False) for part in parts for user in (self.member, self.victims[7])]
        # Those of the rooms where little is written: only there is an event that was overlooked not found by the next.
        # Socket.IO recovers up to 32 rooms.
        return made + [self.reader(user, self.vast[:count], transport, restless=False) for user, count, transport in (
            (self.member, 40, None), (self.member, 40, "websocket"), (self.member, 32, "polling"), (self.victims[7], 20, "upgrade"))]

    def transports(self, count):
        """A third of the readers is of Socket.IO, by each of its roads; the seed says who."""
        chosen = [*TRANSPORTS, *self.rng.choices(TRANSPORTS, k=count)][:count // 3]
        chosen += [None] * (count - len(chosen))
        self.rng.shuffle(chosen)
        return chosen

    def reader(self, user, places, transport=None, **more):
        if transport is None:
            return Reader(self, self.child(), user, places, **more)
        return ReturningReader(self, self.child(), user, places, transport, **more)


def gated(key):
    return {"accessPolicy": "EXTERNAL_GATED", "entitlementKey": key}


SLOW = {"slowModeEnabled": True, "slowModeIntervalSeconds": 1}
PLACES = [(None, {}), (KEY, {}), (KEY, {}), (None, SLOW), (None, {"requiredFeatureKey": FEATURE}), (None, {}), (BRIEF, {})]
