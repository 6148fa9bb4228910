"""The rooms over Socket.IO: the same events as on native sockets, and a recovery that misses nothing on any node."""

import pytest

from support import wait
from support.parallel import in_parallel
from support.socketio import Memory, Socket
from support.world import Admin, Person, new_id

POSTS_JOIN, TALK_JOIN = "communication:join_channel_posts", "communication:join_discussion"
POSITION, LEFT = "communication:position", "communication:room_left"
EVERY = ["websocket", "polling", "upgrade"]
transports = pytest.mark.parametrize("transport", EVERY)


def enter(node, person, transport="websocket", **options):
    return Socket(node.port, person.token, transport, **options)


def come_back(sock, node, person, transport="websocket"):
    return sock.again(node.port, person.token, transport)


def rooms_of(frames):
    """Each room's frames, in order."""
    found = {}
    for frame in frames:
        found.setdefault(frame["room"], []).append(frame)
    return found


def texts(frames):
    return [frame["data"]["data"].get("bodyText") or frame["data"]["data"].get("body") for frame in frames]


def take(sock, count):
    return [sock.next() for _ in range(count)]


def a_bit_of_everything(admin, channel):
    """How many events it made."""
    posts = [admin.publish(channel, f"post {number}")["id"] for number in range(3)]
    messages = [admin.says_officially(channel, f"message {number}").data["id"] for number in range(3)]
    admin.change_post(posts[0], bodyText="changed")
    admin.pin(posts[1])
    admin.edit_any(messages[0], "changed as well")
    admin.drop_message(messages[1])
    admin.drop_post(posts[2])
    admin.restore(messages[1])
    return 12


# The same events ---------------------------------------------------------------------------------


def test_native_and_socketio_subscribers_see_the_same_frames_in_the_same_order(pair, admin):
    channel = admin.channel(discussion={})
    sockets = []
    for node in pair:
        sockets.append(Person(node).socket())
        sockets += [enter(node, Person(node), transport) for transport in EVERY]
    joined = [(sock.join_posts(channel), sock.join_discussion(channel)) for sock in sockets]
    assert all(replies == joined[0] for replies in joined)
    count = a_bit_of_everything(admin, channel)
    seen = [rooms_of(take(sock, count)) for sock in sockets]
    assert sum(len(frames) for frames in seen[0].values()) == count and len(seen[0]) == 2
    for frames in seen[1:]:
        assert frames == seen[0]
    for sock in sockets:
        assert sock.pending() == []


@transports
def test_a_position_stands_in_front_of_the_acknowledgement(node, admin, transport):
    channel = admin.channel()
    sock = enter(node, Person(node), transport)
    assert sock.frames == [{"event": "connect", "recovered": False}] and sock.memory.pid and sock.memory.offset is None
    joined = sock.ok(POSTS_JOIN, {"channelId": channel})
    assert [frame["event"] for frame in sock.frames[1:]] == [POSITION, POSTS_JOIN]
    at_join = sock.memory.offset
    admin.publish(channel)
    sock.next("channel_post.created")
    at_event = sock.memory.offset
    sock.ok("communication:leave_channel_posts", {"channelId": channel})
    assert [frame["event"] for frame in sock.frames[-2:]] == [POSITION, "communication:leave_channel_posts"]
    assert len({at_join, at_event, sock.memory.offset}) == 3
    assert sock.sync_posts(channel, joined["lastEventId"])["events"]


def test_syncs_and_refusals_are_those_of_native_sockets(node, admin):
    person, (channel, _) = Person(node), admin.gated(discussion={})
    open_channel = admin.channel(discussion={})
    a_bit_of_everything(admin, open_channel)
    native, other = person.socket(), enter(node, person, "polling")
    for event, data in (
        ("communication:sync_channel_posts", {"channelId": open_channel}),
        ("communication:sync_discussion", {"channelId": open_channel, "limit": 2}),
        ("communication:sync_channel_posts", {"channelId": open_channel, "sinceEventId": new_id()}),
        (POSTS_JOIN, {"channelId": channel}),
        (TALK_JOIN, {"channelId": 1 << 40}),
        (TALK_JOIN, {"channelId": "x"}),
        (TALK_JOIN, {}),
    ):
        replies = [sock.call(event, data) for sock in (native, other)]
        for reply in replies:
            reply.pop("id")
        assert replies[0] == replies[1]


@transports
def test_without_an_acknowledgement_only_a_failure_is_said(node, admin, transport):
    channel, sock = admin.channel(), enter(node, Person(node), transport)
    sock.send({"event": POSTS_JOIN, "data": {"channelId": 1 << 40}})
    said = sock.next("communication:error")["data"]
    assert set(said) == {"event", "error"} and said["event"] == POSTS_JOIN and said["error"]["code"] == "NOT_FOUND"
    sock.send({"event": "no:such_event", "data": {}})
    said = sock.next("communication:error")["data"]
    assert said["event"] == "no:such_event" and said["error"]["code"] == "VALIDATION_ERROR"
    sock.send({"event": POSTS_JOIN, "data": {"channelId": channel}})
    assert sock.pending() == []
    admin.publish(channel)
    sock.next("channel_post.created")


# Who is let in -----------------------------------------------------------------------------------


@transports
def test_a_bad_token_is_refused_with_a_code(node, transport):
    for auth in ({"token": "nonsense"}, {"ticket": "forged"}):
        with Socket(node.port, None, transport, auth=auth, wait=False) as sock:
            refused = sock.refused()
            assert refused["nsp"] == "/" and refused["data"]["data"]["code"] == "UNAUTHORIZED" and refused["data"]["message"]


@transports
def test_a_ticket_and_a_header_let_in(pair, admin, transport):
    person, channel = Person(pair[0]), admin.channel()
    ticket = person.ticket()
    with Socket(pair[1].port, None, transport, auth={"ticket": ticket}) as sock:
        sock.join_posts(channel)
    with Socket(pair[0].port, None, transport, auth={"ticket": ticket}, wait=False) as sock:
        assert sock.refused()["data"]["data"]["code"] == "UNAUTHORIZED"
    with Socket(pair[1].port, None, transport, header=person.token) as sock:
        sock.join_posts(channel)


@transports
def test_without_a_token_events_are_unauthorized_until_authenticate(node, admin, transport):
    channel, person = admin.channel(), Person(node)
    with Socket(node.port, None, transport) as sock:
        sock.fails(POSTS_JOIN, {"channelId": channel}, "UNAUTHORIZED")
        assert sock.authenticate(person.token)["data"]["userId"] == person.id
        sock.join_posts(channel)
        admin.publish(channel)
        sock.next("channel_post.created")


@pytest.mark.slow
def test_without_a_token_the_socket_is_disconnected_after_a_while(node):
    sockets = [Socket(node.port, None, transport) for transport in EVERY]
    for sock in sockets:
        sock.closed(timeout=20)
        assert sock.sent_away


@transports
def test_other_namespaces_are_refused_and_harm_nothing(node, admin, transport):
    channel, sock = admin.channel(), enter(node, Person(node), transport)
    sock.send_text('0/admin,{"token":"t"}')
    assert sock.refused() == {"event": "connect_error", "nsp": "/admin", "data": {"message": "Invalid namespace"}}
    sock.join_posts(channel)


# Losing a right ----------------------------------------------------------------------------------


@transports
def test_a_ban_ends_the_room_with_its_reason_and_the_rest_goes_on(pair, admin, transport):
    channel, reader = admin.channel(discussion={}), Person(pair[0])
    sock = enter(pair[1], reader, transport)
    sock.join_posts(channel)
    room = sock.join_discussion(channel)["room"]
    before = sock.memory.offset
    admin.ban(channel, reader)
    assert sock.next(LEFT) == {"event": LEFT, "room": room, "data": {"reason": "DISCUSSION_BANNED"}}
    admin.says_officially(channel, "not for the banned")
    admin.publish(channel, "for everybody")
    assert texts([sock.next("channel_post.created")]) == ["for everybody"]
    assert sock.memory.offset != before
    sock.fails(TALK_JOIN, {"channelId": channel}, "FORBIDDEN", "DISCUSSION_BANNED")
    assert sock.pending() == []


# The recovery ------------------------------------------------------------------------------------


class Three:
    """A reader in three rooms of one node, and what was written in them."""

    def __init__(self, node, admin, transport):
        self.admin, self.reader = admin, Person(node)
        self.first, self.second = admin.channel(discussion={}), admin.channel()
        self.sock, self.transport = enter(node, self.reader, transport), transport
        self.sock.join_posts(self.first)
        self.sock.join_discussion(self.first)
        self.sock.join_posts(self.second)
        self.heads = {}

    def write(self, word, rounds):
        """Three events a round, in turn."""
        for number in range(rounds):
            self.admin.publish(self.first, f"{word} {number}")
            self.admin.says_officially(self.first, f"{word} {number}")
            self.admin.publish(self.second, f"{word} {number}")

    def hear(self, sock, word, rounds):
        """Exactly these, each room's in order and chained to what it had before."""
        for frames in rooms_of(take(sock, 3 * rounds)).values():
            assert texts(frames) == [f"{word} {number}" for number in range(rounds)]
            for frame in frames:
                assert frame["prevEventId"] == self.heads.get(frame["room"])
                self.heads[frame["room"]] = frame["data"]["eventId"]
        assert len(self.heads) == 3


@transports
def test_three_rooms_of_a_killed_node_come_back_on_another_and_what_was_missed_comes_first(pair, admin, start, transport):
    third = start()
    three = Three(third, admin, transport)
    three.write("seen", 2)
    three.hear(three.sock, "seen", 2)
    third.kill()
    third.gone = True
    three.sock.closed()
    three.write("missed", 5)
    back = come_back(three.sock, pair[1], three.reader, transport)
    assert back.recovered and back.id == three.sock.id
    three.write("live", 2)
    three.hear(back, "missed", 5)
    three.hear(back, "live", 2)
    assert back.pending() == []
    # Once more, lost on purpose, with nothing missed.
    back.close()
    again = come_back(back, pair[0], three.reader, transport)
    assert again.recovered and again.pending() == []
    three.write("at last", 1)
    three.hear(again, "at last", 1)


def test_lost_between_two_recoveries_nothing_comes_twice(pair, admin):
    three = Three(pair[0], admin, "websocket")
    sock = three.sock
    three.write("missed", 4)
    sock.drop()
    for number in range(12):
        sock = come_back(sock, pair[number % 2], three.reader)
        assert sock.recovered
        frame = sock.next()  # one event is handled, then the line breaks with the others on their way
        assert frame["prevEventId"] == three.heads.get(frame["room"])
        three.heads[frame["room"]] = frame["data"]["eventId"]
        sock.drop()
    sock = come_back(sock, pair[0], three.reader)
    assert sock.recovered and sock.pending() == []


def test_a_reader_that_saw_nothing_after_its_join_misses_nothing(pair, admin):
    channel, reader = admin.channel(), Person(pair[0])
    sock = enter(pair[0], reader)
    assert sock.join_posts(channel)["lastEventId"] is None
    sock.drop()
    admin.publish(channel, "the first")
    back = come_back(sock, pair[1], reader)
    assert back.recovered and texts([back.next("channel_post.created")]) == ["the first"]


@transports
def test_a_room_that_was_left_does_not_come_back(pair, admin, transport):
    channel, reader = admin.channel(discussion={}), Person(pair[0])
    sock = enter(pair[0], reader, transport)
    sock.join_posts(channel)
    talk = sock.join_discussion(channel)["room"]
    sock.ok("communication:leave_channel_posts", {"channelId": channel})
    sock.drop()
    admin.publish(channel, "of the room that was left")
    admin.says_officially(channel, "of the other")
    back = come_back(sock, pair[1], reader, transport)
    assert back.recovered
    admin.publish(channel, "left still")
    admin.says_officially(channel, "live")
    frames = take(back, 2)
    assert texts(frames) == ["of the other", "live"] and {frame["room"] for frame in frames} == {talk}
    assert back.pending() == []


def test_a_room_that_was_lost_does_not_come_back_though_the_right_does(pair, admin):
    channel, reader = admin.channel(discussion={}), Person(pair[0])
    sock = enter(pair[0], reader)
    posts = sock.join_posts(channel)["room"]
    sock.join_discussion(channel)
    admin.ban(channel, reader)
    sock.next(LEFT)
    sock.drop()
    admin.unban(channel, reader)
    admin.says_officially(channel, "not any more")
    admin.publish(channel, "missed")
    back = come_back(sock, pair[1], reader)
    assert back.recovered
    frame = back.next("channel_post.created")
    assert frame["room"] == posts and back.pending() == []


@transports
def test_a_right_that_was_lost_meanwhile_is_said_in_front_of_what_was_missed(pair, admin, transport):
    channel, reader = admin.channel(discussion={}), Person(pair[0])
    sock = enter(pair[0], reader, transport)
    sock.join_posts(channel)
    talk = sock.join_discussion(channel)["room"]
    sock.drop()
    admin.says_officially(channel, "before the ban")
    admin.publish(channel, "missed")
    admin.ban(channel, reader)
    back = come_back(sock, pair[1], reader, transport)
    assert back.recovered
    assert back.next(LEFT) == {"event": LEFT, "room": talk, "data": {"reason": "DISCUSSION_BANNED"}}
    assert texts([back.next("channel_post.created")]) == ["missed"]
    assert back.pending() == []
    admin.unban(channel, reader)
    back.drop()
    admin.says_officially(channel, "nobody is here")
    again = come_back(back, pair[0], reader, transport)
    assert again.recovered and again.pending() == []


def test_more_than_500_missed_events_are_not_recovered_and_500_are(pair, admin):
    channel, people = admin.channel(), [Person(pair[0]), Person(pair[0])]
    early, late = (enter(pair[0], person) for person in people)
    for sock in (early, late):
        sock.join_posts(channel)
    early.drop()
    admin.publish(channel, "0")
    late.next("channel_post.created")
    late.drop()
    writers = [admin.on(pair[index % 2]) for index in range(4)]
    in_parallel(4, lambda index: [writers[index].publish(channel, str(number)) for number in range(125)])
    back = come_back(late, pair[1], people[1])
    assert back.recovered
    frames = take(back, 500)
    assert len({frame["data"]["eventId"] for frame in frames}) == 500 and back.pending() == []
    lost = come_back(early, pair[1], people[0])
    assert not lost.recovered and lost.id != early.id
    admin.publish(channel, "for those inside")
    back.next("channel_post.created")
    assert lost.pending() == []


def test_an_offset_that_was_refused_is_not_taken_under_the_next_pid(pair, admin):
    channel, reader = admin.channel(), Person(pair[0])
    sock = enter(pair[0], reader)
    sock.join_posts(channel)
    sock.drop()
    kept = sock.memory.offset
    sock.memory.pid = sock.memory.pid[:-2] + ("AA" if sock.memory.pid[-2:] != "AA" else "BB")
    refused = come_back(sock, pair[1], reader)
    assert not refused.recovered
    refused.drop()
    assert refused.memory.offset == kept
    again = come_back(refused, pair[0], reader)
    assert not again.recovered
    admin.publish(channel)
    assert again.pending() == []


def changed(text, at):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


FORGERIES = {
    "pid changed at its user": lambda pid, offset: (changed(pid, 4), offset),
    "pid changed at its end": lambda pid, offset: (changed(pid, len(pid) - 3), offset),
    "pid cut": lambda pid, offset: (pid[:-4], offset),
    "pid of words": lambda pid, offset: ("P1", offset),
    "offset changed": lambda pid, offset: (pid, changed(offset, 20)),
    "offset changed at its end": lambda pid, offset: (pid, changed(offset, len(offset) - 3)),
    "offset cut": lambda pid, offset: (pid, offset[:-4]),
    "offset of words": lambda pid, offset: (pid, "O1"),
    "offset empty": lambda pid, offset: (pid, ""),
    "offset that proves nothing": lambda pid, offset: (pid, "-"),
    "offset long": lambda pid, offset: (pid, offset * 40),
    "no offset": lambda pid, offset: (pid, None),
    "the one for the other": lambda pid, offset: (offset, pid),
}


@pytest.mark.parametrize("name", list(FORGERIES))
def test_forged_texts_are_not_recovered_and_harm_nothing(pair, admin, name):
    channel, reader = admin.channel(), Person(pair[0])
    sock = enter(pair[0], reader)
    sock.join_posts(channel)
    sock.drop()
    memory = Memory()
    memory.pid, memory.offset = FORGERIES[name](sock.memory.pid, sock.memory.offset)
    forged = Socket(pair[1].port, reader.token, memory=memory)
    assert not forged.recovered
    admin.publish(channel)
    assert forged.pending() == []
    forged.join_posts(channel)
    admin.publish(channel, "heard")
    assert texts([forged.next("channel_post.created")]) == ["heard"]


def test_the_texts_of_another_user_are_worth_nothing(pair, admin):
    channel, key = admin.gated()
    reader, thief = Person(pair[0]), Person(pair[0])
    admin.grant(reader, key)
    sock, own = enter(pair[0], reader), enter(pair[0], thief)
    sock.join_posts(channel)
    sock.drop()
    own.drop()
    admin.publish(channel, "for who has the key")
    stolen = Memory()
    stolen.pid, stolen.offset = sock.memory.pid, sock.memory.offset
    with Socket(pair[1].port, thief.token, memory=stolen) as other:
        assert not other.recovered and other.pending() == []
    mixed = Memory()
    mixed.pid, mixed.offset = own.memory.pid, sock.memory.offset
    with Socket(pair[1].port, thief.token, memory=mixed) as other:
        admin.publish(channel, "and this")
        pushed = other.pending()
        assert [frame["event"] for frame in pushed] == ([LEFT] if other.recovered else [])
    back = come_back(sock, pair[1], reader)
    assert back.recovered and texts(take(back, 2)) == ["for who has the key", "and this"]


def test_33_rooms_prove_nothing_and_32_do(pair, admin):
    reader, sock = Person(pair[0]), None
    channels = [admin.channel() for _ in range(33)]
    sock = enter(pair[0], reader)
    for channel in channels:
        sock.join_posts(channel)
    assert sock.memory.offset == "-"
    sock.drop()
    sock = come_back(sock, pair[1], reader)
    assert not sock.recovered
    for channel in channels:
        sock.join_posts(channel)
    sock.ok("communication:leave_channel_posts", {"channelId": channels[0]})
    sock.drop()
    for channel in channels:
        admin.publish(channel, str(channel))
    sock = come_back(sock, pair[0], reader)
    assert sock.recovered
    assert sorted(texts(take(sock, 32))) == sorted(str(channel) for channel in channels[1:])
    assert sock.pending() == []


def test_a_drain_is_said_and_costs_a_reconnect(pair, admin, start):
    third = start()
    channel, people = admin.channel(), [Person(third) for _ in EVERY]
    sockets = [enter(third, person, transport) for person, transport in zip(people, EVERY)]
    for sock in sockets:
        sock.join_posts(channel)
    third.terminate()
    for sock, transport in zip(sockets, EVERY):
        assert sock.next("server:draining", timeout=15)["data"]["reconnectInMs"] >= 0
        code = sock.closed(timeout=15)
        assert not sock.sent_away and (transport == "polling" or code == 1012)
    third.stop()
    admin.publish(channel, "missed")
    for sock, person, transport in zip(sockets, people, EVERY):
        back = come_back(sock, pair[1], person, transport)
        assert back.recovered and texts([back.next("channel_post.created")]) == ["missed"]
        back.close()


def test_a_node_counts_nothing_when_all_have_gone(start, fresh):
    node = start(fresh)
    admin, names = Admin(node), ("belfry_ws_connections", "belfry_rooms", "belfry_subscriptions")
    channel = admin.channel(discussion={})

    def counted():
        with node.client() as client:
            lines = client.get("/metrics", expect=200).text.splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return [float(values[name]) for name in names]

    before = counted()
    sockets = [enter(node, Person(node), transport) for transport in EVERY * 2]
    for sock in sockets:
        sock.join_posts(channel)
        sock.join_discussion(channel)
    assert counted()[1:] == [2, 12]
    for sock in sockets[:3]:
        sock.close()
    for sock in sockets[3:]:
        sock.drop()
    wait.until(lambda: counted() == before, "nobody is counted", timeout=15)
