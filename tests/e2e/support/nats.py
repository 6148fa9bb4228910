"""Real message servers on loopback, and what they say about their clients."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

from support import wait


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def binary():
    return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")


class NatsServer:
    """Keeps its port over restarts."""

    def __init__(self, *arguments, routes=(), login=None, max_payload=None):
        self.port, self.monitor, self.cluster = free_port(), free_port(), free_port()
        self.folder = tempfile.mkdtemp(prefix="belfry-nats-")
        self.login = login
        self.arguments = list(arguments)
        if login:
            self.arguments += ["--user", login[0], "--pass", login[1]]
        if max_payload:
            path = os.path.join(self.folder, "conf")
            with open(path, "w", encoding="ascii") as file:
                file.write(f"max_payload: {max_payload}\n")
            self.arguments += ["-c", path]
        if routes is not None:
            self.arguments += ["--cluster_name", "belfry", "--cluster", f"nats://127.0.0.1:{self.cluster}"]
            if routes:
                self.arguments += ["--routes", ",".join(f"nats://127.0.0.1:{getattr(other, 'cluster', other.port)}" for other in routes)]
        self.process = None

    @property
    def url(self):
        login = f"{self.login[0]}:{self.login[1]}@" if self.login else ""
        return f"nats://{login}127.0.0.1:{self.port}"

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [binary(), "-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait.until(lambda: self.about("varz"), "nats-server answers", timeout=10)
        return self

    def about(self, what):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/{what}", timeout=5) as answer:
            return json.load(answer)

    def subjects(self):
        """Each connection's subjects: what it is sent."""
        found = []
        for connection in self.about("connz?subs=1&limit=100")["connections"]:
            found.append(set(connection.get("subscriptions_list", [])))
        return found

    def room_subjects(self):
        return {subject for subjects in self.subjects() for subject in subjects if ".room." in subject}

    def publish(self, messages):
        """As a stranger would who may write: (subject, payload) each, taken by the server when this returns."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as raw:
            lines = ['CONNECT {"verbose":false}\r\n']
            lines += [f"PUB {subject} {len(payload)}\r\n{payload}\r\n" for subject, payload in messages]
            raw.sendall("".join([*lines, "PING\r\n"]).encode())
            answer = b""
            while b"PONG" not in answer:
                part = raw.recv(4096)
                assert part, answer
                answer += part

    def listen(self):
        """Everything that is said, as a stranger who may read hears it; from now on."""
        return Spy(self.port)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait(timeout=10)
        self.process = None

    def destroy(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Spy:
    def __init__(self, port):
        self._raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self._raw.makefile("rb")
        self._raw.sendall(b'CONNECT {"verbose":false}\r\nSUB > 1\r\nPING\r\n')
        while self._file.readline() != b"PONG\r\n":
            pass

    def next(self, ending):
        """The next message whose subject ends so: (subject, text)."""
        while True:
            words = self._file.readline().split()
            assert words, "the server closed the connection"
            if words[0] == b"PING":
                self._raw.sendall(b"PONG\r\n")
            if words[0] != b"MSG":
                continue
            text = self._file.read(int(words[-1]) + 2)[:-2]
            if words[1].decode().endswith(ending):
                return words[1].decode(), text.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._raw.close()
