"""Requests on the bare socket: framing, sizes, time, pipelining, compression, CORS."""

import gzip
import json
import select
import time

import pytest

from support.http import Client, RawConnection
from support.world import Person


def head(method="GET", path="/api/mobile/channels", *lines, host=True):
    rows = [f"{method} {path} HTTP/1.1"] + (["Host: belfry.test"] if host else []) + list(lines)
    return ("\r\n".join(rows) + "\r\n\r\n").encode("latin-1")


def one(node, data, status, closes=True, method="GET", path=None):
    with RawConnection(node.port) as raw:
        raw.send(data)
        answer = raw.answer(method, path)
        assert answer is not None and answer.status == status, answer
        if status not in (200, 404):
            assert answer.body["statusCode"] == status
        if closes:
            assert raw.closed()
        return answer


def test_a_long_request_line_is_414(node):
    assert one(node, head(path="/api/mobile/channels?x=" + "a" * 20000), 414).code == "VALIDATION_ERROR"


def test_a_large_header_block_is_431(node):
    assert one(node, head("GET", "/healthz", "X-Pad: " + "a" * 40000), 431).code == "VALIDATION_ERROR"
    assert (
        one(node, head("GET", "/healthz", *[f"X-{number}: {number}" for number in range(5000)]), 431).code
        == "VALIDATION_ERROR"
    )


@pytest.mark.slow
def test_a_request_that_never_ends_is_408(node):
    began = time.monotonic()
    with RawConnection(node.port, timeout=30) as slow_head, RawConnection(node.port, timeout=40) as slow_body:
        slow_head.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        slow_body.send(
            head("POST", "/api/mobile/ws-tickets", "Content-Length: 10", f"Authorization: Bearer {Person(node).token}")
            + b"{"
        )
        for raw in (slow_head, slow_body):
            answer = raw.answer()
            assert answer.status == 408 and answer.code == "VALIDATION_ERROR"
            assert raw.closed()
    assert time.monotonic() - began > 5


def test_a_plain_get_of_ws_is_426(node):
    answer = one(node, head(path="/ws"), 426, path="/ws")
    assert answer.code == "VALIDATION_ERROR"
    said = [answer.headers.get(name) for name in ("upgrade", "connection", "sec-websocket-version")]
    assert said == ["websocket", "upgrade, close", "13"]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\r\nnonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G\x00T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /heal thz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/mobile/ws-tickets HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/mobile/ws-tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /api/mobile/ws-tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n{}{}{",
        b"POST /api/mobile/ws-tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/mobile/ws-tickets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST /api/mobile/ws-tickets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ],
    ids=[
        "noise",
        "verb",
        "HTTP/0.9",
        "version",
        "no slash",
        "NUL verb",
        "space in path",
        "no colon",
        "NUL in name",
        "TLS",
        "HTTP/2",
        "negative length",
        "odd length",
        "two lengths",
        "length and chunks",
        "bad chunk",
        "huge chunk",
    ],
)
def test_what_is_no_http_is_refused_or_cut_and_the_server_lives(node, data):
    with RawConnection(node.port) as raw:
        raw.send(data)
        raw.socket.shutdown(1)
        try:
            answer = raw.answer()
        except (ConnectionResetError, AssertionError):
            answer = None
        assert answer is None or 400 <= answer.status < 500, answer
        if answer is not None:
            assert raw.closed()
    with Client(node.port) as client:
        client.get("/healthz", expect=200)


def test_a_chunked_body_is_a_body(node, admin):
    channel, person = admin.channel(discussion={}), Person(node)
    path = f"/api/mobile/channels/{channel}/discussion/messages"
    with RawConnection(node.port) as raw:
        raw.send(head("POST", path, "Transfer-Encoding: chunked", f"Authorization: Bearer {person.token}"))
        for piece in (b'{"body":', b'"in pieces', b'"}'):
            raw.send(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
        raw.send(b"0\r\nX-Trailer: yes\r\n\r\n")
        answer = raw.answer("POST", path)
        assert answer.status == 201 and answer.data["body"] == "in pieces"
        raw.send(head("GET", "/healthz"))
        assert raw.answer("GET", "/healthz").status == 200


def test_a_chunked_body_over_the_limit_is_413(node):
    with RawConnection(node.port) as raw:
        raw.send(
            head(
                "POST",
                "/api/mobile/ws-tickets",
                "Transfer-Encoding: chunked",
                f"Authorization: Bearer {Person(node).token}",
            )
        )
        try:
            for _ in range(40):
                raw.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            answer = raw.answer("POST", "/api/mobile/ws-tickets")
        except ConnectionResetError:
            answer = None
        assert answer is None or answer.status == 413
    with Client(node.port) as client:
        client.get("/healthz", expect=200)


def test_an_announced_megabyte_is_413_before_it_is_sent(node):
    answer = one(
        node,
        head(
            "POST", "/api/mobile/ws-tickets", "Content-Length: 1048576", f"Authorization: Bearer {Person(node).token}"
        ),
        413,
    )
    assert answer.code == "PAYLOAD_TOO_LARGE"
    with RawConnection(node.port) as raw:
        raw.send(
            head(
                "POST",
                "/api/mobile/ws-tickets",
                "Content-Length: 1048576",
                "Expect: 100-continue",
                f"Authorization: Bearer {Person(node).token}",
            )
        )
        assert raw.answer().status == 413


def test_expect_100_continue_is_honoured(node, admin):
    channel = admin.channel(discussion={})
    path = f"/api/mobile/channels/{channel}/discussion/messages"
    body = b'{"body":"patient"}'
    with RawConnection(node.port) as raw:
        raw.send(
            head(
                "POST",
                path,
                f"Content-Length: {len(body)}",
                "Expect: 100-continue",
                f"Authorization: Bearer {Person(node).token}",
            )
        )
        assert raw._file.readline().startswith(b"HTTP/1.1 100 ")
        assert raw._file.readline() == b"\r\n"
        raw.send(body)
        assert raw.answer("POST", path).status == 201


def test_pipelined_requests_are_answered_in_order(node, admin):
    channels = [admin.channel(title=f"Pipe {number}") for number in range(10)]
    with RawConnection(node.port) as raw:
        raw.send(
            b"".join(head(path=f"/api/mobile/channels/{channel}") for channel in channels)
            + head("GET", "/nowhere")
            + head("GET", "/healthz", "Connection: close")
        )
        for channel in channels:
            assert raw.answer("GET", f"/api/mobile/channels/{channel}").data["id"] == channel
        assert raw.answer("GET", "/nowhere").status == 404
        assert raw.answer("GET", "/healthz").status == 200
        assert raw.closed()


def test_one_byte_at_a_time_is_a_request(node):
    with RawConnection(node.port) as raw:
        for byte in head("GET", "/healthz"):
            raw.send(bytes([byte]))
        assert raw.answer("GET", "/healthz").status == 200


def test_head_has_no_body_and_keeps_the_connection_in_step(node):
    with RawConnection(node.port) as raw:
        raw.send(head("HEAD", "/healthz") + head("GET", "/healthz"))
        first = raw.answer("HEAD")
        assert first.status in (200, 405)
        assert raw.answer("GET", "/healthz").status == 200


def test_http_1_0_gets_an_answer_and_the_end(node):
    with RawConnection(node.port) as raw:
        raw.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert raw.answer().status == 200
        assert raw.closed()


def test_large_answers_are_compressed_for_who_accepts_it(node, admin):
    channel = admin.channel()
    for number in range(5):
        admin.publish(channel, f"{number} " + "tide and time " * 100)
    path = f"/api/mobile/channels/{channel}/posts"
    with Client(node.port) as client:
        plain = client.get(path, expect=200)
        assert "content-encoding" not in plain.headers
        packed = client.get(path, headers={"Accept-Encoding": "gzip"}, expect=200)
        assert packed.headers["content-encoding"] == "gzip" and len(packed.raw) < len(plain.raw) / 3
        assert json.loads(gzip.decompress(packed.raw)) == plain.body
        assert "accept-encoding" in packed.headers.get("vary", "").lower()
        for refusing in ("identity", "gzip;q=0", "br", "xgzip"):
            assert (
                "content-encoding" not in client.get(path, headers={"Accept-Encoding": refusing}, expect=200).headers
            ), refusing
        assert (
            client.get(path, headers={"Accept-Encoding": "br;q=1.0, gzip;q=0.5, *;q=0.1"}, expect=200).headers[
                "content-encoding"
            ]
            == "gzip"
        )
        assert "content-encoding" not in client.get("/healthz", headers={"Accept-Encoding": "gzip"}).headers


def test_cors_is_off_by_default_and_answers_its_list(node, start):
    with Client(node.port) as client:
        answer = client.get("/api/mobile/channels", headers={"Origin": "https://app.example.net"}, expect=200)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    open_node = start(BELFRY_ALLOWED_ORIGINS="https://app.example.net,https://b.example.net")
    with Client(open_node.port) as client:
        for origin, allowed in (
            ("https://app.example.net", True),
            ("https://b.example.net", True),
            ("https://evil.example", False),
            ("null", False),
            ("https://app.example.net.evil.example", False),
        ):
            answer = client.get("/api/mobile/channels", headers={"Origin": origin}, expect=200)
            assert (answer.headers.get("access-control-allow-origin") == origin) == allowed, origin
            flight = client.request(
                "OPTIONS",
                "/api/mobile/channels/1/read-state",
                headers={
                    "Origin": origin,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
                },
            )
            assert (flight.headers.get("access-control-allow-origin") == origin) == allowed, origin
            if allowed:
                assert flight.status in (200, 204)
                assert "POST" in flight.headers["access-control-allow-methods"]
                given = flight.headers["access-control-allow-headers"].lower()
                assert all(name in given for name in ("authorization", "content-type", "idempotency-key"))


def test_idle_and_half_open_connections_do_not_stop_others(node):
    idle = [RawConnection(node.port) for _ in range(200)]
    try:
        for index, raw in enumerate(idle):
            if index % 2:
                raw.send(b"GET /hea")
        with Client(node.port) as client:
            client.get("/healthz", expect=200)
        # None of them had to end for that.
        assert select.select([raw.socket for raw in idle], [], [], 0)[0] == []
    finally:
        for raw in idle:
            raw.close()
