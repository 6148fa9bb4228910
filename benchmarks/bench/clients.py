"""Clients for one request at a time: HTTP and native WebSocket, as little Python around the socket as it goes. Times are in milliseconds."""
import base64
import json
import os
import select
import socket
import struct
import time

from bench.machine import Failed

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
SECONDS = 30  # any answer


class Http:
    """One keep-alive connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.socket.close()

    def send(self, token, method, path, body=None):
        content = b"" if body is None else json.dumps(body).encode()
        self.socket.sendall((f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
                             f"Content-Length: {len(content)}\r\n\r\n").encode() + content)

    def receive(self, expected=(200, 201)):
        """The body of the answer to what was sent."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.more()
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += self.more()
        if int(head.split(b" ", 2)[1]) not in expected:
            raise Failed(f"{head.splitlines()[0].decode()} {body[:300]}")
        return body

    def more(self):
        got = self.socket.recv(262144)
        if not got:
            raise Failed("the server closed a connection")
        return got

    def request(self, token, method, path, body=None):
        self.send(token, method, path, body)
        return self.receive()


class Native:
    """A WebSocket with the native dialect. Its bearer token goes with the handshake."""

    def __init__(self, port, token):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token}\r\n\r\n").encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.read()
        head, _, self.rest = got.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise Failed(f"handshake: {head[:200]}")

    def close(self):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    def read(self):
        got = self.socket.recv(262144)
        if not got:
            raise Failed("the server closed a WebSocket")
        return got

    def send_frame(self, opcode, payload):
        size = len(payload)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0x80 | 126]) + struct.pack(">H", size)
        self.socket.sendall(head + b"\0\0\0\0" + payload)  # a mask of zeros is a mask

    def send(self, event, data):
        self.send_frame(TEXT, json.dumps({"event": event, "data": data}).encode())

    def texts(self):
        """Reads once (waits for it) and returns the text frames that are complete now."""
        self.rest += self.read()
        found = []
        while (frame := self.take()) is not None:
            opcode, payload = frame
            if opcode == TEXT:
                found.append(payload)
            elif opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == CLOSE:
                raise Failed(f"closed: {payload[2:]}")
        return found

    def take(self):
        data = self.rest
        if len(data) < 2:
            return None
        size, start = data[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start or len(data) < start + size:
            return None
        self.rest = data[start + size:]
        return data[0] & 15, data[start:start + size]

    def text(self):
        """The next text frame, which must be the only one."""
        while True:
            found = self.texts()
            if len(found) > 1:
                raise Failed(f"two frames where one was expected: {found[1][:300]}")
            if found:
                return found[0]

    def ask(self, event, data):
        """The reply to one command."""
        self.send(event, data)
        return accepted(self.text())


def accepted(reply):
    if b'"ok":true' not in reply[:200]:
        raise Failed(f"refused: {reply[:300]}")
    return reply


def join_all(clients, event, channels):
    """Client i joins each of channels[i], one after the other; the clients at the same time."""
    waiting = {client: iter(channels[i]) for i, client in enumerate(clients)}
    for client, todo in list(waiting.items()):
        join_next(waiting, client, event, todo)
    poller = select.epoll()
    by_fd = {client.fileno(): client for client in clients}
    for fd in by_fd:
        poller.register(fd, select.EPOLLIN)
    while waiting:
        ready = poller.poll(SECONDS)
        if not ready:
            raise Failed(f"{len(waiting)} clients still wait for an answer to a join")
        for fd, _ in ready:
            client = by_fd[fd]
            for reply in client.texts():
                accepted(reply)
                join_next(waiting, client, event, waiting[client])
    poller.close()


def join_next(waiting, client, event, todo):
    channel = next(todo, None)
    if channel is None:
        del waiting[client]
    else:
        client.send(event, {"channelId": channel})


def idle(clients, seconds):
    """Lets time pass, and answers pings."""
    end = time.monotonic() + seconds
    poller = select.epoll()
    by_fd = {client.fileno(): client for client in clients}
    for fd in by_fd:
        poller.register(fd, select.EPOLLIN)
    while (left := end - time.monotonic()) > 0:
        for fd, _ in poller.poll(left):
            by_fd[fd].texts()
    poller.close()


def timed(work):
    """Milliseconds it took."""
    begun = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - begun) / 1e6
