"""Lines that fail: what stands between two processes and may cut, hold, lose, double and shuffle what goes through."""

import random
import socket
import threading
import time

from support.nats import free_port


class Line:
    """A TCP proxy on loopback. Cut, it keeps its connections and moves nothing, as a network that swallows packets does."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self._open = threading.Event()
        self._open.set()
        self._ended = False
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._spawn(self._accept)

    @staticmethod
    def _spawn(body, *arguments):
        threading.Thread(target=body, args=arguments, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                if self._ended:
                    return
                near.close()
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [near, far]
            self._spawn(self._pump, near, far, self.outward)
            self._spawn(self._pump, far, near, self.inward)

    def _pump(self, source, sink, through):
        state = {}
        try:
            while data := source.recv(65536):
                self._open.wait()
                if data := through(data, state, sink):
                    sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def outward(self, data, state, sink):
        return data

    def inward(self, data, state, sink):
        return data

    def cut(self):
        self._open.clear()

    def heal(self):
        self._open.set()

    def close(self):
        self._ended = True
        self._open.set()
        self._listener.close()
        for one in self._sockets:
            one.close()


class NatsLine(Line):
    """Between a node and its message server. It knows the messages on their way to the node; heartbeats pass it whole."""

    def __init__(self, server, seed=1, loss=0.0, twice=0.0, late=0.0, subscribing=0.0):
        self.random = random.Random(seed)
        self.loss, self.twice, self.late = loss, twice, late
        self.subscribing = subscribing  # seconds that it takes, in front of whatever is sent behind it
        self.lost = self.doubled = self.turned = 0
        self.seen = []  # subjects of what was for the node
        self._lock = threading.Lock()
        self._held = None
        super().__init__(server.port)

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def hold(self):
        """From here on messages of rooms stay here."""
        with self._lock:
            self._held = []

    def held(self):
        with self._lock:
            return [message for _, message in self._held]

    def release(self):
        with self._lock:
            held, self._held = self._held, None
        for sink, message in held:
            sink.sendall(message)

    def outward(self, data, state, sink):
        if self.subscribing and b"SUB " in data:
            time.sleep(self.subscribing)
        return data

    def inward(self, data, state, sink):
        buffer = state.pop("rest", b"") + data
        out = []
        with self._lock:
            while (end := buffer.find(b"\r\n")) >= 0:
                line, whole = buffer[:end], end + 2
                words = line.split()
                if words and words[0] == b"MSG":
                    whole += int(words[-1]) + 2
                    if len(buffer) < whole:
                        break
                    self._message(words[1].decode(), buffer[:whole], out, state, sink)
                else:
                    out.append(buffer[:whole])
                buffer = buffer[whole:]
        state["rest"] = buffer
        return b"".join(out)

    def _message(self, subject, message, out, state, sink):
        if ".room." not in subject:
            out.append(message)
            return
        self.seen.append(subject)
        if self._held is not None:
            self._held.append((sink, message))
            return
        if self.random.random() < self.loss:
            self.lost += 1
            return
        before = state.pop("late", None)
        if before is None and self.random.random() < self.late:
            state["late"] = message  # goes behind the next one
            return
        out.append(message)
        if before is not None:
            self.turned += 1
            out.append(before)
        if self.random.random() < self.twice:
            self.doubled += 1
            out.append(message)
