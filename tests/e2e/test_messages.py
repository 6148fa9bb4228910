"""Discussions: who may read and write, what a message is, and what happens exactly once."""

import pytest

from support import wait
from support.http import Client
from support.parallel import in_parallel
from support.world import Person, new_id, parse_time, time_text


@pytest.fixture(scope="module")
def talk(admin):
    return admin.channel(discussion={})


def test_a_channel_without_discussion_has_none(node, admin):
    channel, reader = admin.channel(), Person(node)
    reader.get(f"/api/mobile/channels/{channel}/discussion", expect=404)
    reader.messages(channel, expect=404)
    reader.says(channel, "hello", expect=404)
    admin.get(f"/api/admin/channels/{channel}/discussion", expect=404)


def test_discussion_needs_a_name_and_the_channel(node, admin):
    channel, _ = admin.gated(discussion={})
    for path in ("discussion", "discussion/messages"):
        assert Client(node.port).get(f"/api/mobile/channels/{channel}/{path}", expect=401).reason == "LOGIN_REQUIRED"
        assert Person(node).get(f"/api/mobile/channels/{channel}/{path}", expect=403).reason == "ENTITLEMENT_REQUIRED"


def test_a_disabled_discussion_shows_its_shell_only(node, admin):
    channel = admin.channel(discussion={"isEnabled": False, "title": "Closed for repairs"})
    reader = Person(node)
    shell = reader.get(f"/api/mobile/channels/{channel}/discussion", expect=200).data
    assert shell["isEnabled"] is False and shell["title"] == "Closed for repairs"
    assert reader.messages(channel, expect=403).reason == "DISCUSSION_DISABLED"
    assert reader.says(channel, "hello", expect=403).reason == "DISCUSSION_DISABLED"


def test_a_feature_opens_the_discussion(node, admin):
    feature = "chat." + new_id()[:6]
    channel, reader = admin.channel(discussion={"requiredFeatureKey": feature}), Person(node)
    for path in ("discussion", "discussion/messages"):
        assert reader.get(f"/api/mobile/channels/{channel}/{path}", expect=403).reason == "FEATURE_REQUIRED"
    assert reader.says(channel, "hello", expect=403).reason == "FEATURE_REQUIRED"
    reader.posts(channel)
    admin.grant(reader, feature, kind="features")
    reader.says(channel, "hello")
    admin.revoke(reader, feature, kind="features")
    assert reader.messages(channel, expect=403).reason == "FEATURE_REQUIRED"


def test_full_and_compact_views(node, admin):
    channel = admin.channel(discussion={})
    writer = Person(node, username="mira", picture="https://example.net/m.png")
    mine = writer.says(channel, "  Ahoy\r\nthere \t ", clientMessageId="tmp-1").data
    theirs = admin.says_officially(channel, "Welcome aboard").data
    assert mine["body"] == "Ahoy\nthere" and mine["clientMessageId"] == "tmp-1"
    assert (mine["authorType"], mine["authorUserId"], mine["authorAdminId"]) == ("USER", writer.id, None)
    assert mine["author"] == {"id": writer.id, "username": "mira", "picture": "https://example.net/m.png"}
    assert (theirs["authorType"], theirs["authorUserId"], theirs["authorAdminId"]) == ("ADMIN", None, admin.id)
    assert writer.messages(channel).data["items"] == [theirs, mine]
    compact = writer.messages(channel, "?view=compact").data["items"]
    assert compact == [
        {
            name: message[name]
            for name in (
                "id",
                "authorType",
                "authorUserId",
                "authorAdminId",
                "body",
                "clientMessageId",
                "isDeleted",
                "createdAt",
            )
            if name in message
        }
        for message in (theirs, mine)
    ]
    assert writer.messages(channel, "?view=tiny", expect=422).fields() == ["view"]


def test_an_admin_on_a_mobile_route_writes_as_admin(admin, talk):
    assert admin.says(talk, "From the bridge").data["authorType"] == "ADMIN"


def test_the_author_stays_as_it_was_when_written(node, admin):
    channel, person = admin.channel(discussion={}), new_id()
    Person(node, user_id=person, username="old name").says(channel, "one")
    renamed = Person(node, user_id=person, username="new name")
    renamed.says(channel, "two")
    assert [item["author"]["username"] for item in renamed.messages(channel).data["items"]] == ["new name", "old name"]


def test_pages_of_messages(node, admin):
    channel, reader = admin.channel(discussion={}), Person(node)
    assert reader.messages(channel).data["cursor"] == {}
    made = [reader.says(channel, f"line {number}").data["id"] for number in range(7)]
    assert made == sorted(made)
    found, query = [], "?limit=3"
    while True:
        page = reader.messages(channel, query).data
        found += [item["id"] for item in page["items"]]
        assert page["has_more"] == ("next_before_id" in page["cursor"])
        if not page["has_more"]:
            break
        query = f"?limit=3&before_id={page['cursor']['next_before_id']}"
    assert found == made[::-1]


@pytest.mark.parametrize(
    "text, stored",
    [
        ("a", "a"),
        ("  a  ", "a"),
        ("\u00a0\u2003a\u3000", "a"),
        ("a\r\nb\nc\td", "a\nb\nc\td"),
        ("\U0001F6A2" * 4000, "\U0001F6A2" * 4000),
        (" " * 500 + "x" * 4000 + "\n", "x" * 4000),
        ("e\u0301\u200d", "e\u0301\u200d"),
        ('"\\/\u2028</script>', '"\\/\u2028</script>'),
    ],
    ids=[
        "one",
        "trimmed",
        "unicode space",
        "line ends",
        "4000 ships",
        "4000 after trimming",
        "combining",
        "awkward",
    ],
)
def test_text_is_stored_normalised(node, admin, talk, text, stored):
    assert Person(node).says(talk, text).data["body"] == stored


@pytest.mark.parametrize(
    "text",
    ["", "  \n\t\u2003", "x" * 4001, "a\u0000b", "a\u0008b", "a\u007fb", "a\u0085b", "a\rb"],
    ids=["empty", "blank", "4001", "NUL", "backspace", "DEL", "C1", "lone CR"],
)
def test_text_that_is_refused(node, talk, text):
    answer = Person(node).post(f"/api/mobile/channels/{talk}/discussion/messages", {"body": text}, expect=422)
    assert answer.fields() == ["body"]


def test_editing_and_deleting_ones_own(node, admin, talk):
    writer, other = Person(node), Person(node)
    message = writer.says(talk, "first").data
    path = f"/api/mobile/discussion-messages/{message['id']}"
    edited = writer.patch(path, {"body": "second"}, expect=200).data
    assert edited["body"] == "second" and edited["editedAt"] and edited["editedByUserId"] == writer.id
    assert writer.patch(path, {"body": " second "}, expect=200).data == edited, "a change of nothing leaves updatedAt"
    assert other.patch(path, {"body": "mine"}, expect=403).reason == "NOT_AUTHOR"
    assert other.delete(path, expect=403).reason == "NOT_AUTHOR"
    tomb = writer.delete(path, expect=200).data
    assert tomb["isDeleted"] and tomb["body"] is None and tomb["deletedByAdminId"] is None
    assert writer.delete(path, expect=200).data == tomb
    writer.patch(path, {"body": "again"}, expect=404)
    assert [item for item in other.messages(talk).data["items"] if item["id"] == message["id"]] == [tomb]
    for method, body in (("PATCH", {"body": "x"}), ("DELETE", ...)):
        options = {} if body is ... else {"body": body}
        writer.request(method, "/api/mobile/discussion-messages/999999999", expect=404, **options)


def test_moderation_and_restore(node, admin, talk):
    writer = Person(node)
    message = writer.says(talk, "questionable").data
    changed = admin.edit_any(message["id"], "made polite")
    assert changed["editedByAdminId"] == admin.id and changed["editedByUserId"] is None
    tomb = admin.drop_message(message["id"])
    assert tomb["deletedByAdminId"] == admin.id
    shown = [item for item in writer.messages(talk).data["items"] if item["id"] == message["id"]][0]
    assert shown["body"] is None
    full = admin.get(f"/api/admin/channels/{talk}/discussion/messages", expect=200).data["items"]
    found = [item for item in full if item["id"] == message["id"]][0]
    assert found["body"] == "made polite" and found["deletedByAdminId"] == admin.id and found["deletedByUserId"] is None
    back = admin.restore(message["id"])
    assert back["body"] == "made polite" and not back["isDeleted"] and back["deletedAt"] is None
    assert admin.restore(message["id"]) == back
    assert [item for item in writer.messages(talk).data["items"] if item["id"] == message["id"]] == [back]
    own = writer.says(talk, "never mind").data["id"]
    writer.delete(f"/api/mobile/discussion-messages/{own}", expect=200)
    full = admin.get(f"/api/admin/channels/{talk}/discussion/messages", expect=200).data["items"]
    assert [item["deletedByUserId"] for item in full if item["id"] == own] == [writer.id]


def test_a_banned_user_reads_and_writes_nothing_but_may_delete(pair, admin):
    channel, writer = admin.channel(discussion={}), Person(pair[0])
    message = writer.says(channel, "before").data["id"]
    ban = admin.ban(channel, writer, reason="spam").data
    assert (ban["userId"], ban["reason"], ban["until"], ban["adminId"]) == (writer.id, "spam", None, admin.id)
    for node in pair:
        person = writer.on(node)
        assert person.messages(channel, expect=403).reason == "DISCUSSION_BANNED"
        assert person.says(channel, "x", expect=403).reason == "DISCUSSION_BANNED"
        assert (
            person.patch(f"/api/mobile/discussion-messages/{message}", {"body": "x"}, expect=403).reason
            == "DISCUSSION_BANNED"
        )
        person.posts(channel)
        person.get(f"/api/mobile/channels/{channel}/discussion", expect=200)
    writer.delete(f"/api/mobile/discussion-messages/{message}", expect=200)
    admin.unban(channel, writer)
    admin.unban(channel, writer)
    writer.on(pair[1]).says(channel, "after")


def test_a_muted_user_reads_but_does_not_write_until_the_end(pair, admin):
    channel, writer = admin.channel(discussion={}), Person(pair[1])
    message = writer.says(channel, "before").data["id"]
    until = time_text(3600)
    admin.mute(channel, writer, until=until)
    answer = writer.says(channel, "x", expect=403)
    assert answer.reason == "DISCUSSION_MUTED" and parse_time(answer.body["mutedUntil"]) == parse_time(until)
    assert (
        writer.patch(f"/api/mobile/discussion-messages/{message}", {"body": "x"}, expect=403).reason
        == "DISCUSSION_MUTED"
    )
    writer.messages(channel)
    admin.mute(channel, writer, until=None)
    assert writer.says(channel, "x", expect=403).body["mutedUntil"] is None
    admin.unmute(channel, writer)
    writer.says(channel, "x")


def test_locked_archived_and_disabled_places_refuse_edits_and_allow_deletes(node, admin):
    for close, reason, status in (
        (lambda c: admin.set_channel(c, status="ARCHIVED"), "CHANNEL_ARCHIVED", 409),
        (lambda c: admin.discussion(c, isEnabled=False), "DISCUSSION_DISABLED", 403),
    ):
        channel, writer = admin.channel(discussion={}), Person(node)
        message = writer.says(channel, "before").data["id"]
        close(channel)
        path = f"/api/mobile/discussion-messages/{message}"
        assert writer.patch(path, {"body": "x"}, expect=status).reason == reason
        assert writer.says(channel, "x", expect=status).reason == reason
        assert writer.delete(path, expect=200).data["isDeleted"]
    channel, key = admin.gated(discussion={})
    writer = Person(node)
    admin.grant(writer, key)
    writer.post(f"/api/mobile/channels/{channel}/join", expect=200)
    message = writer.says(channel, "before").data["id"]
    admin.revoke(writer, key)
    assert (
        writer.patch(f"/api/mobile/discussion-messages/{message}", {"body": "x"}, expect=403).reason == "CHANNEL_LOCKED"
    )
    writer.delete(f"/api/mobile/discussion-messages/{message}", expect=200)


def test_slow_mode_lets_exactly_one_of_many_racing_requests_pass(pair, admin):
    channel = admin.channel(discussion={"slowModeEnabled": True, "slowModeIntervalSeconds": 600})
    for _ in range(3):
        writer = Person(pair[0])
        writer.get(f"/api/mobile/channels/{channel}/discussion", expect=200)

        def send(index, writer=writer):
            with writer.on(pair[index % 2]) as caller:
                return caller.post(f"/api/mobile/channels/{channel}/discussion/messages", {"body": f"try {index}"})

        answers = in_parallel(8, send)
        assert sorted(answer.status for answer in answers) == [201] + [429] * 7
        for answer in answers:
            if answer.status == 429:
                assert answer.reason == "SLOW_MODE" and 590 < answer.body["retryAfterSeconds"] <= 600
                assert answer.headers["retry-after"] == str(answer.body["retryAfterSeconds"])
    admin.says(channel, "admins are")
    admin.says(channel, "exempt")


def test_slow_mode_ends_with_its_interval(node, admin):
    channel, writer = admin.channel(discussion={"slowModeEnabled": True, "slowModeIntervalSeconds": 1}), Person(node)
    first = writer.says(channel, "one").data
    second = wait.until(
        lambda: (lambda a: a if a.status == 201 else None)(
            writer.post(f"/api/mobile/channels/{channel}/discussion/messages", {"body": "two"})
        ),
        "slow mode ends",
        timeout=15,
    ).data
    gap = (parse_time(second["createdAt"]) - parse_time(first["createdAt"])).total_seconds()
    assert gap >= 1.0
    message = second["id"]
    writer.patch(f"/api/mobile/discussion-messages/{message}", {"body": "editing is not writing"}, expect=200)


def test_a_client_message_id_writes_once(pair, admin):
    channel, writer, other = admin.channel(discussion={}), Person(pair[0]), Person(pair[0])
    first = writer.says(channel, "one", clientMessageId="c-1").data
    again = writer.on(pair[1]).says(channel, "another text", expect=200, clientMessageId="c-1").data
    assert again == first
    assert other.says(channel, "mine", clientMessageId="c-1").data["id"] != first["id"]
    assert len(writer.messages(channel).data["items"]) == 2
    racing = in_parallel(
        6,
        lambda index: writer.on(pair[index % 2]).post(
            f"/api/mobile/channels/{channel}/discussion/messages", {"body": "race", "clientMessageId": "c-2"}
        ),
    )
    assert sorted(answer.status for answer in racing) == [200] * 5 + [201]
    assert len({answer.data["id"] for answer in racing}) == 1
    for bad in ("", "x" * 65, "a b", "ä", 5):
        answer = writer.post(
            f"/api/mobile/channels/{channel}/discussion/messages", {"body": "x", "clientMessageId": bad}, expect=422
        )
        assert answer.fields() == ["clientMessageId"]
    writer.delete(f"/api/mobile/discussion-messages/{first['id']}", expect=200)
    repeated = writer.says(channel, "one", expect=200, clientMessageId="c-1").data
    assert repeated["id"] == first["id"] and repeated["body"] is None
    admin.ban(channel, writer)
    assert writer.says(channel, "one", expect=403, clientMessageId="c-1").reason == "DISCUSSION_BANNED"


def test_an_idempotency_key_writes_once(pair, admin):
    channel, writer = admin.channel(discussion={}), Person(pair[0])
    path = f"/api/mobile/channels/{channel}/discussion/messages"
    body = b'{"body": "exactly these bytes"}'
    first = writer.post(path, body, headers={"Idempotency-Key": "k-1"}, expect=201)
    again = writer.on(pair[1]).post(path, body, headers={"Idempotency-Key": "k-1"}, expect=201)
    assert again.data == first.data
    other = writer.post(path, b'{"body":  "exactly these bytes"}', headers={"Idempotency-Key": "k-1"}, expect=409)
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"
    assert (
        Person(pair[0]).post(path, body, headers={"Idempotency-Key": "k-1"}, expect=201).data["id"] != first.data["id"]
    )
    for bad in ("x" * 129, "a b", "\u00e9"):
        answer = writer.post(path, body, headers={"Idempotency-Key": bad.encode("latin-1")}, expect=422)
        assert answer.fields() == ["Idempotency-Key"]
    racing = in_parallel(
        6, lambda index: writer.on(pair[index % 2]).post(path, b'{"body":"race"}', headers={"Idempotency-Key": "k-2"})
    )
    assert [answer.status for answer in racing] == [201] * 6
    assert len({answer.data["id"] for answer in racing}) == 1
    refused = writer.post(path, b'{"body":" "}', headers={"Idempotency-Key": "k-3"}, expect=422)
    assert refused.fields() == ["body"]
    writer.post(path, b'{"body":"now"}', headers={"Idempotency-Key": "k-3"}, expect=201)
    writer.delete(f"/api/mobile/discussion-messages/{first.data['id']}", expect=200)
    replay = writer.post(path, body, headers={"Idempotency-Key": "k-1"}, expect=201).data
    assert replay["id"] == first.data["id"] and replay["body"] is None and replay["isDeleted"]
    admin.ban(channel, writer)
    assert writer.post(path, body, headers={"Idempotency-Key": "k-1"}, expect=403).reason == "DISCUSSION_BANNED"


def test_admin_creations_take_idempotency_keys_too(pair, admin):
    key = {"Idempotency-Key": new_id()}
    body = b'{"kind":"GROUP","title":"Once"}'
    first = admin.post("/api/admin/channels", body, headers=key, expect=201).data
    assert admin.on(pair[1]).post("/api/admin/channels", body, headers=key, expect=201).data == first
    other = admin.post("/api/admin/channels", b'{"kind":"GROUP","title":"Twice"}', headers=key, expect=409)
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"
    admin.set_channel(first["id"], status="ACTIVE")
    post = b'{"type":"TEXT","bodyText":"Once"}'
    path = f"/api/admin/channels/{first['id']}/posts"
    one = admin.post(path, post, headers=key, expect=201).data
    assert admin.post(path, post, headers=key, expect=201).data == one
    admin.drop_post(one["id"])
    assert admin.post(path, post, headers=key, expect=201).data["bodyText"] is None
    admin.discussion(first["id"])
    path = f"/api/admin/channels/{first['id']}/discussion/messages"
    one = admin.post(path, b'{"body":"x"}', headers=key, expect=201).data
    assert admin.post(path, b'{"body":"x"}', headers=key, expect=201).data == one
    assert admin.post(path, b'{"body":"y"}', headers=key, expect=409).reason == "IDEMPOTENCY_KEY_REUSED"
    official = admin.says_officially(first["id"], "z", clientMessageId="a-1").data
    assert admin.says_officially(first["id"], "z", expect=200, clientMessageId="a-1").data == official
