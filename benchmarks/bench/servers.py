"""What is measured: Belfry, the Node peer, the raw floors, a static answer. Each alone on its core, fresh for each measurement."""
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

from bench.machine import Failed, SERVER_CORE, on_core, read_port, stop
from bench.tokens import SECRET


class Server:
    """A process and its port; a context that ends it."""
    kind = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)

    @property
    def pid(self):
        return self.process.pid

    def wait_until_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise Failed(f"{self.kind} ended at start")
            time.sleep(0.05)
        raise Failed(f"{self.kind} did not become ready")


class Belfry(Server):
    kind = "belfry"

    def __init__(self, binary, url, settings=None, core=SERVER_CORE):
        environment = {**os.environ, "BELFRY_DATABASE_URL": url, "BELFRY_JWT_SECRET": SECRET, "BELFRY_LISTEN": "127.0.0.1:0",
                       "BELFRY_LOG_FORMAT": "json",
                       "BELFRY_WS_HANDSHAKE_RATE": "100000",  # thousands come at once, and none shall be sent away
                       **(settings or {})}
        self.connection = None
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(on_core(core, [binary, "serve"]), env=environment, stderr=self.log)
        try:
            self.port = self.read_port()
            self.wait_until_ready()
        except BaseException:
            stop(self.process)
            raise

    def __exit__(self, *_):
        if self.connection:
            self.connection.close()
        stop(self.process)
        self.log.close()

    def read_port(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            self.log.seek(0)
            found = re.search(r'"event":"listening".*"port":(\d+)', self.log.read())
            if found:
                return int(found.group(1))
            time.sleep(0.02)
        raise Failed("belfry did not listen")

    def request(self, admin, method, path, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.connection.request(method, path, json.dumps(body), {"Authorization": "Bearer " + admin})
        response = self.connection.getresponse()
        answer = response.read()
        if response.status not in (200, 201):
            raise Failed(f"{method} {path}: {response.status} {answer[:300]}")
        return json.loads(answer)["data"]

    def metrics(self):
        """Samples by name, labels included in the name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))}


class Peer(Server):
    kind = "node"

    def __init__(self, folder, host, database):
        if not shutil.which("node"):
            raise Failed("node is not installed")
        environment = {**os.environ, "PEER_DATABASE_HOST": str(host), "PEER_DATABASE_NAME": database, "PEER_JWT_SECRET": SECRET,
                       "NODE_ENV": "production"}
        self.process = subprocess.Popen(on_core(SERVER_CORE, ["node", folder / "server.js"]), env=environment, stdout=subprocess.PIPE, text=True)
        try:
            self.port = read_port(self.process)
            self.wait_until_ready()
        except BaseException:
            stop(self.process)
            raise


class Small(Server):
    """A program of ours that prints its port and needs nothing."""

    def __init__(self, kind, command):
        self.kind = kind
        self.process = subprocess.Popen(on_core(SERVER_CORE, command), stdout=subprocess.PIPE, text=True)
        try:
            self.port = read_port(self.process)
        except BaseException:
            stop(self.process)
            raise


def install_peer(folder):
    """From the lock file, once; needs npm and a registry."""
    if (folder / "node_modules").exists():
        return
    if not shutil.which("npm"):
        raise Failed("the Node peer is not installed and there is no npm")
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=600)
    if done.returncode != 0:
        raise Failed("npm ci: " + done.stdout[-500:])
