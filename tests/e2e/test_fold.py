"""State at a position, plus the events after it, is the state read afresh: field by field, for random actions on two nodes, for every
kind of reader: a user, an admin, one whose rights come and go, and one who is banned and let in again."""

import os
import random
import time

from support.fold import POSTS, TALK, Follower
from support.life import Life

SEED = int(os.environ.get("BELFRY_E2E_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
CHECKS = 6  # and two more, arranged
ACTIONS_BETWEEN = 40


def settle(life, follower):
    """Waits until what ends by the clock has ended."""
    if follower.person is life.lapsed and life.lapses_at is not None and life.lapses_at - time.time() < 60:
        while follower.here(life.node()).posts(life.channel, expect=None).status == 200:
            assert time.time() < life.lapses_at + 5, "the right never ends"
        life.lapses_at, life.entitled = None, False
        life.bounds.pop((follower.person.id, POSTS), None)
        life.bounds.pop((follower.person.id, TALK), None)


def check(life, follower, counts):
    """Compares with what is read afresh where the reader may read, and with what it had where it may not."""
    settle(life, follower)
    here = follower.here(life.node())
    for room in (POSTS, TALK):
        kind = (follower.name, room)
        answer = room.first_page(here, life.channel)
        allowed = answer.status == 200
        assert allowed == life.may(follower.person, room), f"seed {SEED}: {kind} {answer}"
        if allowed:
            follower.catch_up(room)
            assert follower.rooms[room].state == room.everything(here, life.channel), f"seed {SEED}: {kind}"
            if kind in counts["away"]:
                counts["back"].add(kind)
            counts["fresh"][kind] = counts["fresh"].get(kind, 0) + 1
        else:
            follower.refused(room, answer.reason)
            bound, last = life.bounds.get((follower.person.id, room)), follower.rooms[room].last
            assert bound is None or last is None or last <= bound, f"seed {SEED}: {kind} heard of what came after its loss"
            counts["away"].add(kind)


def test_state_and_events_after_it_are_the_state_read_afresh(pair, admin):
    print(f"seed {SEED}")
    life = Life(random.Random(SEED), pair, admin)
    for _ in range(ACTIONS_BETWEEN):
        life.act()
    life.open_everything()
    people = {"user": life.users[0], "admin": admin, "lapsed": life.lapsed, "banned": life.banned}
    followers = [Follower(f"{name}, {how}", person, life, live=how == "live") for name, person in people.items()
                 for how in ("live", "replay")]
    for follower in followers:
        follower.begin(between=life.act)
    counts = {"fresh": {}, "away": set(), "back": set()}
    for _ in range(CHECKS):
        for _ in range(ACTIONS_BETWEEN):
            life.act()
        for follower in followers:
            check(life, follower, counts)
            if life.rng.random() < 0.2:
                follower.begin_where_allowed(between=life.act)
    # Nothing of it is empty, whatever chance chose: those who can lose a room are without it and come back, and
    # everybody reads afresh.
    life.lose_entitlement()
    life.ban()
    for follower in followers:
        check(life, follower, counts)
    life.make_up()
    life.open_everything()
    for follower in followers:
        check(life, follower, counts)
    assert len(counts["fresh"]) == 2 * len(followers), counts
    gone = {("lapsed, live", POSTS), ("lapsed, live", TALK), ("lapsed, replay", POSTS), ("lapsed, replay", TALK),
            ("banned, live", TALK), ("banned, replay", TALK)}
    assert gone <= counts["away"] and gone <= counts["back"], counts
    assert not life.missing()
    print(f"{sum(life.done.values())} writes, {sum(counts['fresh'].values())} comparisons")


def test_what_was_held_at_a_loss_stays_as_it_was_and_comes_up_to_date_after_it(pair, admin):
    """Each kind of loss once: nothing of the room arrives while it lasts, and all of it afterwards."""
    life = Life(random.Random(SEED), pair, admin)
    for _ in range(ACTIONS_BETWEEN):
        life.act()
    losses = [
        (life.lapsed, life.lose_entitlement, life.regain_entitlement, (POSTS, TALK), "ENTITLEMENT_REQUIRED"),
        (life.lapsed, life.let_entitlement_run_out, life.regain_entitlement, (POSTS, TALK), "ENTITLEMENT_REQUIRED"),
        (life.lapsed, life.lose_feature, life.regain_feature, (TALK,), "FEATURE_REQUIRED"),
        (life.banned, life.ban, life.unban, (TALK,), "DISCUSSION_BANNED"),
        (life.users[0], life.switch_off, life.switch_on, (TALK,), "DISCUSSION_DISABLED"),
        (life.users[0], life.withdraw, life.publish_again, (POSTS, TALK), "CHANNEL_UNAVAILABLE"),
    ]
    for person, lose, regain, rooms, reason in losses:
        life.open_everything()
        with Follower(lose.__name__, person, life, live=True) as follower:
            follower.begin()
            for _ in range(5):
                life.write()
            for room in (POSTS, TALK):
                follower.catch_up(room)
            at_the_loss = {room: room.everything(follower.here(life.node()), life.channel) for room in (POSTS, TALK)}
            lose()
            for room in rooms:
                assert follower.left(room) == reason, lose.__name__
            for _ in range(12):
                life.write()
            for room in rooms:
                follower.refused(room, None if reason == "CHANNEL_UNAVAILABLE" else reason)
                assert follower.rooms[room].state == at_the_loss[room], lose.__name__
            regain()
            for room in (POSTS, TALK):
                follower.catch_up(room)
                assert follower.rooms[room].state == room.everything(follower.here(life.node()), life.channel), lose.__name__
