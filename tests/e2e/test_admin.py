"""The administration routes."""

import pytest

from support import wait
from support.http import Client
from support.world import Admin, Person, new_id, time_text

ADMIN_ROUTES = [
    ("POST", "/api/admin/channels"),
    ("GET", "/api/admin/channels"),
    ("GET", "/api/admin/channels/1"),
    ("PATCH", "/api/admin/channels/1"),
    ("POST", "/api/admin/channels/1/posts"),
    ("GET", "/api/admin/channels/1/posts"),
    ("GET", "/api/admin/posts/1"),
    ("PATCH", "/api/admin/posts/1"),
    ("DELETE", "/api/admin/posts/1"),
    ("PUT", "/api/admin/posts/1/pin"),
    ("DELETE", "/api/admin/posts/1/pin"),
    ("PUT", "/api/admin/channels/1/discussion"),
    ("GET", "/api/admin/channels/1/discussion"),
    ("POST", "/api/admin/channels/1/discussion/messages"),
    ("GET", "/api/admin/channels/1/discussion/messages"),
    ("PATCH", "/api/admin/discussion-messages/1"),
    ("DELETE", "/api/admin/discussion-messages/1"),
    ("POST", "/api/admin/discussion-messages/1/restore"),
    ("GET", "/api/admin/channels/1/discussion/bans"),
    ("GET", "/api/admin/channels/1/discussion/mutes"),
    ("PUT", "/api/admin/channels/1/discussion/bans/U"),
    ("DELETE", "/api/admin/channels/1/discussion/bans/U"),
    ("PUT", "/api/admin/channels/1/discussion/mutes/U"),
    ("DELETE", "/api/admin/channels/1/discussion/mutes/U"),
    ("PUT", "/api/admin/users/U/entitlements/k"),
    ("DELETE", "/api/admin/users/U/entitlements/k"),
    ("PUT", "/api/admin/users/U/features/k"),
    ("DELETE", "/api/admin/users/U/features/k"),
    ("GET", "/api/admin/users/U"),
    ("POST", "/api/admin/users/U/access-changed"),
    ("GET", "/api/admin/audit-log"),
]


@pytest.mark.parametrize("method, path", ADMIN_ROUTES)
def test_only_admins_pass(node, method, path):
    path = path.replace("U", new_id())
    assert Client(node.port).request(method, path, expect=401).reason == "LOGIN_REQUIRED"
    assert Person(node).request(method, path, expect=403).reason == "ADMIN_REQUIRED"
    assert Person(node, role="USER").request(method, path, b"{not json", expect=403).code == "FORBIDDEN"


def test_a_channel_is_made_with_defaults(admin):
    made = admin.post("/api/admin/channels", {"kind": "GROUP", "title": "  Crew  "}, expect=201).data
    assert (
        made["accessPolicy"],
        made["status"],
        made["visibility"],
        made["entitlementKey"],
        made["title"],
        made["description"],
    ) == ("OPEN", "DRAFT", "PUBLIC", None, "Crew", None)
    assert admin.get(f"/api/admin/channels/{made['id']}", expect=200).data == made
    admin.get("/api/admin/channels/999999999", expect=404)


BAD_CHANNELS = [
    ("nothing", {}, "kind"),
    ("no kind", {"title": "x"}, "kind"),
    ("no title", {"kind": "GROUP"}, "title"),
    ("kind in lower case", {"kind": "group", "title": "x"}, "kind"),
    ("blank title", {"kind": "GROUP", "title": "  "}, "title"),
    ("long title", {"kind": "GROUP", "title": "x" * 121}, "title"),
    ("title null", {"kind": "GROUP", "title": None}, "title"),
    ("born archived", {"kind": "GROUP", "title": "x", "status": "ARCHIVED"}, "status"),
    ("visibility", {"kind": "GROUP", "title": "x", "visibility": "SECRET"}, "visibility"),
    ("gated without key", {"kind": "GROUP", "title": "x", "accessPolicy": "EXTERNAL_GATED"}, "entitlementKey"),
    ("open with key", {"kind": "GROUP", "title": "x", "entitlementKey": "k"}, "entitlementKey"),
    (
        "key with a space",
        {"kind": "GROUP", "title": "x", "accessPolicy": "EXTERNAL_GATED", "entitlementKey": "a b"},
        "entitlementKey",
    ),
    ("description is a list", {"kind": "GROUP", "title": "x", "description": []}, "description"),
    ("unknown field", {"kind": "GROUP", "title": "x", "id": 5}, "id"),
]


@pytest.mark.parametrize("body, field", [row[1:] for row in BAD_CHANNELS], ids=[row[0] for row in BAD_CHANNELS])
def test_refused_channels_name_the_field(admin, body, field):
    assert field in admin.post("/api/admin/channels", body, expect=422).fields()


def test_status_moves_along_its_arrows_only(admin):
    channel = admin.channel(status="DRAFT")
    assert admin.set_channel(channel, expect=409, status="ARCHIVED").reason == "INVALID_TRANSITION"
    for status in ("ACTIVE", "ARCHIVED", "ACTIVE", "DRAFT", "DRAFT", "ACTIVE", "ARCHIVED", "DRAFT"):
        assert admin.set_channel(channel, status=status).data["status"] == status
    assert admin.set_channel(channel, expect=409, kind="GROUP").reason == "INVALID_TRANSITION"
    admin.set_channel(channel, kind="BROADCAST")


def test_patching_a_channel_keeps_what_is_absent_and_clears_what_is_null(admin):
    channel = admin.channel(description="Tides and ferries")
    before = admin.get(f"/api/admin/channels/{channel}", expect=200).data
    assert admin.set_channel(channel).data == before, "a change of nothing leaves updatedAt"
    assert admin.set_channel(channel, title="Harbour news").data == before
    assert admin.set_channel(channel, description=None).data["description"] is None
    assert admin.set_channel(channel, title="Ferries").data["title"] == "Ferries"
    assert admin.set_channel(channel, expect=422, accessPolicy="EXTERNAL_GATED").fields() == ["entitlementKey"]
    gated = admin.set_channel(channel, accessPolicy="EXTERNAL_GATED", entitlementKey="tides.pro").data
    assert gated["entitlementKey"] == "tides.pro"
    assert admin.set_channel(channel, expect=422, entitlementKey=None).fields() == ["entitlementKey"]
    assert admin.set_channel(channel, accessPolicy="OPEN", entitlementKey=None).data["entitlementKey"] is None
    assert admin.set_channel(channel, expect=422, title=None).fields() == ["title"]
    admin.set_channel(999999999, expect=404, title="x")


def test_admins_list_channels_in_every_state(admin):
    made = [admin.channel(title="Listed", status=status) for status in ("DRAFT", "ACTIVE", "DRAFT")]
    found, cursor = [], ""
    while True:
        page = admin.get(f"/api/admin/channels?limit=2&cursor={cursor}", expect=200).data
        found += [item["id"] for item in page["items"]]
        cursor = page["cursor"].get("next_cursor")
        if not cursor:
            break
    assert found[:3] == made[::-1] and len(found) == len(set(found))


def test_putting_a_discussion(admin):
    channel = admin.channel(title="Deck")
    first = admin.discussion(channel)
    assert (
        first["isEnabled"],
        first["title"],
        first["slowModeEnabled"],
        first["slowModeIntervalSeconds"],
        first["requiredFeatureKey"],
    ) == (True, "Deck", False, None, None)
    assert admin.discussion(channel) == first
    path = f"/api/admin/channels/{channel}/discussion"
    assert admin.get(path, expect=200).data == first
    changed = admin.discussion(
        channel,
        title="Quarterdeck",
        slowModeEnabled=True,
        slowModeIntervalSeconds=21600,
        requiredFeatureKey="deck.pass",
    )
    assert (changed["id"], changed["title"], changed["slowModeIntervalSeconds"], changed["requiredFeatureKey"]) == (
        first["id"],
        "Quarterdeck",
        21600,
        "deck.pass",
    )
    assert admin.discussion(channel, requiredFeatureKey=None)["requiredFeatureKey"] is None
    for body, field in (
        ({"slowModeIntervalSeconds": 0}, "slowModeIntervalSeconds"),
        ({"slowModeIntervalSeconds": 21601}, "slowModeIntervalSeconds"),
        ({"slowModeIntervalSeconds": 1.5}, "slowModeIntervalSeconds"),
        ({"slowModeIntervalSeconds": "5"}, "slowModeIntervalSeconds"),
        ({"slowModeIntervalSeconds": None}, "slowModeIntervalSeconds"),
        ({"isEnabled": "yes"}, "isEnabled"),
        ({"isEnabled": None}, "isEnabled"),
        ({"title": ""}, "title"),
        ({"requiredFeatureKey": "a b"}, "requiredFeatureKey"),
        ({"colour": 1}, "colour"),
    ):
        assert field in admin.put(path, body, expect=422).fields(), body
    other = admin.channel()
    assert admin.put(f"/api/admin/channels/{other}/discussion", {"slowModeEnabled": True}, expect=422).fields() == [
        "slowModeIntervalSeconds"
    ]
    admin.put("/api/admin/channels/999999999/discussion", {}, expect=404)


def test_sanctions_are_listed_changed_and_lifted(node, admin):
    channel, people = admin.channel(discussion={}), [Person(node), Person(node)]
    for word, put, lift in (("bans", admin.ban, admin.unban), ("mutes", admin.mute, admin.unmute)):
        path = f"/api/admin/channels/{channel}/discussion/{word}"
        assert admin.get(path, expect=200).data["items"] == []
        until = time_text(900)
        first = put(channel, people[0], reason="  off topic ", until=until).data
        assert first["reason"] == "off topic" and first["until"] == until
        assert put(channel, people[0], reason="off topic", until=until).data == first
        second = put(channel, people[1]).data
        found = {item["userId"]: item for item in admin.get(path, expect=200).data["items"]}
        assert found == {people[0].id: first, people[1].id: second}
        lift(channel, people[0])
        assert [item["userId"] for item in admin.get(path, expect=200).data["items"]] == [people[1].id]
        for bad in ({"until": time_text(-5)}, {"until": "soon"}, {"reason": 5}, {"days": 3}):
            assert admin.put(f"{path}/{people[0].id}", bad, expect=422).fields() == list(bad)
        admin.put(f"{path}/not-a-uuid", {}, expect=400)
        admin.get(f"/api/admin/channels/999999999/discussion/{word}", expect=404)
        admin.put(f"/api/admin/channels/999999999/discussion/{word}/{people[0].id}", expect=404)


def test_a_ban_runs_out_by_the_clock(node, admin):
    channel, person = admin.channel(discussion={}), Person(node)
    admin.ban(channel, person, until=time_text(3))
    assert person.messages(channel, expect=403).reason == "DISCUSSION_BANNED"
    wait.until(
        lambda: person.get(f"/api/mobile/channels/{channel}/discussion/messages").status == 200,
        "the ban ends",
        timeout=15,
    )


def test_what_is_known_of_a_user(node, admin):
    admin.get(f"/api/admin/users/{new_id()}", expect=404)
    admin.get("/api/admin/users/7", expect=400)
    person = Person(node, username="mira", picture="https://example.net/m.png")
    channel, key = admin.gated(discussion={})
    until = time_text(3600)
    grant = admin.grant(person, key, validUntil=until).data
    assert grant["key"] == key and grant["validUntil"] == until
    admin.grant(person, "deck.pass", kind="features")
    person.post(f"/api/mobile/channels/{channel}/join", expect=200)
    admin.ban(channel, person, reason="spam")
    admin.mute(channel, person)
    report = admin.get(f"/api/admin/users/{person.id}", expect=200).data
    assert (report["id"], report["username"], report["picture"]) == (person.id, "mira", "https://example.net/m.png")
    assert [item["key"] for item in report["entitlements"]] == [key] and [
        item["key"] for item in report["features"]
    ] == ["deck.pass"]
    assert [item["channelId"] for item in report["joined"]] == [channel]
    assert [item["reason"] for item in report["bans"]] == ["spam"] and len(report["mutes"]) == 1
    admin.revoke(person, key)
    admin.revoke(person, key)
    admin.post(f"/api/admin/users/{person.id}/access-changed", expect=200)
    assert admin.get(f"/api/admin/users/{person.id}", expect=200).data["entitlements"] == []


def test_grants_refuse_bad_values(admin):
    person = new_id()
    for kind in ("entitlements", "features"):
        for bad, field in (
            ({"validUntil": "x"}, "validUntil"),
            ({"validFrom": 5}, "validFrom"),
            ({"forever": True}, "forever"),
            ({"validFrom": time_text(60), "validUntil": time_text(30)}, "validUntil"),
        ):
            assert admin.put(f"/api/admin/users/{person}/{kind}/gold", bad, expect=422).fields() == [field]
        admin.put(f"/api/admin/users/nobody/{kind}/gold", {}, expect=400)
        for key in ("a%20b", "x" * 129, "a%2Fb", "%C3%A4"):
            admin.put(f"/api/admin/users/{person}/{kind}/{key}", {}, expect=400)
            admin.delete(f"/api/admin/users/{person}/{kind}/{key}", expect=400)


def test_every_admin_write_is_in_the_audit_log(node, fresh, start):
    one = start(fresh)
    admin, person = Admin(one), Person(one)
    channel, key = admin.gated()
    post = admin.publish(channel, "the secret words")["id"]
    admin.change_post(post, bodyText="other secret words")
    admin.pin(post)
    admin.pin(post, on=False)
    admin.drop_post(post)
    admin.discussion(channel)
    message = admin.says_officially(channel, "secret words again").data["id"]
    admin.edit_any(message, "secret words changed")
    admin.drop_message(message)
    admin.restore(message)
    admin.ban(channel, person)
    admin.unban(channel, person)
    admin.mute(channel, person)
    admin.unmute(channel, person)
    admin.grant(person, key)
    admin.revoke(person, key)
    admin.grant(person, "f", kind="features")
    admin.revoke(person, "f", kind="features")
    admin.post(f"/api/admin/users/{person.id}/access-changed", expect=200)
    admin.set_channel(channel, title="Renamed")
    entries, cursor, raw = [], "", ""
    while True:
        answer = admin.get(f"/api/admin/audit-log?limit=7&cursor={cursor}", expect=200)
        raw += answer.text
        entries += answer.data["items"]
        cursor = answer.data["cursor"].get("next_cursor")
        if not cursor:
            break
    assert [entry["id"] for entry in entries] == sorted({entry["id"] for entry in entries}, reverse=True)
    assert len(entries) >= 20, [entry["action"] for entry in entries]
    assert all(entry["adminId"] == admin.id for entry in entries)
    assert "secret words" not in raw
    actions = {entry["action"] for entry in entries}
    last = entries[0]
    assert last["entityType"] == "channel" and last["entityId"] == str(channel)
    found = admin.get(
        f"/api/admin/audit-log?action={last['action']}&entityType=channel&entityId={channel}&adminId={admin.id}",
        expect=200,
    ).data["items"]
    assert found and all(entry["action"] == last["action"] and entry["entityId"] == str(channel) for entry in found)
    assert admin.get(f"/api/admin/audit-log?adminId={new_id()}", expect=200).data["items"] == []
    assert len(actions) >= 15, actions
    admin.get("/api/admin/audit-log?cursor=forged", expect=422)
    admin.get("/api/admin/audit-log?limit=0", expect=422)
