"""The built server as a process: started, asked for its port, stopped, and its stderr looked through."""

import json
import os
import re
import signal
import subprocess
import threading
import uuid

from support import wait
from support.http import Client
from support.tokens import SECRET

SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer|SUMMARY: \w*Sanitizer")


def binary():
    path = os.environ.get("BELFRY_BINARY")
    if not path or not os.access(path, os.X_OK):
        raise RuntimeError("BELFRY_BINARY must name the built server")
    return path


def next_binary():
    """The server one migration ahead, made for these tests."""
    path = os.environ.get("BELFRY_NEXT_BINARY")
    if not path or not os.access(path, os.X_OK):
        raise RuntimeError("BELFRY_NEXT_BINARY must name the built server of the next version")
    return path


def _environment(settings):
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
        if name in os.environ
    }
    return {**kept, **settings}


def run(*arguments, settings=None, timeout=60, program=None):
    """One command to its end."""
    return subprocess.run(
        [program or binary(), *arguments],
        env=_environment(settings or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def migrate(url, program=None):
    done = run("migrate", settings={"BELFRY_DATABASE_URL": url, "BELFRY_JWT_SECRET": SECRET}, program=program)
    assert done.returncode == 0, f"migrate failed:\n{done.stdout}\n{done.stderr}"


def new_database(cluster, migrated=True):
    url = cluster.create_database("t" + uuid.uuid4().hex[:12])
    if migrated:
        migrate(url)
    return url


class Node:
    def __init__(self, url, program=None, **settings):
        self.settings = {
            "BELFRY_LISTEN": "127.0.0.1:0",
            "BELFRY_DATABASE_URL": url,
            "BELFRY_JWT_SECRET": SECRET,
            "BELFRY_LOG_FORMAT": "json",
            "BELFRY_LOG_LEVEL": "info",
            **settings,
        }
        self.lines = []
        self.port = None
        self.terminated = False  # a second SIGTERM would mean: at once
        self.process = subprocess.Popen(
            [program or binary(), "serve"],
            env=_environment(self.settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, target), daemon=True)
            for pipe, target in ((self.process.stderr, self.lines), (self.process.stdout, []))
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.port = wait.until(self._find_port, "the server says where it listens", timeout=20)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    @staticmethod
    def _read(pipe, target):
        for line in pipe:
            target.append(line.rstrip("\n"))

    def _find_port(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}:\n" + "\n".join(self.lines[-40:]))
        for line in list(self.lines):
            if "listening" not in line:
                continue
            try:
                fields = json.loads(line)
            except ValueError:
                fields = {}
            if "ops" in str(fields.get("what", "")) or "ops" in str(fields.get("server", "")):
                continue
            if str(fields.get("port", "")).isdigit() and int(fields["port"]):
                return int(fields["port"])
            found = re.search(r"(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)", line) or re.search(
                r"port[\"=: ]+(\d+)", line
            )
            if found and int(found.group(1)):
                return int(found.group(1))
        return None

    def client(self, token=None, **options):
        return Client(self.port, token=token, **options)

    def ready(self):
        with self.client() as client:
            return client.get("/readyz").status == 200

    def wait_ready(self, timeout=15):
        wait.until(self.ready, "the server is ready", timeout=timeout)
        return self

    def log(self):
        return "\n".join(self.lines)

    def terminate(self):
        self.terminated = True
        self.process.send_signal(signal.SIGTERM)

    def stop(self, timeout=20):
        """SIGTERM must end it with 0; a sanitizer's report fails whoever stops it."""
        if self.process.poll() is None:
            if not self.terminated:
                self.terminate()
            try:
                self.process.wait(timeout=timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(
                    f"the server did not stop within {timeout} s of SIGTERM:\n" + self.log()[-2000:]
                ) from None
        for reader in self._readers:
            reader.join(timeout=5)
        reports = [line for line in self.lines if SANITIZER.search(line)]
        assert not reports, "sanitizer:\n" + self.log()[-8000:]
        assert self.process.returncode == 0, f"ended with {self.process.returncode}:\n" + self.log()[-3000:]

    def kill(self):
        """As a crash would: nothing is said to anybody."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(timeout=5)
