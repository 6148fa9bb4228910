"""Between the nodes and a real nats-server: hints are lost, doubled, late, out of order, or do not come at all."""

import collections
import random
import socket
import threading
import time

from support.nats import NatsServer, free_port


class Bus:
    """One listener for all nodes. What nodes send passes; what they are sent is tampered with."""

    def __init__(self, seed, ill=0.1):
        self.server = NatsServer(routes=None).start()
        self.ill, self.silent = ill, False
        self.counts = collections.Counter()
        self._random = random.Random(seed)
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.url = f"nats://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._over:
            try:
                node = self._listener.accept()[0]
                there = socket.create_connection(("127.0.0.1", self.server.port), timeout=2)
            except OSError:
                if not self._over:
                    node.close()
                continue
            there.settimeout(None)
            self._open |= {node, there}
            threading.Thread(target=self._pass, args=(node, there), daemon=True).start()
            threading.Thread(target=self._tamper, args=(there, node), daemon=True).start()

    def _end(self, *sockets):
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
            self._open.discard(sock)

    def _pass(self, node, there):
        try:
            while data := node.recv(65536):
                if not self.silent:
                    there.sendall(data)
        except OSError:
            pass
        self._end(node, there)

    def _tamper(self, there, node):
        kept = []
        try:
            stream = there.makefile("rb")
            while line := stream.readline():
                whole = line
                if line.startswith(b"MSG "):
                    whole += stream.read(int(line.split()[-1]) + 2)
                    messages = self._infect(whole, kept)
                else:
                    messages = [whole]
                for message in messages if not self.silent else ():
                    node.sendall(message)
        except (OSError, ValueError):
            pass
        self._end(node, there)

    def _infect(self, message, kept):
        """What is sent instead; `kept` waits for the next message, which overtakes it."""
        self.counts["bus messages"] += 1
        draw = self._random.random() / self.ill if self.ill else 4
        before = [kept.pop()] if kept else []
        if draw < 1:
            self.counts["bus messages lost"] += 1
            return before
        if draw < 2:
            self.counts["bus messages doubled"] += 1
            return [message, message, *before]
        if draw < 3:
            self.counts["bus messages out of order"] += 1
            kept.append(message)
            return before
        if draw < 3.3:
            self.counts["bus messages late"] += 1
            time.sleep(self._random.random() * 0.5)
        return [message, *before]

    def silence(self, seconds):
        """Connections stay and nothing passes; then they end, since what was swallowed would confuse both sides."""
        self.silent = True
        time.sleep(seconds)
        self._end(*list(self._open))
        self.silent = False

    def restart(self, seconds):
        self.server.stop()
        time.sleep(seconds)
        self.server.start()

    def freeze(self, seconds):
        self.server.pause()
        time.sleep(seconds)
        self.server.resume()

    def close(self):
        self._over = True
        self._listener.close()
        self._end(*list(self._open))
        self.server.destroy()
