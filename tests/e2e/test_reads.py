"""Reads from memory: exact on every node whatever the bus does, and shared by those who ask for the same."""

import asyncio

import pytest

from support.herd import Member, each
from support.nats import free_port
from support.world import Admin, Person, time_text

ROUNDS = 60


def metric(node, name):
    with node.client() as client:
        for line in client.get("/metrics", expect=200).text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


@pytest.fixture(params=["heard", "dead"])
def two(request, start, fresh):
    """Two nodes; `dead`: neither ever hears of the other, but by looking twice a second."""
    bus = {"BELFRY_BUS": f"nats://127.0.0.1:{free_port()}"} if request.param == "dead" else {}
    # One socket asks as fast as the answers come: how often it may is not what is tested here.
    return [start(fresh, BELFRY_WS_COMMAND_BURST="10000", **bus) for _ in range(2)]


def test_pages_have_what_was_acknowledged_on_the_other_node(two):
    admin = Admin(two[0])
    channel = admin.channel(discussion={})
    readers = [Person(two[1]) for _ in range(3)]
    stranger = two[1].client()
    for number in range(ROUNDS):
        post = admin.publish(channel, f"Note {number}")["id"]
        message = admin.says_officially(channel, f"Word {number}").data["id"]
        for reader in readers:
            assert reader.posts(channel, "?limit=3").data["items"][0]["id"] == post
            assert reader.messages(channel, "?limit=3").data["items"][0]["id"] == message
        assert stranger.get(f"/api/mobile/channels/{channel}/posts?limit=3", expect=200).data["items"][0]["id"] == post
        if number % 3 == 0:
            admin.drop_post(post)
            admin.drop_message(message)
            for reader in readers:
                shown = reader.posts(channel, "?limit=3").data["items"][0]
                assert shown["isDeleted"] and shown["bodyText"] is None
                shown = reader.messages(channel, "?limit=3").data["items"][0]
                assert shown["isDeleted"] and shown["body"] is None
        elif number % 3 == 1:
            admin.change_post(post, bodyText=f"Other {number}")
            admin.edit_any(message, f"Other {number}")
            admin.pin(post)
            for reader in readers:
                shown = reader.posts(channel, "?limit=3").data["items"][0]
                assert shown["bodyText"] == f"Other {number}" and shown["isPinned"]
                assert reader.messages(channel, "?limit=3").data["items"][0]["body"] == f"Other {number}"
        else:
            admin.drop_message(message)
            readers[0].messages(channel, "?limit=3")
            admin.restore(message)
            assert readers[0].messages(channel, "?limit=3").data["items"][0]["body"] == f"Word {number}"
    stranger.close()
    assert metric(two[1], "belfry_cached_reads_total") > ROUNDS * 4, "they did come from memory"


def test_rights_end_and_begin_with_their_acknowledgement_on_the_other_node(two):
    admin = Admin(two[0])
    channel, key = admin.gated(discussion={})
    reader = Person(two[1])
    stays = Person(two[1])
    admin.grant(reader, key)
    admin.grant(stays, key)
    admin.publish(channel)
    with reader.socket() as sock:
        for number in range(ROUNDS):
            for _ in range(2):
                reader.posts(channel)
                reader.messages(channel)
                stays.messages(channel)
                sock.sync_discussion(channel)
            kind = number % 4
            if kind == 0:
                admin.revoke(reader, key)
                reader.posts(channel, expect=403)
                reader.messages(channel, expect=403)
                sock.fails("communication:sync_discussion", {"channelId": channel}, "FORBIDDEN")
                admin.grant(reader, key)
            elif kind == 1:
                admin.ban(channel, reader)
                assert reader.messages(channel, expect=403).reason == "DISCUSSION_BANNED"
                sock.fails("communication:sync_discussion", {"channelId": channel}, "FORBIDDEN")
                admin.unban(channel, reader)
            elif kind == 2:
                admin.discussion(channel, isEnabled=False)
                assert reader.messages(channel, expect=403).reason == "DISCUSSION_DISABLED"
                admin.discussion(channel, isEnabled=True)
            else:
                admin.set_channel(channel, status="DRAFT")
                reader.posts(channel, expect=404)
                stays.messages(channel, expect=404)
                admin.set_channel(channel, status="ACTIVE")
            stays.posts(channel)
            # What is said while the reader is out stays unseen, and is there when the reader is back.
            said = admin.says_officially(channel, f"Word {number}").data["id"]
            assert reader.messages(channel).data["items"][0]["id"] == said
            assert sock.sync_discussion(channel, limit=500)["events"][-1]["data"]["id"] == said
    assert metric(two[1], "belfry_cached_reads_total") > ROUNDS * 4


def test_replays_have_what_was_acknowledged_on_the_other_node(two):
    admin = Admin(two[0])
    channel = admin.channel(discussion={})
    people = [Person(two[1]) for _ in range(3)]
    socks = [person.socket() for person in people]
    for sock in socks[1:]:
        sock.join_discussion(channel)  # the first one only asks
    last = None
    ids = []
    for number in range(ROUNDS):
        ids.append(admin.says_officially(channel, f"Word {number}").data["id"])
        if number % 5 == 4:
            admin.mute(channel, people[0], until=time_text(3600 + number))
        if number % 10 == 9:
            admin.drop_message(ids[-3])
        for sock in socks:
            whole = sock.sync_discussion(channel, limit=500)
            assert not whole["hasMore"] and not whole["gap"]
            made = [event for event in whole["events"] if event["eventType"].endswith("message.created")]
            assert [event["data"]["id"] for event in made] == ids
            gone = {event["data"]["id"] for event in whole["events"] if event["eventType"].endswith("message.deleted")}
            assert all(event["data"]["body"] is None for event in made if event["data"]["id"] in gone)
            since = sock.sync_discussion(channel, since=last, limit=500) if last else whole
            assert since["lastEventId"] == whole["lastEventId"] == whole["events"][-1]["eventId"]
        last = whole["lastEventId"]
    assert metric(two[1], "belfry_cached_reads_total") > ROUNDS


HERD = 1000
ROUNDS_OF_CUTS = 10


class Writer:
    """Writes to the room, on a thread of its own while the members are busy."""

    def __init__(self, node, channel):
        self._admin, self._channel = Admin(node), channel
        self.written = 0

    async def writes(self, count):
        for _ in range(count):
            await asyncio.to_thread(self._admin.says_officially, self._channel, f"Word {self.written}")
            self.written += 1


def test_a_thousand_who_come_back_at_once_cost_a_handful_of_reads(start, fresh):
    """Half of them lose their lines while the room goes on, so their places differ; the others lose the node. All come to
    another node in one moment, while it is written to, and each reads from its own place."""
    lost, node = start(fresh), start(fresh)
    channel = Admin(lost).channel(discussion={})
    members = [Member(Person(lost), channel, checked=not number) for number in range(HERD)]

    def reads():
        return metric(node, "belfry_replay_reads_total") + metric(node, "belfry_log_reads_total")

    async def run():
        await Writer(lost, channel).writes(3)
        before, elsewhere = Writer(lost, channel), Writer(node, channel)
        await each(members, lambda member: member.enter(lost))
        for number in range(ROUNDS_OF_CUTS):
            await before.writes(3)
            await each(members[number * 50 :], lambda member: member.take(before.written))
            for member in members[number * 50 : number * 50 + 50]:
                member.cut()
        lost.kill()
        lost.gone = True
        await elsewhere.writes(20)
        counts = reads(), metric(node, "belfry_decision_reads_total"), metric(node, "belfry_cached_reads_total")
        await asyncio.gather(each(members, lambda member: member.enter(node)), elsewhere.writes(5))
        await each(members, lambda member: member.take(before.written + elsewhere.written))
        after = reads(), metric(node, "belfry_decision_reads_total"), metric(node, "belfry_cached_reads_total")
        await each(members, Member.leave)
        return [now - then for now, then in zip(after, counts)]

    replays, decisions, cached = asyncio.run(run())
    with Person(node).socket() as sock:
        log = [event["eventId"] for event in sock.sync_discussion(channel, limit=500)["events"]]
    assert len(log) == 3 + 3 * ROUNDS_OF_CUTS + 25
    for member in members:
        assert member.events == log[3:], "each event once, in order"
    assert replays <= 10, "reads of the log"
    assert decisions <= 5
    assert cached >= HERD - 10, "the others came from memory"
