"""Who sees which channel, and taking part in one."""

import pytest

from support.http import Client
from support.world import Person, parse_time, time_text


def listed(caller):
    """Every channel in the caller's list, by id."""
    found, cursor = {}, ""
    while True:
        page = caller.get(f"/api/mobile/channels?limit=100&cursor={cursor}", expect=200).data
        for item in page["items"]:
            assert item["id"] not in found, "a page repeated a channel"
            found[item["id"]] = item
        cursor = page["cursor"].get("next_cursor", "")
        assert page["has_more"] == bool(cursor)
        if not cursor:
            return found


@pytest.fixture(scope="module")
def scene(node, admin):
    """One channel of each sort, and one caller of each sort. `lapsed` joined everything gated, then lost the key."""
    people = {
        "anonymous": Client(node.port),
        "stranger": Person(node),
        "entitled": Person(node),
        "lapsed": Person(node),
        "joined": Person(node),
        "admin": admin,
    }
    gated, key = admin.gated(title="Gold room")
    hidden, hidden_key = admin.gated(title="Back room", visibility="PRIVATE")
    archived_gated, archived_key = admin.gated(title="Old gold")
    channels = {
        "open": admin.channel(),
        "draft": admin.channel(status="DRAFT"),
        "archived": admin.channel(title="Old news"),
        "private": admin.channel(visibility="PRIVATE"),
        "gated": gated,
        "hidden": hidden,
        "old_gold": archived_gated,
    }
    for person in ("entitled", "lapsed"):
        for each in (key, hidden_key, archived_key):
            admin.grant(people[person], each)
    for name in ("gated", "hidden", "old_gold"):
        people["lapsed"].post(f"/api/mobile/channels/{channels[name]}/join", expect=200)
    for each in (key, hidden_key, archived_key):
        admin.revoke(people["lapsed"], each)
    for name in ("open", "private", "archived"):
        people["joined"].post(f"/api/mobile/channels/{channels[name]}/join", expect=200)
    for name in ("archived", "old_gold"):
        admin.set_channel(channels[name], status="ARCHIVED")
    return people, channels


LISTS = [
    ("anonymous", {"open"}, set()),
    ("stranger", {"open"}, set()),
    ("entitled", {"open", "gated", "hidden"}, set()),
    ("lapsed", {"open", "gated", "hidden", "old_gold"}, {"gated", "hidden", "old_gold"}),
    ("joined", {"open", "private", "archived"}, set()),
]


@pytest.mark.parametrize("caller, visible, locked", LISTS, ids=[row[0] for row in LISTS])
def test_list_shows_exactly_what_the_caller_may_know_of(scene, caller, visible, locked):
    people, channels = scene
    names = {channel: name for name, channel in channels.items()}
    found = {names[channel]: item for channel, item in listed(people[caller]).items() if channel in names}
    assert set(found) == visible
    assert {name for name, item in found.items() if item["isLocked"]} == locked
    joined = {"lapsed": {"gated", "hidden", "old_gold"}, "joined": {"open", "private", "archived"}}.get(caller, set())
    assert {name for name, item in found.items() if item["isJoined"]} == joined


OK, SHELL = (200, None), (200, "shell")
DETAILS = [
    (
        "anonymous",
        {
            "open": OK,
            "archived": OK,
            "private": OK,
            "draft": (404, None),
            "gated": (403, "LOGIN_REQUIRED"),
            "hidden": (403, "LOGIN_REQUIRED"),
        },
    ),
    (
        "stranger",
        {
            "open": OK,
            "archived": OK,
            "private": OK,
            "draft": (404, None),
            "gated": (403, "ENTITLEMENT_REQUIRED"),
            "hidden": (403, "ENTITLEMENT_REQUIRED"),
        },
    ),
    ("entitled", {"open": OK, "gated": OK, "hidden": OK, "old_gold": OK, "draft": (404, None)}),
    ("lapsed", {"open": OK, "gated": SHELL, "hidden": SHELL, "old_gold": SHELL, "draft": (404, None)}),
    ("joined", {"open": OK, "private": OK, "archived": OK, "draft": (404, None)}),
    (
        "admin",
        {"open": OK, "archived": OK, "private": OK, "gated": OK, "hidden": OK, "old_gold": OK, "draft": (404, None)},
    ),
]


@pytest.mark.parametrize("caller, expected", DETAILS, ids=[row[0] for row in DETAILS])
def test_detail_and_posts_follow_the_same_decision(scene, caller, expected):
    people, channels = scene
    for name, (status, word) in expected.items():
        detail = people[caller].get(f"/api/mobile/channels/{channels[name]}", expect=status)
        posts = people[caller].get(f"/api/mobile/channels/{channels[name]}/posts")
        if word == "shell":
            assert detail.data["isLocked"] and detail.data["isJoined"], name
            assert (posts.status, posts.reason) == (403, "CHANNEL_LOCKED"), name
        else:
            assert posts.status == status, (name, posts)
            if status == 200:
                assert not detail.data["isLocked"]
            else:
                assert detail.reason == posts.reason == word, (name, detail, posts)


def test_unread_and_newest_post_are_shown_to_callers_with_a_name_only(node, admin):
    reader, channel = Person(node), admin.channel()
    assert "unreadCount" not in listed(Client(node.port))[channel]
    item = listed(reader)[channel]
    assert (item["unreadCount"], item["lastPostId"]) == (0, None)
    posts = [admin.publish(channel)["id"] for _ in range(3)]
    admin.drop_post(posts[1])
    item = listed(reader)[channel]
    assert item["lastPostId"] == posts[2]
    assert item["unreadCount"] == 2


def test_locked_shell_tells_nothing_of_its_posts(node, admin):
    channel, key = admin.gated()
    reader = Person(node)
    admin.grant(reader, key)
    reader.post(f"/api/mobile/channels/{channel}/join", expect=200)
    admin.publish(channel)
    assert listed(reader)[channel]["unreadCount"] == 1
    admin.revoke(reader, key)
    item = listed(reader)[channel]
    assert item["isLocked"] and (item["unreadCount"], item["lastPostId"]) == (0, None)


def test_pages_of_channels_are_newest_first_and_complete(node, admin):
    made = [admin.channel(title=f"Row {number}") for number in range(5)]
    caller = Client(node.port)
    first = caller.get("/api/mobile/channels?limit=2", expect=200).data
    assert [item["id"] for item in first["items"]] == [made[4], made[3]]
    assert (first["limit"], first["count"], first["has_more"]) == (2, 2, True)
    second = caller.get(f"/api/mobile/channels?limit=2&cursor={first['cursor']['next_cursor']}", expect=200).data
    assert [item["id"] for item in second["items"]] == [made[2], made[1]]


def test_joining_and_leaving_are_idempotent_and_keep_their_times(node, admin):
    channel, reader = admin.channel(), Person(node)
    never = reader.post(f"/api/mobile/channels/{channel}/leave", expect=200).data
    assert never == {"channelId": channel, "isJoined": False, "joinedAt": None, "leftAt": None}
    first = reader.post(f"/api/mobile/channels/{channel}/join", {}, expect=200).data
    assert first["isJoined"] and first["leftAt"] is None
    assert reader.post(f"/api/mobile/channels/{channel}/join", expect=200).data == first
    assert reader.get(f"/api/mobile/channels/{channel}", expect=200).data["isJoined"]
    left = reader.post(f"/api/mobile/channels/{channel}/leave", expect=200).data
    assert not left["isJoined"] and left["joinedAt"] == first["joinedAt"]
    assert reader.post(f"/api/mobile/channels/{channel}/leave", expect=200).data == left
    again = reader.post(f"/api/mobile/channels/{channel}/join", expect=200).data
    assert again["leftAt"] is None and parse_time(again["joinedAt"]) >= parse_time(left["leftAt"])


def test_leaving_works_without_access_and_joining_does_not(scene):
    people, channels = scene
    lapsed = people["lapsed"]
    assert lapsed.post(f"/api/mobile/channels/{channels['gated']}/join", expect=403).reason == "CHANNEL_LOCKED"
    assert (
        people["stranger"].post(f"/api/mobile/channels/{channels['gated']}/join", expect=403).reason
        == "ENTITLEMENT_REQUIRED"
    )
    assert lapsed.post(f"/api/mobile/channels/{channels['hidden']}/leave", expect=200).data["isJoined"] is False
    assert lapsed.get(f"/api/mobile/channels/{channels['hidden']}", expect=403).reason == "ENTITLEMENT_REQUIRED"
    lapsed.post(f"/api/mobile/channels/{channels['draft']}/leave", expect=404)


def test_groups_are_not_joined_and_archives_take_nobody(node, admin):
    reader, group = Person(node), admin.channel(kind="GROUP")
    for verb in ("join", "leave"):
        assert reader.post(f"/api/mobile/channels/{group}/{verb}", expect=409).reason == "CHANNEL_NOT_BROADCAST"
    archived = admin.channel()
    admin.set_channel(archived, status="ARCHIVED")
    assert reader.post(f"/api/mobile/channels/{archived}/join", expect=409).reason == "CHANNEL_ARCHIVED"
    reader.post(f"/api/mobile/channels/{archived}/leave", expect=200)


def test_an_entitlement_counts_between_its_times_only(node, admin):
    channel, key = admin.gated()
    reader = Person(node)
    admin.grant(reader, key, validFrom=time_text(3600))
    assert reader.posts(channel, expect=403).reason == "ENTITLEMENT_REQUIRED"
    admin.grant(reader, key, validFrom=None, validUntil=time_text(3600))
    reader.posts(channel)


def test_read_state_only_goes_forward_and_never_past_the_newest(pair, admin):
    reader, channel = Person(pair[0]), admin.channel()
    path = f"/api/mobile/channels/{channel}/read-state"
    assert reader.get(path, expect=200).data == {
        "channelId": channel,
        "lastSeenPostId": "0",
        "lastSeenAt": None,
        "unreadCount": 0,
    }
    assert reader.post(path, {"last_seen_post_id": "77"}, expect=200).data["lastSeenPostId"] == "0"
    posts = [admin.publish(channel)["id"] for _ in range(4)]
    state = reader.post(path, {"last_seen_post_id": posts[2]}, expect=200).data
    assert (state["lastSeenPostId"], state["unreadCount"]) == (posts[2], 1)
    back = reader.on(pair[1]).post(path, {"last_seen_post_id": posts[0]}, expect=200).data
    assert (back["lastSeenPostId"], back["unreadCount"]) == (posts[2], 1)
    far = reader.post(path, {"last_seen_post_id": "9223372036854775807"}, expect=200).data
    assert (far["lastSeenPostId"], far["unreadCount"]) == (posts[3], 0)
    assert reader.on(pair[1]).get(path, expect=200).data == far
    later = admin.publish(channel)["id"]
    admin.drop_post(later)
    assert reader.get(path, expect=200).data["unreadCount"] == 0


def test_read_state_needs_a_name_and_access(node, admin):
    channel, _ = admin.gated()
    assert Client(node.port).get(f"/api/mobile/channels/{channel}/read-state", expect=401).reason == "LOGIN_REQUIRED"
    assert Person(node).get(f"/api/mobile/channels/{channel}/read-state", expect=403).reason == "ENTITLEMENT_REQUIRED"
    body = {"last_seen_post_id": "1"}
    assert (
        Person(node).post(f"/api/mobile/channels/{channel}/read-state", body, expect=403).reason
        == "ENTITLEMENT_REQUIRED"
    )
    admin.posts(channel)
