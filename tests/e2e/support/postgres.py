"""One private PostgreSQL cluster: unix socket only, no durability, gone with its folder."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from support import wait


def _bin_dir():
    found = os.environ.get("BELFRY_PG_BIN")
    if found:
        return found
    versions = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]))
    if not versions:
        raise RuntimeError("no PostgreSQL server found; set BELFRY_PG_BIN")
    return versions[-1]


class Cluster:
    """PostgreSQL refuses to run as root, so there the server runs as user postgres."""

    def __init__(self):
        self.bin = _bin_dir()
        self.folder = tempfile.mkdtemp(prefix="bf", dir="/tmp")  # short: socket paths end at 107 bytes
        self.data = os.path.join(self.folder, "d")
        self.sockets = self.folder
        self.process = None
        self._prefix = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        os.chmod(self.folder, 0o755)
        self._environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
        self._run(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"
        )

    def run_with(self, **environment):
        """From the next start on. Not for what drops its privileges before: a preloaded library would be too early."""
        self._prefix = [*self._prefix, "env", *(f"{name}={value}" for name, value in environment.items())]

    def _command(self, program, *arguments):
        return self._prefix + [os.path.join(self.bin, program), *arguments]

    def _run(self, program, *arguments, **options):
        return subprocess.run(
            self._command(program, *arguments),
            env=self._environment,
            cwd=self.folder,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            **options,
        )

    def start(self):
        with open(os.path.join(self.folder, "server.log"), "ab") as log:
            self.process = subprocess.Popen(
                self._command(
                    "postgres",
                    "-D",
                    self.data,
                    "-k",
                    self.sockets,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "fsync=off",
                    "-c",
                    "synchronous_commit=off",
                    "-c",
                    "full_page_writes=off",
                    "-c",
                    "max_connections=200",
                    "-c",
                    "shared_buffers=32MB",
                    "-c",
                    "log_min_messages=warning",
                ),
                env=self._environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait.until(self._accepts, "PostgreSQL accepts connections", timeout=30)

    def _accepts(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.folder, "server.log"), encoding="utf-8", errors="replace") as log:
                raise RuntimeError("PostgreSQL ended at start:\n" + log.read()[-2000:])
        ready = subprocess.run(
            self._command("pg_isready", "-q", "-h", self.sockets, "-U", "postgres"),
            env=self._environment,
            cwd=self.folder,
            check=False,
        )
        return ready.returncode == 0

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast shutdown, clients are cut. SIGQUIT: as after a crash."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)
        self.process = None

    def destroy(self):
        try:
            self.stop(signal.SIGQUIT)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, name):
        self.sql("postgres", f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, name):
        return f"host={self.sockets} dbname={name} user=postgres"

    def sql(self, database, statement):
        """Rows as lists of text."""
        result = self._run(
            "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-F",
            "\t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.sockets,
            "-U",
            "postgres",
            "-d",
            database,
            "-c",
            statement,
        )
        return [line.split("\t") for line in result.stdout.splitlines()]
