"""What every measurement stands on: a PostgreSQL of its own with an empty database of ours, the built programs, and how to start and load a server."""
import json
import os
import pathlib
import subprocess
import tempfile

from bench.machine import Failed, LOAD_CORE, on_core
from bench.postgres import Cluster
from bench.servers import Belfry
from bench.tokens import SECRET, token

ADMIN = 999_999_999


class Ground:
    """A context that takes everything away again. `postgres`: settings beside ours."""

    def __init__(self, build, profile=None, **postgres):
        self.profile = profile
        self.belfry_binary, self.generator = build / "belfry", build / "benchmarks" / "belfry_load"
        self.folder = tempfile.TemporaryDirectory(prefix="belfry-bench-files-")
        self.admin = token(ADMIN, "ADMIN")
        self.postgres = Cluster(**postgres)
        try:
            self.make_database()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.postgres.stop()
        self.folder.cleanup()

    def make_database(self):
        self.postgres.query("postgres", "CREATE DATABASE belfry")
        environment = {**os.environ, "BELFRY_DATABASE_URL": self.postgres.url("belfry"), "BELFRY_JWT_SECRET": SECRET}
        subprocess.run([self.belfry_binary, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        self.postgres.query("belfry", "CREATE EXTENSION pg_stat_statements")

    def belfry(self, **settings):
        """A fresh server; `settings` by their names: cache_mib=0."""
        return Belfry(self.belfry_binary, self.postgres.url("belfry"), {"BELFRY_" + name.upper(): str(value) for name, value in settings.items()})

    def write(self, name, lines):
        path = pathlib.Path(self.folder.name) / name
        path.write_text("\n".join(map(str, lines)) + "\n")
        return path

    def load(self, command, server, seconds, **options):
        """Runs the generator; its figures. A check that fails there fails the measurement."""
        arguments = ["--port", server.port, "--server-pid", server.pid, "--seconds", seconds]
        for name, value in options.items():
            arguments += ["--" + name.replace("_", "-"), value]
        environment = dict(os.environ)
        if self.profile and server.kind == "belfry":
            environment["BELFRY_BENCH_PERF"] = str(self.profile)
        return self.run_json([self.generator, command, *arguments], seconds + 30, environment)

    def run_json(self, command, seconds, environment):
        done = subprocess.run(on_core(LOAD_CORE, command), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds)
        if done.returncode != 0:
            raise Failed(done.stderr.strip())
        return json.loads(done.stdout)
