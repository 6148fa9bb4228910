"""The two lines that an Engine.IO 4 session goes by, as a stock client has them. Each is used by one thread, which reads when
it likes. A packet is its text: a digit for its type and then its data."""

import collections
import http.client
import json
import select
import struct
import time

from support.ws import WAIT, RawSocket

PATH = "/socket.io/?EIO=4&transport="
OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
SEPARATOR = "\x1e"


class Gone(EOFError):
    """The line or its session has ended. `code`: of a WebSocket's close frame; `status`: of an HTTP answer."""

    def __init__(self, why, code=None, status=None):
        super().__init__(why)
        self.code, self.status = code, status


class Violation(Exception):
    """The server said what it never may; whatever else is lost, this is not."""


class WebSocketLine(RawSocket):
    def __init__(self, port, sid=None, token=None, receive_buffer=None):
        super().__init__(port, token, receive_buffer, PATH + "websocket" + (f"&sid={sid}" if sid else ""))

    def put(self, packets):
        self.socket.sendall(b"".join(self.frame(1, packet.encode()) for packet in packets))

    def ready(self, wait):
        return bool(self._buffer) or bool(select.select([self.socket], [], [], wait)[0])

    def take(self):
        """What has arrived, which may be nothing."""
        opcode, payload = self.read(pings=True)
        if opcode == 8:
            raise Gone("closed", code=struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005)
        return [payload.decode()] if opcode == 1 else []

    def close(self):
        self.socket.close()


class Exchange:
    """One request at a time on a connection of its own; asked now, answered when it is there."""

    def __init__(self, port, token):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.waits = False

    def ask(self, method, path, body=None):
        old = self._connection.sock
        if old is not None and select.select([old], [], [], 0)[0]:
            self._connection.close()  # the server has ended it between two requests
        headers = {**self._headers, **({"Content-Type": "text/plain;charset=UTF-8"} if body is not None else {})}
        self._connection.request(method, path, body, headers)
        self.waits = True

    @property
    def socket(self):
        return self._connection.sock

    def answer(self):
        """Its status and body, waiting for them."""
        self.waits = False
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()

    def close(self):
        self._connection.close()


class PollingLine:
    """One GET waits at any time, but for the last ones before an upgrade; what is to be sent waits for the POST before it."""

    def __init__(self, port, token=None):
        self._get, self._post = Exchange(port, token), Exchange(port, token)
        self._path, self._out, self._most = PATH + "polling", [], 1 << 16
        self.pausing, self._broken = False, None
        self._get.ask("GET", self._path)

    def opened(self, sid, max_payload):
        self._path, self._most = f"{self._path}&sid={sid}", max_payload
        self._get.ask("GET", self._path)

    def put(self, packets):
        self._out += packets
        self._push()

    def _push(self):
        if not self._out or self._post.waits:
            return
        count, size = 1, len(self._out[0].encode())
        while count < len(self._out) and size + 1 + len(self._out[count].encode()) <= self._most:
            size += 1 + len(self._out[count].encode())
            count += 1
        body, self._out = SEPARATOR.join(self._out[:count]), self._out[count:]
        self._post.ask("POST", self._path, body.encode())

    def _waiting(self):
        return [exchange for exchange in (self._get, self._post) if exchange.waits]

    def idle(self):
        return not self._out and not self._waiting()

    def ready(self, wait):
        """Whether packets have arrived, or a POST was answered, or the line has ended."""
        return self._broken is not None or bool(select.select([exchange.socket for exchange in self._waiting()], [], [], wait)[0])

    def take(self):
        if self._broken is not None:
            raise Gone(f"the next GET: {self._broken!r}")
        found = []
        for exchange in self._waiting():
            if not select.select([exchange.socket], [], [], 0)[0]:
                continue
            status, body = exchange.answer()
            if status != 200:
                raise Gone(f"answered with {status}: {body[:200]}", status=status)
            if exchange is self._get:
                found += body.split(SEPARATOR)
                self._poll_again(found)
            elif body != "ok":
                raise Violation(f"a POST is answered with {body[:200]!r}")
            else:
                self._push()
        return found

    def _poll_again(self, found):
        """What an answer said is worth as much when nobody is there for the next GET."""
        if "sid=" not in self._path or self.pausing or CLOSE in found:
            return
        try:
            self._get.ask("GET", self._path)
        except (OSError, http.client.HTTPException) as error:
            self._broken = error

    def close(self):
        """Says so, if a POST may be sent: of a client that vanishes between two GETs the server only hears nothing any more."""
        try:
            if "sid=" in self._path and not self._post.waits:
                self._post.ask("POST", self._path, CLOSE.encode())
                self._post.answer()
        except (OSError, http.client.HTTPException):
            pass
        self.drop()

    def drop(self):
        self._get.close()
        self._post.close()


class Engine:
    """One session. `transport`: websocket, polling, or upgrade (polling that becomes a WebSocket, as clients have it unless told
    otherwise)."""

    def __init__(self, port, transport="websocket", token=None, receive_buffer=None):
        self._port, self._token, self._packets = port, token, collections.deque()
        websocket = transport == "websocket"
        self.line = WebSocketLine(port, None, token, receive_buffer) if websocket else PollingLine(port, token)
        try:
            said = self._open_packet(self._first())
            self.sid, self.ping = said["sid"], (said["pingInterval"] + said["pingTimeout"]) / 1000
            if not websocket:
                self.line.opened(self.sid, said["maxPayload"])
            if ("websocket" in said["upgrades"]) == websocket:
                raise Violation(f"upgrades of {transport}: {said}")
        except BaseException:
            self.drop()
            raise

    def hurry(self):
        if isinstance(self.line, WebSocketLine):
            self.line.hurry()

    def _first(self):
        if not self.line.ready(WAIT):
            raise Gone("not opened in time")
        self._packets.extend(self.line.take())
        return self._packets.popleft() if self._packets else ""

    @staticmethod
    def _open_packet(text):
        said = json.loads(text[1:]) if text[:1] == OPEN else {}
        if not {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"} <= set(said):
            raise Violation(f"a session begins with {text[:300]!r}")
        return said

    def upgrade(self):
        """Whatever arrives meanwhile by polling is kept, in front of what comes by the WebSocket."""
        polling, probe, end = self.line, WebSocketLine(self._port, self.sid, self._token), time.monotonic() + WAIT
        try:
            probe.put([PING + "probe"])
            while not probe.ready(0.02):
                self._poll(polling, end)
            if (said := probe.take()) != [PONG + "probe"]:
                raise Violation(f"a probe is answered with {said}")
            polling.pausing = True
            while not polling.idle():
                self._poll(polling, end)
            probe.put([UPGRADE])
        except BaseException:
            probe.close()
            raise
        self.line = probe
        polling.drop()

    def _poll(self, polling, end):
        if time.monotonic() > end:
            raise Gone("not upgraded in time")
        if polling.ready(0.02):
            self._packets.extend(polling.take())

    def send(self, messages):
        self.line.put([MESSAGE + text for text in messages])

    def ready(self, wait):
        return bool(self._packets) or self.line.ready(wait)

    def read(self):
        """The next message, or None when there is none yet. Pings are answered; raises when the session is over."""
        if not self._packets:
            self._packets.extend(self.line.take())
        if not self._packets:
            return None
        packet = self._packets.popleft()
        if packet[:1] == MESSAGE:
            return packet[1:]
        if packet == PING:
            self.line.put([PONG])
        elif packet == CLOSE:
            raise Gone("the server ended the session")
        elif packet != NOOP:
            raise Violation(f"a packet that no client is sent: {packet[:200]!r}")
        return None

    def close(self):
        """As a client that goes on purpose."""
        try:
            if isinstance(self.line, WebSocketLine):
                self.line.put([CLOSE])
        except OSError:
            pass
        self.line.close()

    def drop(self):
        """The line breaks."""
        self.line.drop() if isinstance(self.line, PollingLine) else self.line.close()
