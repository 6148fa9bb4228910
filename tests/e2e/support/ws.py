"""WebSocket clients: a well-behaved one over python3-websockets, seen from ordinary (synchronous) tests, and one on a bare
socket that can do everything a client must not. No wait is without a deadline."""

import asyncio
import base64
import itertools
import json
import os
import socket
import struct
import threading
import time

import websockets

from support import record

WAIT = 10.0
_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, daemon=True).start()
_open_sockets = set()


def _on_loop(coroutine, timeout=WAIT):
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result(timeout)


class Refused(Exception):
    """The handshake was answered with a status."""

    def __init__(self, status, headers=None):
        super().__init__(f"refused with {status}")
        self.status = status
        self.headers = headers or {}


class Socket:
    """Frames are sorted as they arrive: replies (by id) and the rest (in order)."""

    def __init__(self, port, token=None, query="", headers=None, subprotocols=None):
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self.frames = []  # every frame in order
        self._pushed = []  # frames that are no replies, not yet taken
        self._replies = []  # replies not yet taken
        self.close_code = None
        extra = dict(headers or {})
        if token:
            extra["Authorization"] = f"Bearer {token}"
        self._socket = _on_loop(self._connect(f"ws://127.0.0.1:{port}/ws{query}", extra, subprotocols))
        _open_sockets.add(self)
        asyncio.run_coroutine_threadsafe(self._read(), _loop)

    @staticmethod
    async def _connect(uri, extra, subprotocols):
        try:
            return await websockets.connect(
                uri,
                extra_headers=extra,
                max_size=None,
                max_queue=None,
                compression=None,
                ping_interval=None,
                open_timeout=WAIT,
                close_timeout=2,
                subprotocols=subprotocols,
            )
        except websockets.InvalidStatusCode as error:
            raise Refused(error.status_code, error.headers) from None

    async def _read(self):
        try:
            async for text in self._socket:
                frame = json.loads(text)
                record.frame_in(frame, text)
                with self._changed:
                    self.frames.append(frame)
                    (self._replies if isinstance(frame, dict) and "ok" in frame else self._pushed).append(frame)
                    self._changed.notify_all()
        except (websockets.ConnectionClosed, OSError):
            pass
        with self._changed:
            self.close_code = self._socket.close_code or 1006
            record.closed(self.close_code)
            self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        _open_sockets.discard(self)
        try:
            _on_loop(self._socket.close(), 5)
        except (OSError, TimeoutError, asyncio.TimeoutError, websockets.WebSocketException):
            pass

    def drop(self):
        """The line breaks: no close frame."""
        _open_sockets.discard(self)
        _loop.call_soon_threadsafe(self._socket.transport.abort)
        self.closed()

    def _take(self, find, what, timeout):
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = find()
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if self.close_code is not None or left <= 0:
                    state = (
                        f"closed with {self.close_code}" if self.close_code is not None else f"not within {timeout} s"
                    )
                    raise AssertionError(f"{what}: {state}; last frames: {json.dumps(self.frames[-3:])[:1500]}")
                self._changed.wait(left)

    # sending
    def send(self, frame):
        record.frame_out(frame)
        self.send_text(json.dumps(frame))

    def send_text(self, text):
        _on_loop(self._socket.send(text))

    def send_bytes(self, data):
        _on_loop(self._socket.send(data))

    # replies
    def reply(self, frame_id=..., timeout=WAIT):
        """The reply with this id, or the next one of any id."""

        def find():
            for index, frame in enumerate(self._replies):
                if frame_id is ... or frame.get("id") == frame_id:
                    return self._replies.pop(index)
            return None

        return self._take(find, f"reply {frame_id}", timeout)

    def call(self, event, data=None, timeout=WAIT):
        frame_id = next(self._ids)
        frame = {"id": frame_id, "event": event}
        if data is not None:
            frame["data"] = data
        self.send(frame)
        return self.reply(frame_id, timeout)

    def ok(self, event, data=None, timeout=WAIT):
        reply = self.call(event, data, timeout)
        assert reply["ok"], f"{event} {data}: {reply}"
        return reply.get("data")

    def fails(self, event, data, code, reason=None):
        reply = self.call(event, data)
        assert not reply["ok"] and reply["error"]["code"] == code, f"{event} {data}: expected {code}, got {reply}"
        if reason:
            assert reply["error"].get("reason") == reason, reply
        return reply["error"]

    def join_posts(self, channel):
        return self.ok("communication:join_channel_posts", {"channelId": channel})

    def join_discussion(self, channel):
        return self.ok("communication:join_discussion", {"channelId": channel})

    def sync_posts(self, channel, since=None, limit=None):
        return self.ok("communication:sync_channel_posts", _sync(channel, since, limit))

    def sync_discussion(self, channel, since=None, limit=None):
        return self.ok("communication:sync_discussion", _sync(channel, since, limit))

    def authenticate(self, token):
        return self.call("authenticate", {"token": token})

    # what is pushed
    def next(self, event=None, timeout=WAIT):
        """The next pushed frame, which must be of this event (short names: `channel_post.created`)."""
        frame = self._take(lambda: self._pushed.pop(0) if self._pushed else None, f"frame {event or ''}", timeout)
        if event is not None:
            assert frame["event"] in (event, "communication." + event), f"expected {event}, got {frame}"
        return frame

    def until(self, event, timeout=WAIT):
        """Skips pushed frames until this event."""
        while True:
            frame = self.next(timeout=timeout)
            if frame["event"] in (event, "communication." + event):
                return frame

    def pending(self):
        """Everything pushed before now: a ping is answered behind it."""
        self.ok("ping")
        with self._changed:
            frames, self._pushed = self._pushed, []
        return frames

    def closed(self, timeout=WAIT):
        """The close code, waiting for the end."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self.close_code is None:
                left = deadline - time.monotonic()
                assert left > 0, f"not closed within {timeout} s; last frames: {json.dumps(self.frames[-3:])[:800]}"
                self._changed.wait(left)
        _open_sockets.discard(self)
        return self.close_code


def send_to_all(sockets, frame):
    """The same frame on every socket, as fast as one thread can."""
    text = json.dumps(frame)

    async def send():
        for sock in sockets:
            await sock._socket.send(text)

    record.frame_out(frame)
    _on_loop(send(), 60)


def _sync(channel, since, limit):
    data = {"channelId": channel}
    if since is not None:
        data["sinceEventId"] = since
    if limit is not None:
        data["limit"] = limit
    return data


def close_all():
    for sock in list(_open_sockets):
        sock.close()


class RawSocket:
    """A WebSocket by hand: any frame, any bytes, and reading only when told to."""

    def __init__(self, port, token=None, receive_buffer=None, path="/ws"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(WAIT)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._buffer = b""
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.socket.recv(4096)
            assert data, f"closed during the handshake: {head!r}"
            head += data
        head, _, self._buffer = head.partition(b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0], head

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hurry(self):
        """Ends the slowness of a small receive buffer: through it the kernel may come to send 2 KB each 0.2 s, and stay so."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)

    def frame(self, opcode, payload=b"", fin=True, masked=True, rsv=0):
        head = bytes([(0x80 if fin else 0) | rsv | opcode])
        bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
        if not masked:
            return head + payload
        mask = os.urandom(4)
        whole = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)], "big") ^ int.from_bytes(payload, "big")
        return head + mask + whole.to_bytes(len(payload), "big")

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may close while we still talk

    def text(self, value):
        self.send(self.frame(1, value if isinstance(value, bytes) else json.dumps(value).encode()))

    def _exactly(self, count):
        while len(self._buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def read(self, pings=False):
        """(opcode, payload); pings are answered, and skipped unless asked for. EOFError at the end."""
        while True:
            first, second = self._exactly(2)
            assert not second & 0x80, "a server must not mask"
            assert not first & 0x70, "no extension was agreed on"
            length = second & 0x7F
            if length == 126:
                length = struct.unpack(">H", self._exactly(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self._exactly(8))[0]
            payload = self._exactly(length)
            opcode = first & 0x0F
            if opcode == 9:
                self.send(self.frame(10, payload))
                if not pings:
                    continue
            return opcode, payload

    def json(self):
        opcode, payload = self.read()
        assert opcode == 1, (opcode, payload)
        frame = json.loads(payload)
        record.frame_in(frame)
        return frame

    def close_code(self):
        """Reads on until the close frame; 1006 when the line just ended."""
        try:
            while True:
                opcode, payload = self.read()
                if opcode == 8:
                    code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                    record.closed(code)
                    return code
        except (EOFError, ConnectionResetError):
            return 1006
