"""Joining, leaving, live frames and sync."""

import json

import pytest

from support import wait
from support.world import Admin, Person, new_id, parse_time

C = "communication:"


def envelopes(synced):
    return synced["events"]


def test_join_replies_with_the_head_and_events_follow_without_a_hole(pair, admin):
    channel = admin.channel()
    with Person(pair[0]).socket() as near, Person(pair[1]).socket() as far:
        for sock in (near, far):
            joined = sock.join_posts(channel)
            assert joined == {
                "room": f"communication:channel:{channel}:posts",
                "channelId": channel,
                "lastEventId": None,
            }
        made = [admin.publish(channel, f"Note {number}") for number in range(5)]
        previous, seen = None, []
        for index, post in enumerate(made):
            frame = near.next("channel_post.created")
            assert frame == far.next("channel_post.created")
            assert frame["room"] == joined["room"] and frame["prevEventId"] == previous
            data = dict(frame["data"]["data"])
            assert data.pop("actor") == {"type": "ADMIN", "id": admin.id}
            assert data == post, index
            previous = frame["data"]["eventId"]
            assert not seen or previous > seen[-1]
            seen.append(previous)
        again = near.join_posts(channel)
        assert again["lastEventId"] == previous
        assert envelopes(near.sync_posts(channel))[-1]["eventId"] == previous
        admin.publish(channel)
        assert near.next("channel_post.created")["prevEventId"] == previous
        assert near.pending() == [], "joined twice is one subscription"


def test_every_kind_of_event_and_its_fields(pair, admin):
    channel, writer = admin.channel(discussion={}), Person(pair[0], username="mira")
    with Person(pair[1]).socket() as sock:
        sock.join_posts(channel)
        room = sock.join_discussion(channel)
        post = admin.publish(channel, "One")
        sock.next("channel_post.created")
        changed = admin.change_post(post["id"], bodyText="Two")
        actor = {"type": "ADMIN", "id": admin.id}
        assert sock.next("channel_post.updated")["data"]["data"] == {
            "actor": actor,
            "id": post["id"],
            "channelId": channel,
            "bodyText": "Two",
            "updatedAt": changed["updatedAt"],
        }
        pinned = admin.pin(post["id"])
        assert sock.next("channel_post.pinned")["data"]["data"] == {
            "actor": actor,
            "id": post["id"],
            "channelId": channel,
            "isPinned": True,
            "pinnedAt": pinned["pinnedAt"],
        }
        admin.pin(post["id"], on=False)
        frame = sock.next("channel_post.pinned")["data"]["data"]
        assert frame["isPinned"] is False and frame["pinnedAt"] is None
        tomb = admin.drop_post(post["id"])
        assert sock.next("channel_post.deleted")["data"]["data"] == {
            "actor": actor,
            "id": post["id"],
            "channelId": channel,
            "isDeleted": True,
            "deletedAt": tomb["deletedAt"],
        }
        message = writer.says(channel, "Ahoy", clientMessageId="tmp-9").data
        data = dict(sock.next("discussion_message.created")["data"]["data"])
        assert data.pop("actor") == {"type": "USER", "id": writer.id} and data.pop("channelId") == channel
        assert data == message and data["author"]["username"] == "mira" and data["clientMessageId"] == "tmp-9"
        edited = writer.patch(f"/api/mobile/discussion-messages/{message['id']}", {"body": "Ahoy!"}, expect=200).data
        data = sock.next("discussion_message.updated")["data"]["data"]
        assert data == {
            "actor": {"type": "USER", "id": writer.id},
            "id": message["id"],
            "channelId": channel,
            "discussionId": room["discussionId"],
            "body": "Ahoy!",
            "editedAt": edited["editedAt"],
            "updatedAt": edited["updatedAt"],
        }
        tomb = admin.drop_message(message["id"])
        data = sock.next("discussion_message.deleted")["data"]["data"]
        assert data == {
            "actor": actor,
            "id": message["id"],
            "channelId": channel,
            "discussionId": room["discussionId"],
            "isDeleted": True,
            "deletedAt": tomb["deletedAt"],
        }
        back = admin.restore(message["id"])
        data = dict(sock.next("discussion_message.restored")["data"]["data"])
        assert data.pop("actor") == actor and data.pop("channelId") == channel
        assert data == back


def test_writes_that_change_nothing_emit_nothing(node, admin):
    channel = admin.channel(discussion={})
    with Person(node).socket() as sock:
        sock.join_posts(channel)
        sock.join_discussion(channel)
        post = admin.publish(channel, "One")["id"]
        message = admin.says_officially(channel, "One").data["id"]
        admin.change_post(post, bodyText="One")
        admin.pin(post, on=False)
        admin.edit_any(message, "One")
        admin.restore(message)
        admin.discussion(channel)
        admin.drop_post(post)
        admin.drop_post(post)
        admin.drop_message(message)
        admin.drop_message(message)
        admin.restore(message)
        admin.publish(channel, "last")
        admin.says_officially(channel, "last")
        kinds = {"channel_post": [], "discussion_message": []}
        while [len(found) for found in kinds.values()] != [3, 4]:
            kind = sock.next()["event"].split(".")
            kinds[kind[1]].append(kind[2])
        assert kinds == {
            "channel_post": ["created", "deleted", "created"],
            "discussion_message": ["created", "deleted", "restored", "created"],
        }
        assert sock.pending() == []


def test_leaving(node, admin):
    channel = admin.channel(discussion={})
    with Person(node).socket() as sock, Person(node).socket() as witness:
        witness.join_posts(channel)
        assert sock.ok(C + "leave_channel_posts", {"channelId": channel}) == {
            "room": f"communication:channel:{channel}:posts"
        }
        assert sock.ok(C + "leave_discussion", {"discussionId": 424242}) == {
            "room": "communication:discussion:424242:messages"
        }
        sock.join_posts(channel)
        room = sock.join_discussion(channel)
        sock.ok(C + "leave_channel_posts", {"channelId": channel})
        sock.ok(C + "leave_discussion", {"discussionId": room["discussionId"]})
        admin.publish(channel)
        admin.says_officially(channel, "anybody there?")
        witness.next("channel_post.created")
        assert sock.pending() == []


def test_replies_come_in_order_and_echo_their_ids_as_they_were(node, admin):
    channel = admin.channel(discussion={})
    with Person(node).socket() as sock:
        ids = [1, "one", 0, -7, "", "1", 9007199254740991, None, 2]
        commands = [
            (C + "join_channel_posts", {"channelId": channel}),
            (C + "sync_discussion", {"channelId": channel}),
            ("ping", None),
        ]
        for index, frame_id in enumerate(ids):
            event, data = commands[index % 3]
            frame = {"event": event}
            if frame_id is not None:
                frame["id"] = frame_id
            if data:
                frame["data"] = data
            sock.send(frame)
        for index, frame_id in enumerate(ids):
            reply = sock.reply()
            assert (
                reply.get("id") == frame_id
                and type(reply.get("id")) is type(frame_id)
                and reply["event"] == commands[index % 3][0]
            ), (index, reply)


def test_unknown_fields_in_data_are_ignored_and_replies_carry_no_id_without_one(node, admin):
    channel = admin.channel()
    with Person(node).socket() as sock:
        sock.send_text(json.dumps({"event": C + "join_channel_posts", "data": {"channelId": channel, "colour": "red"}}))
        reply = sock.reply()
        assert reply["ok"] and "id" not in reply


@pytest.mark.parametrize("event", ["join_channel_posts", "sync_channel_posts", "join_discussion", "sync_discussion"])
def test_rooms_are_authorised_as_rest_is(node, admin, event):
    gated, key = admin.gated(discussion={})
    plain, draft = admin.channel(), admin.channel(status="DRAFT", discussion={})
    disabled, featured = admin.channel(discussion={"isEnabled": False}), admin.channel(
        discussion={"requiredFeatureKey": "deck.pass"}
    )
    banned = admin.channel(discussion={})
    person, talk = Person(node), "discussion" in event
    admin.ban(banned, person)
    with person.socket() as sock:
        ask = C + event
        sock.fails(ask, {"channelId": gated}, "FORBIDDEN", "ENTITLEMENT_REQUIRED")
        sock.fails(ask, {"channelId": draft}, "NOT_FOUND")
        sock.fails(ask, {"channelId": 999999999}, "NOT_FOUND")
        if talk:
            sock.fails(ask, {"channelId": plain}, "NOT_FOUND")
            sock.fails(ask, {"channelId": disabled}, "FORBIDDEN", "DISCUSSION_DISABLED")
            sock.fails(ask, {"channelId": featured}, "FORBIDDEN", "FEATURE_REQUIRED")
            sock.fails(ask, {"channelId": banned}, "FORBIDDEN", "DISCUSSION_BANNED")
        else:
            for channel in (plain, disabled, featured, banned):
                sock.ok(ask, {"channelId": channel})
        admin.grant(person, key)
        person.post(f"/api/mobile/channels/{gated}/join", expect=200)
        sock.ok(ask, {"channelId": gated})
        admin.revoke(person, key)
        sock.fails(ask, {"channelId": gated}, "FORBIDDEN", "CHANNEL_LOCKED")


def test_muted_users_may_be_in_the_room(node, admin):
    channel, person = admin.channel(discussion={}), Person(node)
    with person.socket() as sock:
        sock.join_discussion(channel)
        admin.mute(channel, person)
        admin.says_officially(channel, "quiet please")
        sock.next("discussion_message.created")


def test_sync_from_every_id_gives_exactly_what_follows(pair, admin):
    channel = admin.channel()
    for number in range(6):
        admin.publish(channel, f"Note {number}")
    with Person(pair[1]).socket() as sock:
        everything = sock.sync_posts(channel)
        events = everything["events"]
        assert len(events) == 6 and not everything["hasMore"] and not everything["gap"]
        assert (
            everything["lastEventId"] == events[-1]["eventId"]
            and everything["room"] == f"communication:channel:{channel}:posts"
        )
        for index, event in enumerate(events):
            tail = sock.sync_posts(channel, event["eventId"])
            assert tail["events"] == events[index + 1 :] and tail["lastEventId"] == events[-1]["eventId"]
        collected, since, pages = [], None, 0
        while True:
            page = sock.sync_posts(channel, since, limit=2)
            collected += page["events"]
            since, pages = page["lastEventId"], pages + 1
            if not page["hasMore"]:
                break
            assert len(page["events"]) == 2
        assert collected == events and pages == 3
        admin.publish(channel)
        assert sock.pending() == [], "sync is no join"


def test_an_empty_room_has_no_events_and_no_gap(node, admin):
    channel = admin.channel()
    with Person(node).socket() as sock:
        assert sock.sync_posts(channel) == {
            "room": f"communication:channel:{channel}:posts",
            "events": [],
            "lastEventId": None,
            "hasMore": False,
            "gap": False,
        }
        gap = sock.sync_posts(channel, "0196b2c0-7a10-7cc1-8f00-5a5a5a5a5a5a")
        assert gap["gap"] and gap["gapReason"] == "UNKNOWN_EVENT" and gap["lastEventId"] is None


def test_an_id_that_is_not_of_this_room_is_a_gap(node, admin):
    one, two = admin.channel(discussion={}), admin.channel()
    for channel in (one, two):
        admin.publish(channel)
    admin.says_officially(one, "x")
    with Person(node).socket() as sock:
        head, foreign = sock.join_posts(one)["lastEventId"], sock.join_posts(two)["lastEventId"]
        talk = sock.join_discussion(one)["lastEventId"]
        for unknown in (
            foreign,
            talk,
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            new_id(),
        ):
            gap = sock.sync_posts(one, unknown)
            assert (gap["gap"], gap["gapReason"], gap["events"], gap["hasMore"], gap["lastEventId"]) == (
                True,
                "UNKNOWN_EVENT",
                [],
                False,
                head,
            ), unknown


@pytest.mark.parametrize(
    "data",
    [
        {"limit": 0},
        {"limit": 501},
        {"limit": -1},
        {"limit": 1.5},
        {"limit": "5"},
        {"limit": None},
        {"limit": 2**63},
        {"sinceEventId": "last"},
        {"sinceEventId": 5},
        {"sinceEventId": ""},
        {"sinceEventId": "0196b2c07a107cc18f005a5a5a5a5a5a!"},
    ],
    ids=str,
)
def test_sync_refuses_bad_values(node, shared, data):
    with Person(node).socket() as sock:
        for event in ("sync_channel_posts", "sync_discussion"):
            reply = sock.call(C + event, {"channelId": shared, **data})
            assert not reply["ok"] and reply["error"]["code"] == "VALIDATION_ERROR", reply


@pytest.fixture(scope="module")
def shared(admin):
    return admin.channel(discussion={})


def test_a_long_room_ends_a_reply_at_a_mebibyte(node, admin):
    channel = admin.channel()
    text = "x" * 19000
    count = 70
    for _ in range(count):
        admin.publish(channel, text)
    with Person(node).socket() as sock:
        first = sock.sync_posts(channel, limit=500)
        assert first["hasMore"] and 40 < len(first["events"]) < count
        assert len(json.dumps(first)) < 1_200_000
        rest = sock.sync_posts(channel, first["lastEventId"], limit=500)
        assert len(first["events"]) + len(rest["events"]) == count and not rest["hasMore"]


def test_replay_shows_nothing_of_what_was_deleted_and_a_restore_brings_it_back(pair, admin):
    channel, writer = admin.channel(discussion={}), Person(pair[0])
    post = admin.publish(
        channel,
        "secret post",
        attachments=[
            {
                "storageKey": "secret/key",
                "fileName": "secret.png",
                "mimeType": "image/png",
                "sizeBytes": 1,
                "displayOrder": 0,
            }
        ],
    )["id"]
    admin.change_post(post, bodyText="secret change")
    admin.pin(post)
    message = writer.says(channel, "secret message").data["id"]
    writer.patch(f"/api/mobile/discussion-messages/{message}", {"body": "secret edit"}, expect=200)
    with Person(pair[1]).socket() as sock:
        posts, talk = sock.sync_posts(channel)["events"], sock.sync_discussion(channel)["events"]
        admin.drop_post(post)
        admin.drop_message(message)
        masked = sock.sync_posts(channel)["events"]
        assert "secret" not in json.dumps(masked)
        assert [event["eventId"] for event in masked[:3]] == [event["eventId"] for event in posts]
        assert [event["eventType"].split(".")[-1] for event in masked] == ["created", "updated", "pinned", "deleted"]
        assert (
            masked[0]["data"]["isDeleted"]
            and masked[0]["data"]["attachments"] == []
            and masked[0]["data"]["bodyText"] is None
        )
        assert masked[1]["data"]["isDeleted"] and masked[1]["data"]["bodyText"] is None
        assert masked[2] == posts[2]
        hidden = sock.sync_discussion(channel)["events"]
        assert "secret" not in json.dumps(hidden) and [event["data"].get("body") for event in hidden[:2]] == [
            None,
            None,
        ]
        assert [event["data"]["isDeleted"] for event in hidden] == [True, True, True]
        admin.restore(message)
        back = sock.sync_discussion(channel)["events"]
        assert back[0] == talk[0] and back[1] == talk[1]
        assert [event["eventType"].split(".")[-1] for event in back] == ["created", "updated", "deleted", "restored"]
        assert back[3]["data"]["body"] == "secret edit"
        admin.drop_message(message)
        assert "secret" not in json.dumps(sock.sync_discussion(channel)["events"])


def test_events_older_than_retention_are_a_gap_and_a_quiet_room_is_none(start, fresh):
    node = start(fresh, BELFRY_EVENT_RETENTION="4s")
    admin = Admin(node)
    busy, quiet = admin.channel(), admin.channel()
    for channel in (busy, quiet):
        admin.publish(channel)
        admin.publish(channel)
    with Person(node).socket() as sock:
        old = sock.sync_posts(busy)["events"]
        still = sock.sync_posts(quiet)["events"]
        assert len(old) == len(still) == 2
        wait.until(lambda: sock.sync_posts(quiet)["events"] == [], "retention passes", timeout=20)
        head = sock.sync_posts(quiet, still[-1]["eventId"])
        assert not head["gap"] and head["events"] == [] and head["lastEventId"] == still[-1]["eventId"]
        assert sock.join_posts(quiet)["lastEventId"] == still[-1]["eventId"]
        gone = sock.sync_posts(quiet, still[0]["eventId"])
        assert (
            gone["gap"]
            and gone["gapReason"] == "EXPIRED"
            and gone["events"] == []
            and gone["lastEventId"] == still[-1]["eventId"]
        )
        admin.publish(busy, "new")
        fresh_event = sock.sync_posts(busy, old[-1]["eventId"])
        assert not fresh_event["gap"] and len(fresh_event["events"]) == 1
        assert sock.sync_posts(busy, old[0]["eventId"])["gapReason"] == "EXPIRED"
        unknown = sock.sync_posts(busy, new_id())
        assert unknown["gap"] and unknown["lastEventId"] == fresh_event["lastEventId"]


def test_times_of_events_are_those_of_the_write(node, admin):
    channel = admin.channel()
    with Person(node).socket() as sock:
        sock.join_posts(channel)
        post = admin.publish(channel)
        envelope = sock.next("channel_post.created")["data"]
        millis = int(envelope["eventId"].replace("-", "")[:12], 16)
        assert abs(parse_time(envelope["occurredAt"]).timestamp() * 1000 - millis) < 1
        assert abs((parse_time(envelope["occurredAt"]) - parse_time(post["createdAt"])).total_seconds()) < 1


def test_two_hundred_rooms_and_no_more(start, fresh):
    node = start(fresh, BELFRY_WS_COMMAND_BURST="500")
    admin = Admin(node)
    channels = [admin.channel() for _ in range(201)]
    with Person(node).socket() as sock:
        for channel in channels[:200]:
            sock.join_posts(channel)
        sock.fails(C + "join_channel_posts", {"channelId": channels[200]}, "VALIDATION_ERROR", "TOO_MANY_ROOMS")
        sock.join_posts(channels[0])
        sock.ok(C + "leave_channel_posts", {"channelId": channels[1]})
        sock.join_posts(channels[200])
