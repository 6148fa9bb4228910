"""Runs the built binary. Nothing of the caller's environment reaches it, so that a developer's settings cannot change a test."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

BINARY = os.environ.get("BELFRY_BINARY", "build/dev/belfry")
SOURCE = os.environ.get("BELFRY_SOURCE", ".")
SECRET = "a-secret-for-tests-of-32-bytes-or-more"
DEADLINE = 60


def environment(**settings):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    for name in os.environ:  # how the sanitizers are told what to do
        if name.endswith("SAN_OPTIONS"):
            kept[name] = os.environ[name]
    return kept | {"BELFRY_" + name.upper(): value for name, value in settings.items()}


def run(*arguments, settings=None, timeout=DEADLINE):
    return subprocess.run([BINARY, *arguments], env=environment(**(settings or {})), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout)


def wait_until(condition, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {deadline} s: {what}")


class Running:
    """A process whose lines are collected as they come."""

    def __init__(self, *arguments, settings=None):
        self.process = subprocess.Popen([BINARY, *arguments], env=environment(**(settings or {})),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out, self.err = [], []
        self._readers = [threading.Thread(target=self._collect, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _collect(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def line(self, lines, text):
        def found():
            for line in list(lines):
                if text in line:
                    return line
            assert self.process.poll() is None, f"ended with {self.process.returncode}\n" + self.text()
            return None
        return wait_until(found, f"a line with {text!r} in\n" + self.text())

    def event(self, name):
        return json.loads(self.line(self.err, f'"event":"{name}"'))

    def text(self):
        return "\n".join(self.out + ["-- stderr"] + self.err)

    def end(self, sent=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sent)
        elif self.process.stdout.closed:
            return self.process.returncode
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("did not end\n" + self.text())
        for reader in self._readers:
            reader.join(DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def get(url, token=None):
    """(status, parsed body or text)"""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            status, body = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read().decode()
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body


def taken_port():
    """A listening socket and its port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener, listener.getsockname()[1]
