"""The tests' own Socket.IO client: that it keeps, shows and refuses what a stock client does, against a server that only says
fixed texts."""

import asyncio
import http.server
import json
import queue
import threading

import pytest
import websockets

from support import ws
from support.engineio import SEPARATOR, Gone, Violation
from support.socketio import Memory, Session, as_frame, decode, encode

OPEN = '0{"sid":"e","upgrades":%s,"pingInterval":25000,"pingTimeout":20000,"maxPayload":64}'
CREATED = "communication.channel_post.created"
META = {"room": "r", "prevEventId": None}


@pytest.mark.parametrize(
    "text, kind, data, number, nsp",
    [
        ('0{"sid":"s"}', "0", {"sid": "s"}, None, "/"),
        ('2["x",{"a":1},"o"]', "2", ["x", {"a": 1}, "o"], None, "/"),
        ('312[{"ok":true}]', "3", [{"ok": True}], 12, "/"),
        ('4/other,{"message":"Invalid namespace"}', "4", {"message": "Invalid namespace"}, None, "/other"),
        ("1", "1", None, None, "/"),
        ('20["x"]', "2", ["x"], 0, "/"),
    ],
)
def test_packets_are_read_and_written_alike(text, kind, data, number, nsp):
    found = decode(text)
    assert (found.kind, found.data, found.number, found.nsp) == (kind, data, number, nsp)
    assert encode(kind, data, number, nsp) == text


@pytest.mark.parametrize("text", ["", "7", "2[", "2/other", '2["x"]x'])
def test_what_is_no_packet_is_a_violation(text):
    with pytest.raises(Violation):
        decode(text)


def test_the_memory_is_that_of_a_stock_client():
    memory = Memory()
    assert memory.shown() == {}
    memory.handled(["communication:position", "O0"])  # without a pid nothing is taken
    assert not memory.connected("P1") and memory.shown() == {"pid": "P1"}
    memory.handled([CREATED, {}, META, "O1"])
    memory.handled(["auth:expiring", {}])
    assert memory.shown() == {"pid": "P1", "offset": "O1"}
    assert memory.connected("P1")
    assert not memory.connected("P2") and memory.shown() == {"pid": "P2", "offset": "O1"}
    assert not memory.connected(None) and memory.shown() == {}
    assert not memory.connected("P3") and memory.shown() == {"pid": "P3", "offset": "O1"}


def test_events_become_frames_of_native_sockets():
    assert as_frame([CREATED, {"eventId": "e"}, META, "O"], "P") == {"event": CREATED, **META, "data": {"eventId": "e"}}
    assert as_frame(["communication:room_left", {"room": "r", "reason": "X"}, "O"], "P") == {
        "event": "communication:room_left", "room": "r", "data": {"reason": "X"}}
    assert as_frame(["server:draining", {"reconnectInMs": 1}], "P") == {"event": "server:draining", "data": {"reconnectInMs": 1}}


@pytest.mark.parametrize(
    "event",
    [
        [CREATED, {"eventId": "e"}, META],
        [CREATED, {"eventId": "e"}, "O"],
        ["server:draining", {}, "O"],
        ["communication:room_left", {"room": "r", "reason": "X"}],
        ["communication:position"],
        ["communication:position", {}, "O"],
    ],
)
def test_an_offset_that_is_missing_or_out_of_place_is_a_violation(event):
    with pytest.raises(Violation):
        as_frame(event, "P")


def drive(session, frames, count):
    while len(frames) < count:
        assert session.engine.ready(5)
        session.read()


@pytest.fixture
def websocket_server():
    """Its port, what it heard, and what it says to each connection."""
    heard, scripts = queue.Queue(), queue.Queue()

    async def serve(connection):
        for text in scripts.get():
            if text is None:
                heard.put(await connection.recv())
            else:
                await connection.send(text)
        await connection.close()

    async def begin():
        return await websockets.serve(serve, "127.0.0.1", 0, compression=None)

    server = ws._on_loop(begin())
    yield server.sockets[0].getsockname()[1], heard, scripts

    async def end():
        server.close()
        await server.wait_closed()

    ws._on_loop(end())


def test_a_websocket_session_answers_pings_and_takes_an_offset_after_its_handler(websocket_server):
    port, heard, scripts = websocket_server
    scripts.put([OPEN % "[]", None, '40{"sid":"s","pid":"P1"}', "2", None, f'42["{CREATED}",{{}},{json.dumps(META)},"O1"]', None, '430[{"ok":true,"data":{}}]'])
    frames, memory = [], Memory()

    def handle(frame):
        frames.append((frame, memory.offset))
        if frame["event"] == CREATED:
            session.emit("communication:join_channel_posts", {"channelId": 1}, 0)

    session = Session(port, memory, {"token": "t"}, handle)
    drive(session, frames, 3)
    assert [heard.get(timeout=5) for _ in range(3)] == [
        '40{"token":"t"}', "3", '420["communication:join_channel_posts",{"channelId":1}]']
    assert frames == [
        ({"event": "connect", "recovered": False}, None),
        ({"event": CREATED, **META, "data": {}}, None),
        ({"id": 0, "event": "communication:join_channel_posts", "ok": True, "data": {}}, "O1"),
    ]
    with pytest.raises(Gone) as ended:
        drive(session, frames, 4)
    assert ended.value.code == 1000
    session.engine.drop()
    scripts.put([OPEN % "[]", None, '40{"sid":"s","pid":"P1"}'])
    again = Session(port, memory, {"token": "t"}, handle)
    drive(again, frames, 4)
    assert heard.get(timeout=5) == '40{"pid":"P1","offset":"O1","token":"t"}'
    assert frames[-1][0]["recovered"]
    again.engine.drop()


def test_an_acknowledgement_that_nobody_asked_for_is_a_violation(websocket_server):
    port, _, scripts = websocket_server
    scripts.put([OPEN % "[]", None, '40{"sid":"s"}', '435[{"ok":true}]'])
    frames = []
    session = Session(port, Memory(), {}, frames.append)
    with pytest.raises(Violation):
        drive(session, frames, 2)
    session.engine.drop()


@pytest.fixture
def polling_server():
    """Its port, the bodies of POSTs, and the answers to GETs, one each."""
    heard, answers = queue.Queue(), queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def say(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self):
            answer = answers.get()
            self.say(*(answer if isinstance(answer, tuple) else (200, answer)))

        def do_POST(self):
            heard.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.say(200, "ok")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that break off
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], heard, answers
    server.shutdown()
    server.server_close()


def test_polling_sends_what_fits_and_ends_with_the_first_get_that_fails(polling_server):
    port, heard, answers = polling_server
    frames = []
    answers.put(OPEN % '["websocket"]')
    session = Session(port, Memory(), {"token": "t"}, frames.append, "polling")
    answers.put(SEPARATOR.join(['40{"sid":"s","pid":"P"}', "2", '42["communication:position","O"]']))
    drive(session, frames, 2)
    assert [heard.get(timeout=5) for _ in range(2)] == ['40{"token":"t"}', "3"]
    session.emit_all([("x", {"a": "b" * 20}, None)] * 3)  # 34 bytes each, of 64
    answers.put("6")
    while not session.engine.line._post.waits or session.engine.line._out:
        assert session.engine.ready(5)
        session.read()
    assert [heard.get(timeout=5) for _ in range(3)] == ['42["x",{"a":"' + "b" * 20 + '"}]'] * 3
    assert session.memory.shown() == {"pid": "P", "offset": "O"}
    answers.put((400, '{"code":1,"message":"Session ID unknown"}'))
    with pytest.raises(Gone) as ended:
        drive(session, frames, 3)
    assert ended.value.status == 400
    session.engine.drop()
