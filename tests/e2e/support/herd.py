"""Many clients on one event loop, each no more than a socket and a position: a thousand fit beside a server on two cores."""

import asyncio
import itertools
import json

import websockets

from support import record


class Member:
    """Follows the discussion of one channel as docs/protocol.md tells a client to. One of them is enough to hold the frames
    against the documents, since all get the same."""

    def __init__(self, person, channel, checked=False):
        self._person, self._channel, self._checked = person, channel, checked
        self._ids = itertools.count(1)
        self._socket = None
        self._pushed = []  # came before a reply, not applied yet
        self.position = None  # the last event that this client has
        self.events = []  # since the first join, in the order they were applied

    async def enter(self, node):
        """Connects, proves who it is, joins, and reads what it missed."""
        self._pushed = []
        self._socket = await websockets.connect(
            f"ws://127.0.0.1:{node.port}/ws",
            max_size=None,
            max_queue=None,
            compression=None,
            ping_interval=None,
            open_timeout=60,
        )
        await self._ok("authenticate", {"token": self._person.token})
        joined = await self._ok("communication:join_discussion", {"channelId": self._channel})
        if self.position is None:
            self.position = joined["lastEventId"]
            return
        more = True
        while more:
            data = {"channelId": self._channel, "sinceEventId": self.position, "limit": 50}
            page = await self._ok("communication:sync_discussion", data)
            assert not page["gap"], page
            for event in page["events"]:
                self._have(event["eventId"])
            more = page["hasMore"]

    async def take(self, count):
        """Reads on until it has this many events."""
        while len(self.events) < count:
            self._apply(self._pushed.pop(0) if self._pushed else await self._frame())

    def cut(self):
        """The line breaks: no close frame."""
        self._socket.transport.abort()

    async def leave(self):
        await self._socket.close()

    async def _ok(self, event, data):
        frame = {"id": next(self._ids), "event": event, "data": data}
        if self._checked:
            record.frame_out(frame)
        await self._socket.send(json.dumps(frame))
        while True:
            answer = await self._frame()
            if "ok" in answer:
                assert answer["ok"] and answer["id"] == frame["id"], answer
                return answer.get("data")
            self._pushed.append(answer)

    async def _frame(self):
        text = await self._socket.recv()
        frame = json.loads(text)
        if self._checked:
            record.frame_in(frame, text)
        return frame

    def _apply(self, frame):
        event = frame["data"]["eventId"]
        if event <= self.position:
            return  # the sync had it already
        assert frame["prevEventId"] == self.position, f"a hole: {self.position} is followed by {frame}"
        self._have(event)

    def _have(self, event):
        self.position = event
        self.events.append(event)


async def each(members, do, within=100):
    """`do(member)` of all of them at once."""
    async with asyncio.timeout(within):
        return await asyncio.gather(*(do(member) for member in members))
