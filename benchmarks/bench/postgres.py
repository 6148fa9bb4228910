"""A PostgreSQL of our own: durable (fsync on), one core, gone afterwards."""
import contextlib
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from bench.machine import Failed, LOAD_CORE, on_core

SETTINGS = {"listen_addresses": "", "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "max_connections": "200",
            "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "none", "pg_stat_statements.track_utility": "off"}


class Cluster:
    def __init__(self, **more):
        """`more`: settings of PostgreSQL beside ours."""
        binaries = glob.glob("/usr/lib/postgresql/*/bin")
        if not binaries:
            raise Failed("PostgreSQL is not installed: scripts/packages install test")
        self.bin = pathlib.Path(max(binaries, key=lambda path: int(path.split("/")[4])))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="belfry-bench-"))
        self.drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
        if self.drop:
            shutil.chown(self.folder, "postgres", "postgres")
        self.call("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
        settings = [part for name, value in {**SETTINGS, **more}.items() for part in ("-c", f"{name}={value}") if name != "pg_stat_statements.track"]
        with open(f"{self.folder}/data/postgresql.auto.conf", "a") as file:
            file.write("pg_stat_statements.track = 'none'\n")
        command = [*self.drop, self.bin / "postgres", "-D", f"{self.folder}/data", "-k", self.folder, *settings]
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(on_core(LOAD_CORE, command), cwd="/", stdout=self.log, stderr=self.log)
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def wait(self):
        deadline = time.monotonic() + 60
        while subprocess.run([*self.drop, self.bin / "pg_isready", "-q", "-h", self.folder], cwd="/").returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Failed("PostgreSQL did not start: " + (self.folder / "log").read_text()[-500:])
            time.sleep(0.05)

    def url(self, database):
        return f"host={self.folder} user=postgres dbname={database}"

    def call(self, program, *arguments):
        subprocess.run([*self.drop, self.bin / program, *map(str, arguments)], cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=300)

    def query(self, database, sql, seconds=120):
        """Rows as lists of texts."""
        done = subprocess.run([*self.drop, self.bin / "psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "postgres",
                               "-d", database, "-c", sql], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds)
        if done.returncode != 0:
            raise Failed(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def on_all_cores(self):
        """For making data: connections that begin now may use the server's core too."""
        os.sched_setaffinity(self.process.pid, range(os.cpu_count()))
        try:
            yield
        finally:
            os.sched_setaffinity(self.process.pid, {int(LOAD_CORE)})

    def settle(self):
        """Before a measurement: no checkpoint and no vacuum that the last one left behind falls into it."""
        self.query("postgres", "CHECKPOINT")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
