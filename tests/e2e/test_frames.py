"""Frames that no decent client sends."""

import json

import pytest
import websockets

from support import wait
from support.parallel import in_parallel
from support.world import Person
from support.ws import RawSocket, Socket

JOIN = "communication:join_channel_posts"


@pytest.fixture(scope="module", autouse=True)
def quiet_connection(node):
    """Opened first and asked last: its ping comes while the other tests run."""
    with RawSocket(node.port, token=Person(node).token) as raw:
        raw.socket.settimeout(30)
        yield raw


def deep(depth):
    return '{"id":1,"event":"%s","data":%s1%s}' % (JOIN, '{"a":' * depth, "}" * depth)


BAD_TEXTS = [
    ("nothing", ""),
    ("white space", "  "),
    ("words", "hello"),
    ("half an object", '{"event":'),
    ("two objects", "{}{}"),
    ("an array", "[1,2]"),
    ("a number", "7"),
    ("null", "null"),
    ("true", "true"),
    ("text", '"ping"'),
    ("empty object", "{}"),
    ("NaN", '{"event":"ping","id":NaN}'),
    ("comment", '{"event":"ping"/**/}'),
    ("trailing comma", '{"event":"ping",}'),
    ("single quotes", "{'event':'ping'}"),
    ("ten thousand arrays deep", "[" * 10000 + "]" * 10000),
    ("ten thousand objects deep", '{"a":' * 10000 + "1" + "}" * 10000),
    ("deep data", deep(9000)),
    ("unclosed depth", "[" * 30000),
    ("event missing", '{"id":1,"data":{}}'),
    ("event is a number", '{"id":1,"event":5}'),
    ("event is null", '{"id":1,"event":null}'),
    ("event is an object", '{"event":{}}'),
    ("unknown event", '{"id":1,"event":"communication:destroy"}'),
    ("empty event", '{"id":1,"event":""}'),
    ("case matters", '{"id":1,"event":"PING"}'),
    ("server's own event", '{"id":1,"event":"communication.channel_post.created","data":{}}'),
    ("long event", '{"event":"%s"}' % ("x" * 5000)),
    ("NUL in event", '{"event":"ping\\u0000"}'),
    ("lone surrogate", '{"event":"\\ud800"}'),
    ("BOM", "\ufeff" + '{"event":"ping"}'),
    ("NUL behind it", '{"event":"ping"}\0'),
    ("id is an object", '{"id":{},"event":"ping"}'),
    ("id is an array", '{"id":[],"event":"ping"}'),
    ("id is true", '{"id":true,"event":"ping"}'),
]


@pytest.mark.parametrize("text", [row[1] for row in BAD_TEXTS], ids=[row[0] for row in BAD_TEXTS])
def test_a_bad_frame_gets_a_validation_error_and_the_connection_lives(node, text):
    with Person(node).socket() as sock:
        sock.send_text(text)
        reply = sock.reply()
        assert reply["ok"] is False and reply["error"]["code"] == "VALIDATION_ERROR", reply
        sock.ok("ping")


BAD_DATA = [
    ("absent", ...),
    ("null", None),
    ("array", []),
    ("text", "x"),
    ("number", 3),
    ("empty", {}),
    ("numeric text", {"channelId": "1"}),
    ("null id", {"channelId": None}),
    ("zero", {"channelId": 0}),
    ("negative", {"channelId": -1}),
    ("fraction", {"channelId": 1.5}),
    ("2^63", {"channelId": 2**63}),
    ("2^64", {"channelId": 2**64}),
    ("huge", {"channelId": 10**40}),
    ("1e400", "1e400"),
    ("true", {"channelId": True}),
    ("list", {"channelId": [1]}),
    ("other field", {"channel_id": 1}),
]


@pytest.mark.parametrize("data", [row[1] for row in BAD_DATA], ids=[row[0] for row in BAD_DATA])
def test_bad_ids_are_validation_errors_that_keep_the_frame_id(node, data):
    with Person(node).socket() as sock:
        for number, event in enumerate(
            (
                "join_channel_posts",
                "leave_channel_posts",
                "join_discussion",
                "sync_channel_posts",
                "sync_discussion",
                "leave_discussion",
            )
        ):
            name = "communication:" + event
            if data == "1e400":
                sock.send_text(
                    '{"id":%d,"event":"%s","data":{"channelId":1e400,"discussionId":1e400}}' % (number, name)
                )
            else:
                frame = {"id": number, "event": name}
                if data is not ...:
                    frame["data"] = (
                        {
                            "discussionId" if event == "leave_discussion" and key == "channelId" else key: value
                            for key, value in data.items()
                        }
                        if isinstance(data, dict)
                        else data
                    )
                sock.send_text(json.dumps(frame))
            reply = sock.reply()
            assert reply["ok"] is False and reply["error"]["code"] == "VALIDATION_ERROR", (event, reply)
            if data != "1e400":
                assert reply["id"] == number and reply["event"] == name


def test_an_integral_fraction_and_a_largest_id(node, admin):
    with Person(node).socket() as sock:
        sock.fails(JOIN, {"channelId": 2**63 - 1}, "NOT_FOUND")


def test_twenty_bad_frames_in_a_row_end_it(node):
    with Person(node).socket() as sock:
        for _ in range(19):
            sock.send_text("bad")
            sock.reply()
        sock.ok("ping")
        for number in range(20):
            sock.send_text("bad")
            if number < 19:
                sock.reply()
        assert sock.closed() == 4400


def test_too_many_commands_end_it_and_their_number_is_the_burst(node):
    with RawSocket(node.port, token=Person(node).token) as raw:
        # In one piece: who sends them one by one may be slow enough to regain them.
        raw.send(b"".join(raw.frame(1, b'{"id":%d,"event":"ping"}' % number) for number in range(200)))
        answered = 0
        while (found := raw.read())[0] == 1:
            answered += 1
        assert found[0] == 8 and int.from_bytes(found[1][:2], "big") == 4029
        assert 50 <= answered < 120, answered


def test_burst_and_rate_can_be_set(start):
    node = start(BELFRY_WS_COMMAND_BURST="3", BELFRY_WS_COMMAND_RATE="1")
    with Person(node).socket() as sock:
        for _ in range(3):
            sock.ok("ping")
        try:
            for _ in range(4):
                sock.send_text('{"event":"ping"}')
        except websockets.ConnectionClosed:
            pass
        assert sock.closed() == 4029


def test_a_binary_frame_ends_with_1003(node):
    with Person(node).socket() as sock:
        sock.send_bytes(b'{"event":"ping"}')
        assert sock.closed() == 1003


def test_a_frame_of_64_kib_is_read_and_one_more_byte_ends_with_1009(node):
    with Person(node).socket() as sock:
        text = '{"event":"ping","pad":"%s"}'
        fits = text % ("x" * (65536 - len(text) + 2))
        assert len(fits) == 65536
        sock.send_text(fits)
        sock.reply()
        try:
            sock.send_text(fits + " ")
        except websockets.ConnectionClosed:
            pass
        assert sock.closed() == 1009


@pytest.mark.parametrize("length", [65537, 2**31, 2**40, 2**63 - 1, 2**63, 2**64 - 1])
def test_an_announced_length_is_refused_before_its_bytes(node, length):
    with RawSocket(node.port, token=Person(node).token) as raw:
        raw.send(b"\x81\xff" + length.to_bytes(8, "big") + b"abcd")
        assert raw.close_code() in ((1009,) if length < 2**63 else (1002, 1009))


def test_fragments_are_one_message_and_their_sum_is_limited(node):
    with RawSocket(node.port, token=Person(node).token) as raw:
        text = b'{"id":"f","event":"ping"}'
        raw.send(
            raw.frame(1, text[:5], fin=False)
            + raw.frame(0, text[5:9], fin=False)
            + raw.frame(9, b"mid")
            + raw.frame(0, b"", fin=False)
            + raw.frame(0, text[9:])
        )
        opcode, payload = raw.read()
        if opcode == 10:
            assert payload == b"mid"
            opcode, payload = raw.read()
        assert json.loads(payload) == {"id": "f", "event": "ping", "ok": True}
        raw.send(raw.frame(1, b"x" * 40000, fin=False) + raw.frame(0, b"x" * 40000))
        assert raw.close_code() == 1009


def test_one_byte_at_a_time_is_a_frame_too(node):
    with RawSocket(node.port, token=Person(node).token) as raw:
        for byte in raw.frame(1, b'{"event":"ping"}'):
            raw.send(bytes([byte]))
        assert raw.json() == {"event": "ping", "ok": True}


PROTOCOL = [
    ("unmasked", lambda raw: raw.frame(1, b'{"event":"ping"}', masked=False), (1002,)),
    ("reserved bit", lambda raw: raw.frame(1, b"x", rsv=0x40), (1002,)),
    ("reserved opcode", lambda raw: raw.frame(3, b"x"), (1002,)),
    ("reserved control", lambda raw: raw.frame(11, b"x"), (1002,)),
    ("continuation of nothing", lambda raw: raw.frame(0, b"x"), (1002,)),
    ("text inside a message", lambda raw: raw.frame(1, b"a", fin=False) + raw.frame(1, b"b"), (1002,)),
    ("fragmented ping", lambda raw: raw.frame(9, b"x", fin=False), (1002,)),
    ("long ping", lambda raw: raw.frame(9, b"x" * 126), (1002,)),
    ("close of one byte", lambda raw: raw.frame(8, b"\x03"), (1002,)),
    ("close with a forbidden code", lambda raw: raw.frame(8, b"\x03\xee"), (1002,)),
    ("bad UTF-8", lambda raw: raw.frame(1, b'{"event":"\xff\xfe"}'), (1007,)),
    ("overlong UTF-8", lambda raw: raw.frame(1, b'"\xc0\xaf"'), (1007,)),
    ("surrogate in UTF-8", lambda raw: raw.frame(1, b'"\xed\xa0\x80"'), (1007,)),
    ("cut UTF-8", lambda raw: raw.frame(1, b'"\xe2\x82'), (1007,)),
]


@pytest.mark.parametrize("make, codes", [row[1:] for row in PROTOCOL], ids=[row[0] for row in PROTOCOL])
def test_breaches_of_the_protocol_end_the_connection(node, make, codes):
    with RawSocket(node.port, token=Person(node).token) as raw:
        raw.send(make(raw))
        assert raw.close_code() in (*codes, 1006)
    with Person(node).socket() as sock:
        sock.ok("ping")


def test_a_split_character_across_fragments_is_good(node):
    with RawSocket(node.port, token=Person(node).token) as raw:
        text = '{"id":"\u20ac","event":"ping"}'.encode()
        cut = text.index(b"\xe2") + 1
        raw.send(raw.frame(1, text[:cut], fin=False) + raw.frame(0, text[cut:]))
        assert raw.json() == {"id": "\u20ac", "event": "ping", "ok": True}


def test_pings_are_answered_with_their_bytes_even_between_commands(node):
    with RawSocket(node.port) as raw:
        raw.send(raw.frame(9, b"\x00\xff tide"))
        assert raw.read() == (10, b"\x00\xff tide")


def test_a_crowd_of_broken_connections_leaves_nothing_behind(node, admin):
    channel = admin.channel()

    def gauges():
        with node.client() as client:
            return {
                line.split()[0]: float(line.split()[1])
                for line in client.get("/metrics", expect=200).text.splitlines()
                if line and not line.startswith("#") and "{" not in line
            }

    # The quiet connection is there; those of the tests before go when the server has heard of it.
    baseline = {"belfry_ws_connections": 1, "belfry_subscriptions": 0, "belfry_ws_queued_bytes": 0}

    def at_baseline():
        found = gauges()
        return {name: found[name] for name in baseline} == baseline

    wait.until(at_baseline, "the connections of the other tests are gone")

    def come_and_go(index):
        person = Person(node)
        for turn in range(5):
            sock = person.socket()
            sock.join_posts(channel)
            sock.drop() if (index + turn) % 2 else sock.close()

    in_parallel(6, come_and_go)
    wait.until(at_baseline, "gauges are back at their baseline")


def test_anonymous_pings_cost_commands_too(node):
    with RawSocket(node.port) as raw:
        raw.send(120 * raw.frame(1, b'{"event":"ping"}'))
        assert raw.close_code() == 4029


@pytest.mark.slow
def test_the_server_pings_a_quiet_connection_within_half_a_minute(quiet_connection):
    assert quiet_connection.read(pings=True)[0] == 9
    quiet_connection.text({"event": "ping"})
    assert quiet_connection.json()["ok"]
