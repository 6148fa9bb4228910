"""Nodes and their database, and all that is done to them."""

import collections
import json
import signal
import socket
import subprocess
import threading
import time

from bus import Bus
from support.node import SANITIZER, Node, new_database
from support.postgres import Cluster
from wire import Wire


class DurableCluster(Cluster):
    """The test cluster, but what it acknowledged survives `-m immediate`: only fsync stays off, the machine does not crash."""

    def _command(self, program, *arguments):
        if program == "postgres":
            arguments += ("-c", "synchronous_commit=on", "-c", "full_page_writes=on")
        return super()._command(program, *arguments)

    def log_lines(self, database, query):
        """Rows as lines, however many there are and however long that takes."""
        command = self._command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-U", "postgres",
                                "-d", database, "-c", f"COPY ({query}) TO STDOUT")
        with subprocess.Popen(command, env=self._environment, cwd=self.folder, stdout=subprocess.PIPE, text=True) as psql:
            for line in psql.stdout:
                yield line.rstrip("\n").replace("\\\\", "\\")
        if psql.returncode != 0:
            raise AssertionError(f"psql ended with {psql.returncode}")


class Fleet:
    def __init__(self, count, seed, nats, pulse, io_threads=1):
        self.failures, self.complaints, self.pulse = [], collections.Counter(), pulse
        self._nodes, self.wires, self.bus = [None] * count, [], None
        self._lock = threading.Lock()
        self.cluster = DurableCluster()
        try:
            self.cluster.start()
            self.url = new_database(self.cluster)
            self.bus = Bus(seed) if nats else None
            self.settings = {**SETTINGS, "BELFRY_IO_THREADS": str(io_threads), **({"BELFRY_BUS": self.bus.url} if nats else {})}
            self.wires = [Wire(self.cluster, seed * 1000 + slot * 100_000) for slot in range(count)]
            for slot in range(count):
                self._nodes[slot] = self._start(slot)
            for node in self._nodes:
                node.wait_ready()
        except BaseException:
            self.stop()
            raise

    def _start(self, slot):
        return Node(self.wires[slot].url(self.url), **self.settings)

    @property
    def database(self):
        return self.url.split("dbname=")[1].split()[0]

    def nodes(self):
        with self._lock:
            return [node for node in self._nodes if node is not None]

    def port(self, rng):
        nodes = self.nodes()
        return rng.choice(nodes).port if nodes else None

    def ports(self, rng):
        """Two nodes, different ones if there are."""
        nodes = self.nodes()
        if not nodes:
            return None
        chosen = rng.sample(nodes, min(2, len(nodes)))
        return chosen[0].port, chosen[-1].port

    def _replace(self, slot, node):
        with self._lock:
            old, self._nodes[slot] = self._nodes[slot], node
        return old

    def _restart(self, slot, end):
        node = self._replace(slot, None)
        end(node)
        self._skim(node)
        self._replace(slot, self._start(slot))

    def kill(self, slot):
        self._restart(slot, lambda node: node.kill())

    def trap(self, slot, name, milliseconds=0):
        """Something happens to this node's next transaction at that place; True when it did. A dead node is replaced."""
        node = self.nodes()[slot]
        sprung = self.wires[slot].spring(name, node.process.pid, milliseconds)
        if sprung and name.startswith("kill"):
            self.kill(slot)
        return sprung

    def delay(self, share):
        for wire in self.wires:
            wire.delay(share)

    def tally(self):
        """What the wires and the bus did, by the names that a recording has for it."""
        found = collections.Counter(self.bus.counts if self.bus else {})
        for wire in self.wires:
            made = wire.tally()
            found["delays between statements"] += made["delays"]
            found["delayed transactions"] += made["slow"]
            found["transactions"] += made["transactions"]
            found["milliseconds of delay"] += made["milliseconds"]
            found["commits under a lock"] += made["commits"]
        return found

    def terminate(self, slot):
        """Under load: the node must end with 0 within its deadline, its sockets full or not."""

        def end(node):
            try:
                node.stop(timeout=self.pulse.allowance(20))
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
        begun = time.monotonic_ns()
        while (took := time.monotonic_ns()) - begun < 1e9 * self.pulse.bound(timeout, begun, took):
            try:
                if all(node.ready() for node in self.nodes()):
                    return (time.monotonic_ns() - begun) / 1e9
            except OSError:
                pass
            time.sleep(0.05)
        return None

    @staticmethod
    def metrics(node):
        with node.client() as client:
            lines = client.get("/metrics", expect=200).text.splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))

    def metric(self, node, name):
        return float(self.metrics(node)[name])

    def skim(self):
        """What the nodes complained of, by event; their lines are not kept, an hour has too many."""
        for node in self.nodes():
            self._skim(node)

    def _skim(self, node):
        lines = node.lines[:]
        for line in lines[node.__dict__.get("skimmed", 0):]:
            if SANITIZER.search(line):  # here and not only when it ends: most nodes are killed
                self.failures.append("a node says: " + "\n".join(node.lines[node.lines.index(line):][:60]))
            if '"level":"warn' in line or '"level":"error' in line:
                said = json.loads(line) if line.startswith("{") else {}
                self.complaints[f"{said.get('level')} {said.get('event', said.get('msg'))}"] += 1
                if said.get("level") == "error" and self.complaints[f"error {said.get('event')}"] <= 20:
                    print("a node says:", line[:600], flush=True)
        node.skimmed = len(lines)
        if len(lines) > 5000:
            del node.lines[:len(lines) - 1000]
            node.skimmed = 1000

    def dead(self):
        """Nodes that ended though nobody ended them."""
        return [node for node in self.nodes() if node.process.poll() is not None]

    def stop(self):
        for node in self.nodes():
            try:
                node.stop()
            except AssertionError as error:
                self.failures.append(f"at the end: {str(error)[:2000]}")
        for wire in self.wires:
            wire.close()
        if self.bus is not None:
            self.bus.close()
        self.cluster.destroy()


SETTINGS = {"BELFRY_DB_CONNECTIONS": "8", "BELFRY_WS_COMMAND_RATE": "500", "BELFRY_WS_COMMAND_BURST": "500"}


def half_open(port):
    """A request that never ends; its socket is the caller's to keep."""
    made = socket.create_connection(("127.0.0.1", port), timeout=5)
    made.sendall(b"POST /api/admin/channels HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    return made
