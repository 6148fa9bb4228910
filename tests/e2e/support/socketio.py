"""Socket.IO 5 clients of the default namespace: what a stock JavaScript client does, among it what it keeps for the recovery. What
arrives is given on as the frame that a native socket has for it, so that both can be held against the same."""

import http.client
import itertools
import json
import re
import time

from support import record, ws
from support.engineio import Engine, Gone, Violation
from support.ws import WAIT

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = "01234"
PACKET = re.compile(r"([0-4])(?:(/[^,]*),)?(\d*)(.*)", re.DOTALL)
POSITION, LEFT = "communication:position", "communication:room_left"
GONE = (OSError, EOFError, http.client.HTTPException)
UNSAID = object()


class Disconnected(Gone):
    """The server sent the socket away: a stock client does not come back by itself."""


class Packet:
    def __init__(self, kind, data=None, number=None, nsp="/"):
        self.kind, self.data, self.number, self.nsp = kind, data, number, nsp

    def __repr__(self):
        return f"<{self.kind} {self.nsp} {self.number} {json.dumps(self.data)[:500]}>"


def encode(kind, data=None, number=None, nsp="/"):
    text = kind + ("" if nsp == "/" else nsp + ",") + ("" if number is None else str(number))
    return text + ("" if data is None else json.dumps(data, separators=(",", ":")))


def decode(text):
    found = PACKET.fullmatch(text)
    if not found:
        raise Violation(f"no packet of Socket.IO: {text[:200]!r}")
    kind, nsp, number, data = found.groups()
    try:
        return Packet(kind, json.loads(data) if data else None, int(number) if number else None, nsp or "/")
    except ValueError:
        raise Violation(f"a packet's data is no JSON: {text[:200]!r}") from None


class Memory:
    """What a client has between two connections: it shows both texts, and takes a text that is an event's last for an offset
    once the event was handled, but not without a pid. An offset is never forgotten, only replaced."""

    def __init__(self):
        self.pid = self.offset = None

    def shown(self):
        return {name: text for name, text in (("pid", self.pid), ("offset", self.offset)) if text is not None and self.pid}

    def connected(self, pid):
        """Whether the client is told that it is recovered."""
        recovered, self.pid = pid is not None and pid == self.pid, pid
        return recovered

    def handled(self, event):
        if self.pid and isinstance(event[-1], str):
            self.offset = event[-1]


def as_frame(event, pid):
    """An event as the frame of a native socket, after a look at whether its last argument is an offset exactly when it is to be."""
    name, arguments = event[0], event[1:]
    positioned = name in (POSITION, LEFT) or name.startswith("communication.")
    offset = arguments[-1] if arguments and isinstance(arguments[-1], str) else None
    if (offset is None) == positioned and (pid or not positioned):
        raise Violation(f"{'without' if positioned else 'with'} an offset: {json.dumps(event)[:500]}")
    arguments = arguments[:-1] if offset is not None else arguments
    if len(arguments) != (0 if name == POSITION else 2 if name.startswith("communication.") else 1):
        raise Violation(f"arguments: {json.dumps(event)[:500]}")
    if name == POSITION:
        return {"event": name, "offset": offset}
    if name == LEFT:
        return {"event": name, "room": arguments[0]["room"], "data": {"reason": arguments[0]["reason"]}}
    if len(arguments) == 2:
        return {"event": name, **arguments[1], "data": arguments[0]}
    return {"event": name, "data": arguments[0]}


class Session:
    """One connection to one node, with the memory of those before it. `handle` is given every frame, and `connect` with `recovered`."""

    def __init__(self, port, memory, auth, handle, transport="websocket", receive_buffer=None, token=None):
        self.memory, self.connected, self.id = memory, False, None
        self._handle, self._asked = handle, {}
        self.engine = Engine(port, transport, token, receive_buffer)
        try:
            self.engine.send([encode(CONNECT, {**memory.shown(), **auth} or None)])
            if transport == "upgrade":
                self.engine.upgrade()
        except BaseException:
            self.engine.drop()
            raise

    def emit(self, event, data, number=None):
        self.emit_all([(event, data, number)])

    def emit_all(self, events):
        """(event, data, number or None): with a number it is to be acknowledged. Data may be UNSAID."""
        for event, _, number in events:
            if number is not None:
                self._asked[number] = event
        self.engine.send([encode(EVENT, [event] if data is UNSAID else [event, data], number) for event, data, number in events])

    def read(self):
        """Handles the next packet, if one is there. Raises when the session is over."""
        text = self.engine.read()
        if text is not None:
            self._take(decode(text))

    def _take(self, packet):
        if packet.kind == EVENT and packet.nsp == "/" and self.connected:
            self._handle(as_frame(packet.data, self.memory.pid))
            self.memory.handled(packet.data)
        elif packet.kind == ACK and packet.number in self._asked and len(packet.data) == 1:
            self._handle({"id": packet.number, "event": self._asked.pop(packet.number), **packet.data[0]})
        elif packet.kind == CONNECT and packet.nsp == "/" and not self.connected:
            self.connected, self.id = True, packet.data["sid"]
            self._handle({"event": "connect", "recovered": self.memory.connected(packet.data.get("pid"))})
        elif packet.kind == CONNECT_ERROR:
            self._handle({"event": "connect_error", "nsp": packet.nsp, "data": packet.data})
        elif packet.kind == DISCONNECT:
            raise Disconnected("by the server")
        else:
            raise Violation(f"out of place: {packet}")

    def disconnect(self):
        """As the application asks for it."""
        try:
            self.engine.send([DISCONNECT])
        except GONE:
            pass
        self.engine.close()


class Socket(ws.Socket):
    """The same to a test as a native socket, but that a close code is the WebSocket's, or 0 where there is none. Reads only
    while somebody waits; `next` leaves positions out, which are in `frames`."""

    def __init__(self, port, token=None, transport="websocket", auth=None, memory=None, header=None, wait=True):
        self._ids, self.frames, self._pushed, self._replies, self.close_code = itertools.count(), [], [], [], None
        self.memory, self.recovered, self.error, self.sent_away = memory or Memory(), None, None, False
        auth = {**({"token": token} if token else {}), **(auth or {})}
        self._session = Session(port, self.memory, auth, self._take_frame, transport, token=header)
        ws._open_sockets.add(self)
        if wait:
            self._take(lambda: True if self.recovered is not None else None, "connected", WAIT)

    def _take_frame(self, frame):
        self.frames.append(frame)
        if frame["event"] == "connect":
            self.recovered = frame["recovered"]
        elif frame["event"] == "connect_error":
            self.error = frame
        elif "ok" in frame:
            record.frame_in(frame)
            self._replies.append(frame)
        elif frame["event"] != POSITION:
            if frame["event"] != "communication:error":
                record.frame_in(frame)
            self._pushed.append(frame)

    @property
    def id(self):
        return self._session.id

    @property
    def engine(self):
        return self._session.engine

    def _take(self, find, what, timeout):
        deadline = time.monotonic() + timeout
        while (found := find()) is None:
            left = deadline - time.monotonic()
            assert self.close_code is None and left > 0, (
                f"{what}: {'not in time' if self.close_code is None else 'closed'}; {json.dumps(self.frames[-3:])[:1500]}")
            self._pump(left)
        return found

    def _pump(self, wait):
        try:
            if self.engine.ready(wait):
                self._session.read()
        except GONE as error:
            self.close_code, self.sent_away = getattr(error, "code", None) or 0, isinstance(error, Disconnected)
            self.engine.drop()
            ws._open_sockets.discard(self)

    def send(self, frame):
        record.frame_out(frame)
        self._session.emit(frame["event"], frame.get("data", UNSAID), frame.get("id"))

    def send_text(self, text):
        """A message of Socket.IO as it stands."""
        self.engine.send([text])

    def refused(self, timeout=WAIT):
        """The CONNECT_ERROR."""
        return self._take(lambda: self.error, "refused", timeout)

    def pending(self):
        """Everything pushed before now: leaving a room that one is not in is acknowledged behind it."""
        self.ok("communication:leave_discussion", {"discussionId": 1 << 40})
        frames, self._pushed = self._pushed, []
        return frames

    def closed(self, timeout=WAIT):
        deadline = time.monotonic() + timeout
        while self.close_code is None:
            left = deadline - time.monotonic()
            assert left > 0, f"not closed within {timeout} s; last frames: {json.dumps(self.frames[-3:])[:800]}"
            self._pump(left)
        return self.close_code

    def close(self):
        ws._open_sockets.discard(self)
        if self.close_code is None:
            self._session.disconnect()

    def drop(self):
        ws._open_sockets.discard(self)
        self.engine.drop()

    def again(self, port, token, transport="websocket", **options):
        """The same client, on its next connection."""
        return Socket(port, token, transport, memory=self.memory, **options)
