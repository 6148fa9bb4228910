"""chaos_wire, one per node: where a node's transactions are delayed, cut and forced back, and where it is caught."""

import os
import shutil
import subprocess
import tempfile
import threading

from support.node import binary

PLACES = ("after-lock", "at-commit", "after-commit")


def program():
    given = os.environ.get("BELFRY_CHAOS_WIRE") or os.path.join(os.path.dirname(binary()), "tests", "chaos_wire")
    if not os.access(given, os.X_OK):
        raise RuntimeError("BELFRY_CHAOS_WIRE must name the built chaos_wire (ninja target chaos_wire)")
    return given


class Wire:
    def __init__(self, cluster, seed):
        self.folder = tempfile.mkdtemp(prefix="bw", dir="/tmp")  # short: socket paths end at 107 bytes
        self._changed = threading.Condition()
        self._said, self._tally = [], {}
        self._process = subprocess.Popen(
            [program(), self.folder, os.path.join(cluster.sockets, ".s.PGSQL.5432"), str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._wait("listening", 10):
            raise RuntimeError("chaos_wire does not listen")

    def url(self, url):
        return " ".join(f"host={self.folder}" if part.startswith("host=") else part for part in url.split())

    def _listen(self):
        for line in self._process.stdout:
            words = line.split()
            with self._changed:
                if words[0] == "tally":
                    self._tally[words[1]] = int(words[2])
                self._said.append(line.strip())
                self._changed.notify_all()
        with self._changed:
            self._said.append("gone")
            self._changed.notify_all()

    def _order(self, text):
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def _wait(self, what, timeout):
        """Until this is said; it is said to one who waits only."""
        with self._changed:
            if not self._changed.wait_for(lambda: what in self._said or "gone" in self._said, timeout) or "gone" in self._said:
                return False
            self._said.remove(what)
            return True

    def delay(self, share):
        self._order(f"delay {int(share * 1000)}")

    def spring(self, trap, pid=0, milliseconds=0, timeout=5.0):
        """True when a transaction went into the trap within the time; with a stop, when it is over."""
        self._order(f"trap {trap} {pid} {milliseconds}")
        sprung = self._wait("sprung " + trap, timeout)
        if not sprung:
            self._order("disarm")
            self._wait("disarmed", 5)
            sprung = self._wait("sprung " + trap, 0)  # at the last moment
        if sprung and milliseconds:
            self._wait("over " + trap, timeout + milliseconds / 1000)
        return sprung

    def tally(self):
        self._order("tally")
        self._wait("tally end 0", 10)
        return dict(self._tally)

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
