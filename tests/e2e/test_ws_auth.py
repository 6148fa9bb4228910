"""Getting onto a WebSocket, staying on it and being sent away."""

import datetime
import time

import pytest

from support.http import RawConnection
from support.parallel import in_parallel
from support.tokens import b64, sign, token
from support.world import Person, new_id, parse_time
from support.ws import RawSocket, Refused, Socket

JOIN = "communication:join_channel_posts"
SYNC = "communication:sync_channel_posts"


def refused(port, status=401, **options):
    with pytest.raises(Refused) as caught:
        Socket(port, **options)
    assert caught.value.status == status


def test_a_header_token_lets_in(node, admin):
    with Person(node).socket() as sock:
        sock.join_posts(admin.channel())


def test_without_a_token_every_event_is_unauthorized_until_authenticate(node, admin):
    channel, person = admin.channel(discussion={}), Person(node)
    with Socket(node.port) as sock:
        for event, data in (
            (JOIN, {"channelId": channel}),
            ("communication:leave_channel_posts", {"channelId": channel}),
            ("communication:join_discussion", {"channelId": channel}),
            ("communication:leave_discussion", {"discussionId": 1}),
            (SYNC, {"channelId": channel}),
            ("communication:sync_discussion", {"channelId": channel}),
        ):
            sock.fails(event, data, "UNAUTHORIZED")
        sock.ok("ping")
        reply = sock.authenticate(person.token)
        assert reply["ok"] and reply["data"]["userId"] == person.id
        sock.join_posts(channel)


@pytest.mark.slow
def test_without_a_token_the_connection_ends_after_ten_seconds(node):
    began = time.monotonic()
    with Socket(node.port) as sock:
        assert sock.closed(timeout=25) == 4001
    assert time.monotonic() - began > 8


def test_a_ticket_works_once_on_any_node(pair, admin):
    person, channel = Person(pair[0]), admin.channel()
    answer = person.post("/api/mobile/ws-tickets", expect=201).data
    left = (parse_time(answer["expiresAt"]) - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert 20 < left <= 31
    ticket = answer["ticket"]
    with Socket(pair[1].port, query=f"?ticket={ticket}") as sock:
        sock.join_posts(channel)
    for node in pair:
        refused(node.port, query=f"?ticket={ticket}")


def test_racing_for_one_ticket_has_one_winner(pair):
    ticket = Person(pair[0]).ticket()

    def go(index):
        try:
            Socket(pair[index % 2].port, query=f"?ticket={ticket}")
            return True
        except Refused:
            return False

    assert sorted(in_parallel(6, go)) == [False] * 5 + [True]


def test_a_ticket_after_its_thirty_seconds_is_refused(node, cluster):
    person = Person(node)
    ticket = person.ticket()
    database = node.settings["BELFRY_DATABASE_URL"].split("dbname=")[1].split()[0]
    cluster.sql(database, "UPDATE ws_tickets SET expires_at = expires_at - interval '31 seconds'")
    refused(node.port, query=f"?ticket={ticket}")


@pytest.mark.parametrize("ticket", ["x", "A" * 43, "%00", "A" * 2000, "..", "%F0%9F%9A%A2"])
def test_forged_tickets_are_refused(node, ticket):
    refused(node.port, query=f"?ticket={ticket}")


def test_a_token_in_the_query_is_refused_wherever_it_stands(node):
    good = Person(node).token
    for query in (f"?token={good}", f"?ticket={good}", f"?access_token={good}", f"?a=1&b={good}&c=2"):
        refused(node.port, query=query)
        refused(node.port, query=query, token=good)
    with Socket(node.port, query="?ticket=&other=eyJ.no"):
        pass


def test_the_refusal_is_a_problem_with_a_reason(node):
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    for header, query, reason in (
        (f"Authorization: Bearer {token(new_id(), lifetime=-60)}\r\n", "", "TOKEN_EXPIRED"),
        ("Authorization: Bearer nonsense\r\n", "", "TOKEN_INVALID"),
        ("Authorization: Basic eHg6eHg=\r\n", "", "TOKEN_INVALID"),
        ("", "?ticket=forged", "TOKEN_INVALID"),
    ):
        with RawConnection(node.port) as raw:
            raw.send(f"GET /ws{query} HTTP/1.1\r\nHost: x\r\n{key}{header}\r\n".encode())
            answer = raw.answer("GET", "/ws")
            assert answer.status == 401 and answer.reason == reason, answer


def bad_tokens():
    now, user = int(time.time()), new_id()
    claims = {"sub": user, "exp": now + 600}
    good = sign(claims)
    head, body, signature = good.split(".")
    return {
        "alg none": b64('{"alg":"none","typ":"JWT"}') + "." + body + ".",
        "alg none with a signature": b64('{"alg":"none"}') + "." + body + "." + signature,
        "other alg": sign(claims, header={"alg": "RS256", "typ": "JWT"}),
        "alg HS512": sign(claims, header={"alg": "HS512"}),
        "alg in lower case": sign(claims, header={"alg": "hs256"}),
        "no alg": sign(claims, header={"typ": "JWT"}),
        "alg is a number": sign(claims, header={"alg": 5}),
        "critical extension": sign(claims, header={"alg": "HS256", "crit": ["x"], "x": 1}),
        "other secret": sign(claims, secret="another secret of more than thirty-two bytes"),
        "changed body": head + "." + b64('{"sub":"%s","exp":%d,"role":"ADMIN"}' % (user, now + 600)) + "." + signature,
        "short signature": head + "." + body + "." + signature[:-4],
        "no signature": head + "." + body + ".",
        "two parts": head + "." + body,
        "four parts": good + ".x",
        "padding": good + "=",
        "garbage": "garbage",
        "dots": "..",
        "header is no JSON": b64("{{{") + "." + body + "." + signature,
        "header is a list": sign(claims, header=["HS256"]),
        "claims are a list": sign([1]),
        "no sub": sign({"exp": now + 600}),
        "sub is a number": sign({"sub": 5, "exp": now + 600}),
        "sub is no UUID": sign({"sub": "mira", "exp": now + 600}),
        "no exp": sign({"sub": user}),
        "exp is text": sign({"sub": user, "exp": "tomorrow"}),
        "exp is null": sign({"sub": user, "exp": None}),
        "role is unknown": sign({**claims, "role": "ROOT"}),
        "role is a number": sign({**claims, "role": 1}),
        "not yet": sign({**claims, "nbf": now + 300}),
        "nbf is text": sign({**claims, "nbf": "now"}),
    }


@pytest.mark.parametrize("name", list(bad_tokens()))
def test_bad_tokens_over_http_header_and_frame(node, name):
    bad = bad_tokens()[name]
    with node.client(token=bad) as client:
        answer = client.get("/api/mobile/channels", expect=401)
        assert answer.reason == "TOKEN_INVALID", answer
    refused(node.port, token=bad)
    with Socket(node.port) as sock:
        error = sock.authenticate(bad)
        assert not error["ok"] and error["error"]["code"] == "UNAUTHORIZED", error


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "bearerish x", "Basic eHg6eHg=", "Bearer a b", "Bearer \xe4"]
)
def test_a_bad_authorization_header_is_401_even_where_login_is_optional(node, header):
    with node.client() as client:
        answer = client.get("/api/mobile/channels", headers={"Authorization": header.encode("latin-1")}, expect=401)
        assert answer.reason == "TOKEN_INVALID"


def test_expired_tokens_say_so_and_leeway_is_five_seconds_over_http_only(node):
    old = token(new_id(), lifetime=-60)
    with node.client(token=old) as client:
        assert client.get("/api/mobile/channels", expect=401).reason == "TOKEN_EXPIRED"
    with Socket(node.port) as sock:
        sock.fails("authenticate", {"token": old}, "UNAUTHORIZED", "TOKEN_EXPIRED")
        just = token(new_id(), lifetime=-1)
        with node.client(token=just) as client:
            client.get("/api/mobile/channels", expect=200)
        sock.fails("authenticate", {"token": just}, "UNAUTHORIZED", "TOKEN_EXPIRED")


def test_issuer_and_audience_are_checked_when_configured(start):
    node = start(BELFRY_JWT_ISSUER="https://id.example.net", BELFRY_JWT_AUDIENCE="belfry")
    right = {"iss": "https://id.example.net", "aud": "belfry"}
    with node.client() as client:
        for claims, status in (
            (right, 200),
            ({**right, "aud": ["other", "belfry"]}, 200),
            ({**right, "iss": "https://evil.example"}, 401),
            ({**right, "aud": "other"}, 401),
            ({**right, "aud": ["other"]}, 401),
            ({"iss": right["iss"]}, 401),
            ({"aud": "belfry"}, 401),
            ({}, 401),
        ):
            answer = client.get("/api/mobile/channels", token=token(new_id(), **claims))
            assert answer.status == status, (claims, answer)


def test_renewal_keeps_the_rooms_and_refuses_another_user(node, admin):
    channel, person = admin.channel(), Person(node)
    with person.socket() as sock:
        sock.join_posts(channel)
        reply = sock.authenticate(token(person.id, lifetime=7200))
        assert reply["ok"] and reply["data"]["userId"] == person.id
        sock.fails("authenticate", {"token": token(new_id())}, "FORBIDDEN")
        sock.fails("authenticate", {"token": "rubbish"}, "UNAUTHORIZED", "TOKEN_INVALID")
        sock.fails("authenticate", {}, "VALIDATION_ERROR")
        sock.fails("authenticate", {"token": 5}, "VALIDATION_ERROR")
        admin.publish(channel)
        sock.next("channel_post.created")


def test_a_short_token_is_announced_at_once_and_ends_with_4001(node, admin):
    channel, person = admin.channel(), Person(node, lifetime=3)
    with person.socket() as sock:
        sock.join_posts(channel)
        notice = sock.next("auth:expiring")
        end = parse_time(notice["data"]["expiresAt"]).timestamp()
        assert sock.closed(timeout=20) == 4001
        assert -0.5 < time.time() - end < 5


def test_a_renewed_token_outlives_the_first(node, admin):
    channel, person = admin.channel(), Person(node, lifetime=3)
    with person.socket() as sock:
        sock.join_posts(channel)
        first = sock.next("auth:expiring")["data"]["expiresAt"]
        assert sock.authenticate(token(person.id))["ok"]
        with Person(node, lifetime=3).socket() as witness:  # its end shows that the first one's time is over
            assert witness.closed(timeout=20) == 4001
        assert time.time() > parse_time(first).timestamp()
        admin.publish(channel)
        sock.next("channel_post.created")


def test_a_ticket_connection_ends_with_the_token_that_asked_for_it(node):
    with Socket(node.port, query=f"?ticket={Person(node, lifetime=3).ticket()}") as sock:
        sock.next("auth:expiring")
        assert sock.closed(timeout=20) == 4001


def test_an_offered_subprotocol_and_compression_are_ignored(node, admin):
    with RawConnection(node.port) as raw:
        raw.send(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, v2\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        answer = raw.answer("GET", "/ws")
        assert answer.status == 101 and answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert "sec-websocket-protocol" not in answer.headers and "sec-websocket-extensions" not in answer.headers


def test_a_normal_close_is_answered(node):
    with RawSocket(node.port) as raw:
        raw.send(raw.frame(8, b"\x03\xe8"))
        assert raw.close_code() == 1000


@pytest.mark.parametrize(
    "lines, status",
    [
        (["Sec-WebSocket-Version: 12", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 426),
        (["Sec-WebSocket-Version: 13"], 400),
        (["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"], 400),
    ],
    ids=["old version", "no key", "short key"],
)
def test_a_broken_handshake_is_refused(node, lines, status):
    with RawConnection(node.port) as raw:
        rows = ["GET /ws HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", *lines]
        raw.send(("\r\n".join(rows) + "\r\n\r\n").encode())
        answer = raw.answer("GET", "/ws")
        assert answer.status == status and answer.code == "VALIDATION_ERROR"
        assert raw.closed()
