"""What goes wrong with a database: clusters that end badly, standbys, full disks, wires that are cut, locks that stay."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from support import wait
from support.postgres import Cluster


class DurableCluster(Cluster):
    """What it acknowledged survives `-m immediate`; only fsync stays off, since the machine does not crash."""

    settings = {"synchronous_commit": "on", "full_page_writes": "on"}

    def _command(self, program, *arguments):
        if program == "postgres":
            for name, value in self.settings.items():
                arguments += ("-c", f"{name}={value}")
        return super()._command(program, *arguments)

    def crash(self):
        """`-m immediate`: every backend ends at once, in whatever it is doing."""
        self.stop(signal.SIGQUIT)

    def ended(self):
        return self.process.poll() is not None


class Standby(DurableCluster):
    """A streaming copy of a running primary, in sockets of its own."""

    def __init__(self, primary, name="standby"):  # not super(): there is nothing to initialise, the primary is copied
        self.bin, self._prefix, self._environment = primary.bin, primary._prefix, primary._environment
        self.folder = tempfile.mkdtemp(prefix="bf", dir="/tmp")
        self.data, self.sockets, self.process = os.path.join(self.folder, "d"), self.folder, None
        status = os.stat(primary.folder)
        os.chown(self.folder, status.st_uid, status.st_gid)
        os.chmod(self.folder, 0o755)
        self._run(
            "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "--no-sync",
            "-d", f"host={primary.sockets} user=postgres application_name={name}",
        )  # fmt: skip
        self.start()
        wait.until(lambda: self.streams(primary, name), "the standby streams")

    @staticmethod
    def streams(primary, name="standby"):
        return primary.sql("postgres", f"SELECT state FROM pg_stat_replication WHERE application_name = '{name}'") == [
            ["streaming"]
        ]

    def stop_receiving(self, primary):
        """From now on the primary's writes stay its own."""
        self.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''")
        self.sql("postgres", "SELECT pg_reload_conf()")
        wait.until(lambda: primary.sql("postgres", "SELECT count(*) FROM pg_stat_replication") == [["0"]], "it is cut off")

    def promote(self):
        assert self.sql("postgres", "SELECT pg_promote(true, 30)") == [["t"]]


class SmallDisk:
    """A mount of its own; None where that is refused."""

    def __init__(self, megabytes):
        self.folder = tempfile.mkdtemp(prefix="bf", dir="/tmp")
        self.mounted = (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", self.folder],
                check=False,
                capture_output=True,
            ).returncode
            == 0
        )

    @property
    def _filler(self):
        return os.path.join(self.folder, "filler")

    def fill(self):
        block = bytes(4096)
        with open(self._filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(block)
            except OSError:
                pass

    def free(self):
        os.unlink(self._filler)

    def remove(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.folder], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def path_for(cluster, folder, name):
    """A folder inside `folder` that the cluster's user owns."""
    path = os.path.join(folder, name)
    os.mkdir(path)
    status = os.stat(cluster.folder)
    os.chown(path, status.st_uid, status.st_gid)
    return path


class Holder:
    """Somebody else's session that sits on something, in one open transaction, until it is let go."""

    def __init__(self, cluster, database, statement):
        self.process = subprocess.Popen(
            cluster._command("psql", "-X", "-q", "-A", "-t", "-h", cluster.sockets, "-U", "postgres", "-d", database),
            env=cluster._environment,
            cwd=cluster.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.process.stdin.write(f"BEGIN;\n{statement};\n\\echo held\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.strip() == "held":
                break
        assert said and said[-1].strip() == "held" and not any("ERROR" in line for line in said), said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.let_go()

    def let_go(self):
        if self.process.poll() is None:
            self.process.communicate("ROLLBACK;\n", timeout=10)


class Wire:
    """Stands between nodes and a cluster; cuts connections at the COMMIT of what writes, holds all bytes back, or leads elsewhere.

    Of a job that read COMMIT comes when its answer has long been given."""

    _COMMIT = re.compile(rb"COMMIT\0")
    _WRITES = b"READ WRITE; "  # of a job's BEGIN

    def __init__(self, cluster):
        self.folder = tempfile.mkdtemp(prefix="bf", dir="/tmp")
        self.target = cluster.sockets
        self.cuts = {"before": 0, "after": 0}
        self.held = False
        self._plan = []  # what happens to the next COMMITs
        self._writing = set()  # connections with a transaction that writes
        self._lock = threading.Lock()
        self._stopping = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(os.path.join(self.folder, ".s.PGSQL.5432"))
        self._listener.listen(64)
        self._on_cut = None
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, name):
        return f"host={self.folder} dbname={name} user=postgres"

    def plan(self, kinds, on_cut=None):
        """`kinds`: None (nothing), "before" (COMMIT never arrives) or "after" (its answer is lost), for COMMITs to come."""
        with self._lock:
            self._plan = list(kinds)
            self._on_cut = on_cut

    def planned(self):
        with self._lock:
            return len(self._plan)

    def close(self):
        self._stopping = True
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _accept(self):
        while not self._stopping:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.connect(os.path.join(self.target, ".s.PGSQL.5432"))
            while not self._stopping and self._forward(client, server):
                pass
        except OSError:
            pass
        finally:
            self._writing.discard(client)
            client.close()
            server.close()

    def _forward(self, client, server):
        if self.held:
            select.select([], [], [], 0.02)
            return True
        readable = select.select([client, server], [], [], 0.1)[0]
        if client in readable:
            data = client.recv(1 << 16)
            if not data:
                return False
            if self._WRITES in data:
                self._writing.add(client)
            cut = None
            if self._COMMIT.search(data) and client in self._writing:
                self._writing.remove(client)
                cut = self._next_cut()
            if cut == "before":
                return self._cut(cut)
            server.sendall(data)
            if cut == "after":
                select.select([server], [], [], 5)  # it has answered, so it has committed
                return self._cut(cut)
        if server in readable:
            data = server.recv(1 << 16)
            if not data:
                return False
            client.sendall(data)
        return True

    def _next_cut(self):
        with self._lock:
            return self._plan.pop(0) if self._plan else None

    def _cut(self, kind):
        with self._lock:
            self.cuts[kind] += 1
            on_cut = self._on_cut
        if on_cut:
            on_cut()
        return False
