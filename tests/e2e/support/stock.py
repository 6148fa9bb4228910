"""The stock Socket.IO client of npm, led line by line: tests/socketio/rooms.js."""

import json
import pathlib
import queue
import subprocess
import sys
import threading

import pytest

RUN = pathlib.Path(__file__).resolve().parents[2] / "socketio" / "run.py"
SKIPPED = 77  # of run.py: there is no Node, or no registry


def of_a_room(what):
    return what.get("event", "").startswith("communication") and what["event"] != "communication:position"


class Stock:
    def __init__(self, node, token, transports=("polling", "websocket")):
        self.process = subprocess.Popen(
            [sys.executable, "-B", RUN, "rooms.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._said = queue.Queue()
        self._aside = []  # events that came while something else was waited for
        threading.Thread(target=self._read, daemon=True).start()
        self._do(do="open", url=self._url(node), token=token, transports=list(transports))

    @staticmethod
    def _url(node):
        return f"http://127.0.0.1:{node.port}"

    def _read(self):
        for line in self.process.stdout:
            self._said.put(line)
        self._said.put(None)

    def _do(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def _next(self, kind, timeout=60):
        """The next line of a kind; other lines stay for those who want them."""
        for at, what in enumerate(self._aside):
            if kind in what:
                return self._aside.pop(at)
        while True:
            try:
                line = self._said.get(timeout=timeout)
            except queue.Empty:
                raise AssertionError(f"the client did not say {kind!r} within {timeout} s; it said {self._aside}") from None
            if line is None:
                if self.process.wait(timeout=10) == SKIPPED:
                    pytest.skip("there is no Node with the packages of tests/socketio")
                raise AssertionError(f"the client ended with {self.process.returncode}: {self._aside}")
            if not line.startswith("{"):
                if line.startswith("skipped:"):
                    pytest.skip(line.strip())
                raise AssertionError(f"the client says {line}")
            what = json.loads(line)
            if kind in what:
                return what
            self._aside.append(what)

    def connected(self):
        return self._next("connected", timeout=300)  # the packages may have to be fetched first

    def gone(self):
        return self._next("gone")["gone"]

    def call(self, event, data):
        self._do(do="emit", event=event, data=data)
        reply = self._next("reply")["reply"]
        assert reply["ok"], reply
        return reply["data"]

    def at(self, node):
        """From the next connection on."""
        self._do(do="at", url=self._url(node))
        self._next("at")

    def transport(self):
        self._do(do="transport")
        return self._next("transport")["transport"]

    def event(self):
        """The next event of a room: room, previous event, event id and text."""
        while True:
            what = self._next("event")
            if not of_a_room(what):
                continue
            if what["event"] == "communication:room_left":
                return what["args"][0]
            envelope, meta = what["args"][:2]
            content = envelope["data"].get("bodyText") or envelope["data"].get("body")
            return {"text": content, "id": envelope["eventId"], **meta}

    def quiet(self):
        """All that the server had sent when it answered a further command: no event of a room among it."""
        self.call("communication:leave_channel_posts", {"channelId": 1 << 40})
        return not [what for what in self._aside if of_a_room(what)]

    def close(self):
        try:
            self._do(do="close")
            self.process.wait(timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait(timeout=10)
