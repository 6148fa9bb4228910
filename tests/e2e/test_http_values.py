"""Paths, queries and bodies that are wrong, for every route, and in which order the checks come."""

import json
import re

import pytest

from support import record
from support.http import Client
from support.world import Person, new_id

HUGE = str(2**63)


@pytest.fixture(scope="module")
def scene(node, admin):
    channel = admin.channel(discussion={})
    person = Person(node)
    return {
        "channel": channel,
        "post": admin.publish(channel)["id"],
        "message": person.says(channel, "x").data["id"],
        "person": person,
        "admin": admin,
    }


def caller(scene, path):
    return scene["admin"] if path.startswith("/api/admin") else scene["person"]


def routes(*needles):
    return sorted(
        (method, path)
        for method, path in record.operations().values()
        if all(re.search(needle, path) for needle in needles)
    )


def with_body(method, path):
    return "requestBody" in record.OPENAPI["paths"][path][method.lower()]


def fill(scene, path, numeric=None):
    def value(match):
        name = match.group(1)
        if name in ("id", "postId"):
            if numeric is not None:
                return numeric
            return str(
                scene["message"]
                if "discussion-messages" in path
                else scene["post"]
                if name == "postId"
                else scene["channel"]
            )
        return {"userId": new_id(), "key": "gold"}[name]

    return re.sub(r"\{(\w+)\}", value, path)


BAD_IDS = [
    "-1",
    "0",
    "007",
    "+1",
    "%2B1",
    "1e3",
    HUGE,
    "9" * 40,
    "%203",
    "3%20",
    "1.0",
    "0x1",
    "abc",
    "%00",
    "1%00",
    "1;2",
    "%F0%9F%9A%A2",
    "null",
    "1,2",
    "-0",
    "%31%",
    "%zz",
]


@pytest.mark.parametrize("method, path", routes(r"\{(id|postId)\}"))
def test_bad_numeric_path_ids_are_400(scene, method, path):
    for bad in BAD_IDS:
        answer = caller(scene, path).request(method, fill(scene, path, bad))
        assert (answer.status, answer.code) == (400, "VALIDATION_ERROR"), (bad, answer)


@pytest.mark.parametrize("method, path", routes(r"\{(id|postId)\}"))
def test_the_largest_id_is_readable_and_unknown(scene, method, path):
    body = {"POST": {"body": "x"}, "PATCH": {"body": "x"}}.get(method, {})
    if path.endswith("/posts"):
        body = {"type": "TEXT", "bodyText": "x"}
    if path.endswith("read-state"):
        body = {"last_seen_post_id": "1"}
    if re.search("join|leave|restore|pin|bans|mutes", path) or path in (
        "/api/admin/channels/{id}",
        "/api/admin/posts/{postId}",
        "/api/admin/channels/{id}/discussion",
    ):
        body = {}
    options = {"body": body} if method in ("POST", "PATCH", "PUT") else {}
    answer = caller(scene, path).request(method, fill(scene, path, str(2**63 - 1)), **options)
    assert answer.status == 404 and answer.reason != "NO_ROUTE", answer


@pytest.mark.parametrize("method, path", routes(r"\{userId\}"))
def test_a_user_that_is_no_uuid_is_400(scene, method, path):
    for bad in (
        "1",
        "me",
        "%20",
        "0196b2c0-7a10-7cc1-8f00",
        "g196b2c0-7a10-7cc1-8f00-5a5a5a5a5a5a",
        "0196b2c07a107cc18f005a5a5a5a5a5a0",
        "{0196b2c0-7a10-7cc1-8f00-5a5a5a5a5a5a}".replace("{", "%7B").replace("}", "%7D"),
    ):
        target = re.sub(
            r"\{(\w+)\}", lambda m, bad=bad: {"userId": bad, "key": "gold"}.get(m.group(1), str(scene["channel"])), path
        )
        answer = scene["admin"].request(method, target)
        assert answer.status == 400, (bad, answer)


BAD_LIMITS = ["0", "101", "NaN", "-1", "1.5", "1e1", "+5", "05x", "%205", "ten", HUGE, "0x10", "%00"]
LISTS = [
    ("GET", path)
    for method, path in routes("")
    if method == "GET"
    and any("Limit" in parameter.get("$ref", "") for parameter in record.OPENAPI["paths"][path]["get"]["parameters"])
]


@pytest.mark.parametrize("method, path", LISTS)
def test_bad_limits_are_422_and_empty_ones_absent(scene, method, path):
    for bad in BAD_LIMITS:
        answer = caller(scene, path).request(method, fill(scene, path) + f"?limit={bad}")
        assert answer.status == 422 and answer.fields() == ["limit"], (bad, answer)
    answer = caller(scene, path).request(
        method, fill(scene, path) + "?limit=&after_id=&before_id=&cursor=&view=&colour=red&limit_=7", expect=200
    )
    assert answer.data["limit"] == 20
    for good in ("1", "100"):
        assert caller(scene, path).request(method, fill(scene, path) + f"?limit={good}", expect=200).data[
            "limit"
        ] == int(good)


FORGED = [
    "x",
    "AAAA",
    "eyJjcmVhdGVkQXQiOiJub3cifQ",
    "eyJ9",
    "0",
    "-1",
    "%00",
    "%FF%FE",
    "a" * 3000,
    "e30",
    "bnVsbA",
    "W10",
    "eyJjIjoxLCJpIjoxfQ==",
    "..",
    "'; DROP TABLE channels; --".replace(" ", "%20"),
]


@pytest.mark.parametrize("path", ["/api/mobile/channels", "/api/admin/channels", "/api/admin/audit-log"])
def test_forged_cursors_are_422(scene, path):
    for forged in FORGED:
        answer = caller(scene, path).get(f"{path}?cursor={forged}")
        if path.endswith("audit-log") and forged == "0":
            continue
        assert answer.status == 422 and answer.fields() == ["cursor"], (forged, answer)


def test_bad_post_and_message_cursors_are_422(scene):
    posts, talk = (
        f"/api/mobile/channels/{scene['channel']}/posts",
        f"/api/mobile/channels/{scene['channel']}/discussion/messages",
    )
    for bad in ("-1", "x", "1.5", "+1", "007x", HUGE, "9" * 30, "%00", "1e3", "%201"):
        for path, names in ((posts, ("after_id", "before_id")), (talk, ("before_id",))):
            for name in names:
                answer = scene["person"].get(f"{path}?{name}={bad}")
                assert answer.status == 422 and answer.fields() == [name], (name, bad, answer)
    answer = scene["person"].get(posts + "?after_id=1&before_id=2", expect=422)
    assert set(answer.fields()) <= {"after_id", "before_id"} and answer.fields()
    scene["person"].get(posts + "?after_id=&before_id=2", expect=200)


EMPTY_MEANS_OBJECT = "join|leave|/pin|bans|mutes|entitlements|features|restore|access-changed|ws-tickets"
NO_OBJECT = [
    b"{",
    b"[]",
    b"[{}]",
    b"null",
    b"true",
    b"5",
    b'"x"',
    b"nope",
    b"{'a':1}",
    b'{"a":1,}',
    b"{}{}",
    b"\xff\xfe",
    b'{"a":"\xff"}',
    b"\x00",
    b"{}\x00",
    b'{"a":NaN}',
    b"[" * 20000,
    b'{"a":' * 20000,
    b'{"a":1}//',
    b"\xef\xbb\xbf{}x",
    b'{"a":"\xed\xa0\x80"}',
]


@pytest.mark.parametrize(
    "method, path", [(method, path) for method, path in routes("/api/") if with_body(method, path)]
)
def test_bodies_that_are_no_json_object_are_400(scene, method, path):
    target = fill(scene, path)
    for bad in NO_OBJECT + ([] if re.search(EMPTY_MEANS_OBJECT, path) else [b"", b"   "]):
        answer = caller(scene, path).request(method, target, bad)
        assert (answer.status, answer.code) == (400, "VALIDATION_ERROR"), (bad[:20], answer)


@pytest.mark.parametrize(
    "method, path", [(method, path) for method, path in routes("/api/") if with_body(method, path)]
)
def test_unknown_fields_are_422_and_named(scene, method, path):
    target = fill(scene, path)
    for name in ("colour", "", "__proto__", "Body", "x" * 300):
        answer = caller(scene, path).request(method, target, {name: 1})
        assert answer.status == 422 and answer.fields(), (name, answer)
        if name == "colour":
            assert "colour" in answer.fields(), answer


@pytest.mark.parametrize(
    "method, path", [(method, path) for method, path in routes("/api/") if with_body(method, path)]
)
def test_a_megabyte_is_413(scene, method, path):
    answer = caller(scene, path).request(method, fill(scene, path), b'{"a":"' + b"x" * (1 << 20) + b'"}')
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE"), answer


def test_a_body_of_256_kib_is_read(scene):
    talk = f"/api/mobile/channels/{scene['channel']}/discussion/messages"
    body = b'{"body":"big"' + b" " * (256 * 1024 - 14) + b"}"
    assert len(body) == 256 * 1024
    scene["person"].post(talk, body, expect=201)
    scene["person"].post(talk, body + b" ", expect=413)


WRONG_TYPES = [
    ("POST", "/api/mobile/channels/{id}/discussion/messages", "body"),
    ("PATCH", "/api/mobile/discussion-messages/{id}", "body"),
    ("POST", "/api/mobile/channels/{id}/read-state", "last_seen_post_id"),
    ("POST", "/api/admin/channels/{id}/discussion/messages", "body"),
    ("PATCH", "/api/admin/discussion-messages/{id}", "body"),
    ("PATCH", "/api/admin/channels/{id}", "title"),
    ("PATCH", "/api/admin/posts/{postId}", "type"),
    ("PUT", "/api/admin/channels/{id}/discussion", "title"),
    ("PUT", "/api/admin/channels/{id}/discussion/bans/{userId}", "until"),
]


@pytest.mark.parametrize("method, path, field", WRONG_TYPES)
def test_wrong_types_nul_and_lone_surrogates_are_422(scene, method, path, field):
    values = ["5", "true", "[]", '["x"]', "{}", '{"a":1}', "1.5", '"a\\u0000b"', '"\\u0000"', "1e999"]
    for text in values:
        answer = caller(scene, path).request(method, fill(scene, path), ('{"%s":%s}' % (field, text)).encode())
        if text == "1e999" and answer.status == 400:
            continue  # a number that no double can hold is no JSON for some
        assert answer.status == 422 and answer.fields() == [field], (text, answer)
    for text in ('"\\ud800"', '"x\\udc00y"', '"\\ud800\\ud800"'):
        answer = caller(scene, path).request(method, fill(scene, path), ('{"%s":%s}' % (field, text)).encode())
        assert answer.status in (400, 422), (text, answer)


@pytest.mark.parametrize("value", ["", "-1", "1.0", "x", " 1", "+1", "1e3", HUGE, "9" * 40, "\u0661"])
def test_read_state_takes_integer_strings_only(scene, value):
    answer = scene["person"].post(
        f"/api/mobile/channels/{scene['channel']}/read-state", {"last_seen_post_id": value}, expect=422
    )
    assert answer.fields() == ["last_seen_post_id"]


def test_a_field_given_twice_is_not_smuggled_past_the_checks(scene):
    talk = f"/api/mobile/channels/{scene['channel']}/discussion/messages"
    answer = scene["person"].post(talk, b'{"body":"one","body":"two"}')
    assert answer.status in (201, 400, 422)
    if answer.status == 201:
        assert answer.data["body"] in ("one", "two")


def test_no_content_type_is_needed(scene):
    talk = f"/api/mobile/channels/{scene['channel']}/discussion/messages"
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        scene["person"].post(talk, b'{"body":"x"}', headers={"Content-Type": kind}, expect=201)


def test_order_of_checks(node, scene):
    channel, person, admin, nobody = scene["channel"], scene["person"], scene["admin"], Client(node.port)
    talk, gated = f"/api/mobile/channels/{channel}/discussion/messages", admin.gated(discussion={})[0]
    steps = [
        ("route before method", nobody.request("BREW", "/api/mobile/teapots"), 404),
        ("method before login", nobody.request("PUT", talk, b"{"), 405),
        ("login before path id", nobody.post("/api/mobile/channels/0/join"), 401),
        ("login before body", nobody.post(talk, b"{"), 401),
        ("role before path id", person.get("/api/admin/channels/0"), 403),
        ("role before body", person.post("/api/admin/channels", b"{"), 403),
        ("path id before body", person.post("/api/mobile/channels/0/discussion/messages", b"{"), 400),
        ("body before values", person.post(talk, b"[]"), 400),
        ("values before entity", person.post("/api/mobile/channels/999999999/discussion/messages", {"body": ""}), 422),
        ("query values before entity", person.get("/api/mobile/channels/999999999/posts?limit=0"), 422),
        ("entity before access", person.get("/api/mobile/channels/999999999/posts"), 404),
        ("values before access", person.post(f"/api/mobile/channels/{gated}/discussion/messages", {"body": ""}), 422),
        ("channel's access before discussion", person.get(f"/api/mobile/channels/{admin.gated()[0]}/discussion"), 403),
        ("access before state", person.post(f"/api/mobile/channels/{admin.gated(kind='GROUP')[0]}/join"), 403),
        ("a bad token even where login is optional", nobody.get("/api/mobile/channels/0", token="x"), 401),
    ]
    for name, answer, status in steps:
        assert answer.status == status, (name, answer)


@pytest.mark.parametrize("method, path", routes("/api/"))
def test_every_route_refuses_a_bad_token_and_most_want_one(node, scene, method, path):
    operation = record.OPENAPI["paths"][path][method.lower()]
    with Client(node.port) as nobody:
        target = fill(scene, path)
        assert nobody.request(method, target, token="x.y.z", expect=401).reason == "TOKEN_INVALID"
        if {} not in operation["security"]:
            assert nobody.request(method, target, expect=401).reason == "LOGIN_REQUIRED"


def test_not_author_comes_after_access(node, admin):
    channel, key = admin.gated(discussion={})
    message = admin.says_officially(channel, "x").data["id"]
    person = Person(node)
    path = f"/api/mobile/discussion-messages/{message}"
    assert person.patch(path, {"body": "y"}, expect=403).reason == "ENTITLEMENT_REQUIRED"
    admin.grant(person, key)
    assert person.patch(path, {"body": "y"}, expect=403).reason == "NOT_AUTHOR"


def test_unknown_routes_and_methods(node, admin):
    with Client(node.port) as nobody:
        for path in (
            "/",
            "/api",
            "/api/mobile",
            "/api/mobile/channels/",
            "/api/mobile//channels",
            "/api/mobile/channels/1/posts/2",
            "/API/MOBILE/CHANNELS",
            "/api/mobile/../admin/channels",
            "/api/mobile/%2e%2e/admin/channels",
            "/..%2f..%2fetc/passwd",
            "/favicon.ico",
            "/wss",
        ):
            answer = nobody.get(path, expect=404)
            assert (answer.code, answer.reason) == ("NOT_FOUND", "NO_ROUTE"), path
        by_path = {}
        for method, path in record.operations().values():
            by_path.setdefault(path, set()).add(method)
        for path, methods in by_path.items():
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
                answer = nobody.request(method, re.sub(r"\{.*?\}", "1", path), expect=405)
                allowed = {word.strip() for word in answer.headers["allow"].split(",")}
                assert methods <= allowed and method not in allowed, (method, path, allowed)
        for method in ("BREW", "TRACE", "get", "PROPFIND"):
            assert nobody.request(method, "/api/mobile/channels").status in (400, 405)


def test_request_ids_are_kept_when_well_formed(node):
    with Client(node.port) as client:
        for good in ("abc", "A-1_2.3:4", "x" * 128):
            assert client.get("/api/mobile/channels", headers={"X-Request-Id": good}).headers["x-request-id"] == good
            assert client.get("/nowhere", headers={"X-Request-Id": good}).body["requestId"] == good
        for bad in ("", "a b", "x" * 129, "ä", "<script>", "a\tb"):
            found = client.get("/api/mobile/channels", headers={"X-Request-Id": bad.encode("latin-1")}).headers[
                "x-request-id"
            ]
            assert found and found != bad and re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", found)
        assert (
            client.get("/api/mobile/channels").headers["x-request-id"]
            != client.get("/api/mobile/channels").headers["x-request-id"]
        )


def test_no_answer_tells_of_the_database(scene):
    talk = f"/api/mobile/channels/{scene['channel']}/discussion/messages"
    for body in ({"body": "'; DROP TABLE messages; --"}, {"body": "\\x00 $1 %s {}"}):
        assert scene["person"].post(talk, body, expect=201).data["body"] == body["body"]
    assert json.dumps(scene["person"].messages(scene["channel"]).data)
