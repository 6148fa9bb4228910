"""Lists of posts in both directions, tombstones, pins, what a post may hold."""

import pytest

from support.http import Client
from support.node import Node, new_database
from support.world import Admin, Person, time_text


@pytest.fixture(scope="module")
def worked(cluster):
    """A database of its own in which channel 3 has the posts 1, 2 and 3."""
    made = Node(new_database(cluster)).wait_ready()
    try:
        admin = Admin(made)
        channels = [admin.channel() for _ in range(3)]
        posts = [admin.publish(channels[2])["id"] for _ in range(3)]
        assert channels[2] == 3 and posts == ["1", "2", "3"], "ids of an empty database start at 1 without holes"
        yield Client(made.port)
    finally:
        made.stop()


def ids(page):
    return [item["id"] for item in page["items"]]


def test_case_a_first_newer_window(worked):
    page = worked.get("/api/mobile/channels/3/posts?after_id=0&limit=2", expect=200).data
    assert ids(page) == ["1", "2"]
    assert page["cursor"] == {"next_after_id": "2", "next_before_id": "1"}
    assert page["has_more"] is True and page["count"] == 2 and page["limit"] == 2


def test_case_b_older_page_from_the_upper_boundary(worked):
    page = worked.get("/api/mobile/channels/3/posts?before_id=4&limit=2", expect=200).data
    assert ids(page) == ["3", "2"]
    assert page["cursor"] == {"next_after_id": "3", "next_before_id": "2"}
    assert page["has_more"] is True


@pytest.mark.parametrize(
    "query, expected, more",
    [
        ("", ["3", "2", "1"], False),
        ("?limit=2", ["3", "2"], True),
        ("?after_id=2", ["3"], False),
        ("?after_id=3", [], False),
        ("?before_id=2", ["1"], False),
        ("?before_id=1", [], False),
        ("?after_id=0", ["1", "2", "3"], False),
        ("?after_id=&before_id=&limit=", ["3", "2", "1"], False),
        ("?after_id=1&limit=1&colour=red", ["2"], True),
        ("?before_id=9223372036854775807&limit=1", ["3"], True),
    ],
)
def test_windows(worked, query, expected, more):
    page = worked.get(f"/api/mobile/channels/3/posts{query}", expect=200).data
    assert (ids(page), page["has_more"]) == (expected, more)
    assert page["count"] == len(expected)
    if not expected:
        assert page["cursor"] == {}


def test_a_poller_and_a_scroller_see_the_same_posts(node, admin):
    channel = admin.channel()
    made = [admin.publish(channel, f"Note {number}")["id"] for number in range(11)]
    reader, up, down = Person(node), [], []
    page = reader.posts(channel, "?after_id=0&limit=3").data
    while page["items"]:
        up += ids(page)
        page = reader.posts(channel, f"?after_id={page['cursor']['next_after_id']}&limit=3").data
    page = reader.posts(channel, "?limit=4").data
    while page["items"]:
        down += ids(page)
        page = reader.posts(channel, f"?before_id={page['cursor']['next_before_id']}&limit=4").data
    assert up == made and down == made[::-1]


def test_a_deleted_post_stays_as_a_tombstone(node, admin):
    channel, reader = admin.channel(), Person(node)
    post = admin.publish(
        channel,
        "Spoken too soon",
        attachments=[
            {"storageKey": "k/1", "fileName": "map.png", "mimeType": "image/png", "sizeBytes": 9, "displayOrder": 1}
        ],
    )
    tomb = admin.drop_post(post["id"])
    assert tomb["isDeleted"] and tomb["bodyText"] is None and tomb["attachments"] == []
    assert reader.get(f"/api/mobile/posts/{post['id']}", expect=200).data == tomb
    assert reader.posts(channel).data["items"] == [tomb]
    assert admin.drop_post(post["id"]) == tomb, "deleting again changes nothing"
    for path in (f"/api/admin/posts/{post['id']}",):
        assert admin.get(path, expect=200).data["bodyText"] == "Spoken too soon"
    assert (
        admin.get(f"/api/admin/channels/{channel}/posts", expect=200).data["items"][0]["bodyText"] == "Spoken too soon"
    )


def test_pins(node, admin):
    channel, reader = admin.channel(), Person(node)
    posts = [admin.publish(channel)["id"] for _ in range(5)]
    for index in (0, 2, 4):
        pinned = admin.pin(posts[index])
        assert pinned["isPinned"] and pinned["pinnedAt"]
    assert admin.pin(posts[0])["pinnedAt"] == reader.get(f"/api/mobile/posts/{posts[0]}", expect=200).data["pinnedAt"]
    assert ids(reader.posts(channel, "?pinned=true").data) == [posts[4], posts[2], posts[0]]
    page = reader.posts(channel, "?pinned=true&after_id=0&limit=2").data
    assert ids(page) == [posts[0], posts[2]] and page["has_more"]
    admin.drop_post(posts[2])
    assert admin.pin(posts[4], on=False)["pinnedAt"] is None
    assert ids(reader.posts(channel, "?pinned=true").data) == [posts[0]]
    assert reader.posts(channel, "?pinned=false", expect=422).fields() == ["pinned"]


ATTACHMENT = {
    "storageKey": "2031/05/tide.png",
    "fileName": "tide.png",
    "mimeType": "image/png",
    "sizeBytes": 1234,
    "displayOrder": 0,
}
GOOD = [
    ("text", {"type": "TEXT", "bodyText": "  Fog at dawn\r\nand later  "}, {"bodyText": "Fog at dawn\nand later"}),
    ("longest text", {"type": "TEXT", "bodyText": "\U0001F6A2" * 20000}, {}),
    (
        "link",
        {"type": "LINK", "linkUrl": "https://example.net/tides?day=4"},
        {"linkUrl": "https://example.net/tides?day=4"},
    ),
    (
        "chart",
        {"type": "CHART", "chartPayloadJson": {"points": [[1, 2.5], [2, None]], "näme": "ü"}},
        {"chartPayloadJson": {"points": [[1, 2.5], [2, None]], "näme": "ü"}},
    ),
    ("media", {"type": "MEDIA", "attachments": [ATTACHMENT]}, {}),
]


@pytest.mark.parametrize("body, shown", [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_posts_of_every_type(node, admin, body, shown):
    channel = admin.channel()
    post = admin.post(f"/api/admin/channels/{channel}/posts", body, expect=201).data
    for field, value in shown.items():
        assert post[field] == value
    if body.get("attachments"):
        found = dict(post["attachments"][0])
        assert found.pop("id") > 0
        found.pop("url")
        assert found == ATTACHMENT
    assert Person(node).get(f"/api/mobile/posts/{post['id']}", expect=200).data == post


def test_publication_time_is_kept_and_never_in_the_future(admin):
    channel = admin.channel()
    assert admin.publish(channel, publishedAt="2001-02-03T04:05:06.789Z")["publishedAt"] == "2001-02-03T04:05:06.789Z"
    answer = admin.post(
        f"/api/admin/channels/{channel}/posts",
        {"type": "TEXT", "bodyText": "x", "publishedAt": time_text(60)},
        expect=422,
    )
    assert answer.fields() == ["publishedAt"]


BAD = [
    ("no type", {"bodyText": "x"}, "type"),
    ("unknown type", {"type": "POLL", "bodyText": "x"}, "type"),
    ("text without text", {"type": "TEXT"}, "bodyText"),
    ("empty text", {"type": "TEXT", "bodyText": " \n\t "}, "bodyText"),
    ("long text", {"type": "TEXT", "bodyText": "x" * 20001}, "bodyText"),
    ("text is a number", {"type": "TEXT", "bodyText": 5}, "bodyText"),
    ("control character", {"type": "TEXT", "bodyText": "a\u0007b"}, "bodyText"),
    ("NUL", {"type": "TEXT", "bodyText": "a\u0000b"}, "bodyText"),
    ("link without url", {"type": "LINK"}, "linkUrl"),
    ("link to a script", {"type": "LINK", "linkUrl": "javascript:alert(1)"}, "linkUrl"),
    ("link of words", {"type": "LINK", "linkUrl": "not a url"}, "linkUrl"),
    ("long link", {"type": "LINK", "linkUrl": "https://e.net/" + "a" * 2048}, "linkUrl"),
    ("chart without payload", {"type": "CHART"}, "chartPayloadJson"),
    ("chart is a list", {"type": "CHART", "chartPayloadJson": []}, "chartPayloadJson"),
    ("chart is text", {"type": "CHART", "chartPayloadJson": "{}"}, "chartPayloadJson"),
    ("big chart", {"type": "CHART", "chartPayloadJson": {"a": "x" * 66000}}, "chartPayloadJson"),
    ("media without attachment", {"type": "MEDIA"}, "attachments"),
    ("media with none", {"type": "MEDIA", "attachments": []}, "attachments"),
    ("eleven attachments", {"type": "MEDIA", "attachments": [ATTACHMENT] * 11}, "attachments"),
    ("attachment without key", {"type": "MEDIA", "attachments": [{"fileName": "a"}]}, "attachments"),
    ("negative size", {"type": "MEDIA", "attachments": [{**ATTACHMENT, "sizeBytes": -1}]}, "attachments"),
    ("attachment is text", {"type": "MEDIA", "attachments": ["x"]}, "attachments"),
    ("bad time", {"type": "TEXT", "bodyText": "x", "publishedAt": "yesterday"}, "publishedAt"),
    ("impossible day", {"type": "TEXT", "bodyText": "x", "publishedAt": "2030-02-30T00:00:00.000Z"}, "publishedAt"),
    ("unknown field", {"type": "TEXT", "bodyText": "x", "colour": "red"}, "colour"),
]


@pytest.mark.parametrize("body, field", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_refused_posts_name_the_field(admin, shared, body, field):
    answer = admin.post(f"/api/admin/channels/{shared}/posts", body, expect=422)
    assert any(found == field or found.startswith((field + ".", field + "[")) for found in answer.fields()), answer


@pytest.fixture(scope="module")
def shared(admin):
    return admin.channel()


def test_changing_a_post(node, admin):
    channel = admin.channel()
    post = admin.publish(channel, "First")
    changed = admin.change_post(post["id"], bodyText="Second")
    assert changed["bodyText"] == "Second" and changed["updatedAt"] >= post["updatedAt"]
    assert admin.change_post(post["id"], bodyText="Second") == changed, "a change of nothing leaves updatedAt"
    assert admin.change_post(post["id"]) == changed
    link = admin.change_post(post["id"], type="LINK", linkUrl="http://example.net/", bodyText=None)
    assert (link["type"], link["bodyText"], link["linkUrl"]) == ("LINK", None, "http://example.net/")
    answer = admin.patch(f"/api/admin/posts/{post['id']}", {"linkUrl": None}, expect=422)
    assert answer.fields() == ["linkUrl"]
    assert Person(node).get(f"/api/mobile/posts/{post['id']}", expect=200).data == link
    admin.patch("/api/admin/posts/999999999", {"bodyText": "x"}, expect=404)
    Person(node).get("/api/mobile/posts/999999999", expect=404)


def test_drafts_are_prepared_in_secret_and_archives_take_no_post(node, admin):
    channel, reader = admin.channel(status="DRAFT"), Person(node)
    post = admin.publish(channel)["id"]
    reader.get(f"/api/mobile/posts/{post}", expect=404)
    admin.get(f"/api/mobile/posts/{post}", expect=404)
    admin.set_channel(channel, status="ACTIVE")
    reader.get(f"/api/mobile/posts/{post}", expect=200)
    admin.set_channel(channel, status="ARCHIVED")
    reader.get(f"/api/mobile/posts/{post}", expect=200)
    answer = admin.post(f"/api/admin/channels/{channel}/posts", {"type": "TEXT", "bodyText": "late"}, expect=409)
    assert answer.reason == "CHANNEL_ARCHIVED"


def test_post_detail_follows_the_channel(node, admin):
    channel, key = admin.gated()
    post, reader = admin.publish(channel)["id"], Person(node)
    assert Client(node.port).get(f"/api/mobile/posts/{post}", expect=403).reason == "LOGIN_REQUIRED"
    assert reader.get(f"/api/mobile/posts/{post}", expect=403).reason == "ENTITLEMENT_REQUIRED"
    admin.grant(reader, key)
    reader.get(f"/api/mobile/posts/{post}", expect=200)
