"""Nodes and their database, and all that is done to them."""

import signal
import socket
import threading
import time

from support.node import Node, new_database
from support.postgres import Cluster


class DurableCluster(Cluster):
    """The test cluster, but what it acknowledged survives `-m immediate`: only fsync stays off, the machine does not crash."""

    def _command(self, program, *arguments):
        if program == "postgres":
            arguments += ("-c", "synchronous_commit=on", "-c", "full_page_writes=on")
        return super()._command(program, *arguments)


class Fleet:
    def __init__(self, count):
        self.failures = []
        self._nodes = [None] * count
        self._lock = threading.Lock()
        self.cluster = DurableCluster()
        try:
            self.cluster.start()
            self.url = new_database(self.cluster)
            for slot in range(count):
                self._nodes[slot] = Node(self.url, **SETTINGS)
            for node in self._nodes:
                node.wait_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def database(self):
        return self.url.split("dbname=")[1].split()[0]

    def nodes(self):
        with self._lock:
            return [node for node in self._nodes if node is not None]

    def port(self, rng):
        nodes = self.nodes()
        return rng.choice(nodes).port if nodes else None

    def _replace(self, slot, node):
        with self._lock:
            old, self._nodes[slot] = self._nodes[slot], node
        return old

    def _restart(self, slot, end):
        node = self._replace(slot, None)
        end(node)
        self._replace(slot, Node(self.url, **SETTINGS))

    def kill(self, slot):
        self._restart(slot, lambda node: node.kill())

    def terminate(self, slot):
        """Under load: the node must end with 0 within its deadline, its sockets full or not."""

        def end(node):
            try:
                node.stop(timeout=20)
            except AssertionError as error:
                self.failures.append(f"SIGTERM: {str(error)[:2000]}")

        self._restart(slot, end)

    def freeze(self, slot, seconds):
        node = self.nodes()[slot]
        node.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        node.process.send_signal(signal.SIGCONT)

    def restart_database(self):
        self.cluster.stop(signal.SIGQUIT)
        self.cluster.start()

    def cut_connections(self, share):
        """Some backends end at once, in whatever statement they are: the bus's, a reader's, one at COMMIT."""
        self.cluster.sql(self.database, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = "
                         f"'client backend' AND pid <> pg_backend_pid() AND datname = current_database() AND random() < {share}")

    def hold_lock(self, seconds):
        """Somebody else's transaction sits on a room, or on the access log."""
        self.cluster.sql(self.database, "WITH held AS MATERIALIZED (SELECT id FROM room_log WHERE id = (SELECT id FROM room_log "
                         f"ORDER BY random() LIMIT 1) FOR UPDATE) SELECT pg_sleep({seconds:.2f}) FROM held")

    def ready_again(self, timeout):
        """Seconds until all nodes are ready, or None. Asked after every fault: no restart may be needed."""
        begun = time.monotonic()
        while time.monotonic() - begun < timeout:
            try:
                if all(node.ready() for node in self.nodes()):
                    return time.monotonic() - begun
            except OSError:
                pass
            time.sleep(0.05)
        return None

    def dead(self):
        """Nodes that ended though nobody ended them."""
        return [node for node in self.nodes() if node.process.poll() is not None]

    def stop(self):
        for node in self.nodes():
            try:
                node.stop()
            except AssertionError as error:
                self.failures.append(f"at the end: {str(error)[:2000]}")
        self.cluster.destroy()


SETTINGS = {"BELFRY_DB_CONNECTIONS": "8"}


def half_open(port):
    """A request that never ends; its socket is the caller's to keep."""
    made = socket.create_connection(("127.0.0.1", port), timeout=5)
    made.sendall(b"POST /api/admin/channels HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    return made
