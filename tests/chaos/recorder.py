"""The recording: one JSON line for everything that was asked, answered and seen; tests/chaos/README.md has the fields."""

import collections
import json
import re
import threading
import time

MARK = re.compile(r"#[a-z0-9.\-]+#")
now = time.monotonic_ns


def content_of(data):
    """The mark of what was written, or None where the content is masked or there is none."""
    found = MARK.search(data.get("bodyText") or data.get("body") or "")
    return found.group(0) if found else None


def seen(envelope):
    data = envelope["data"]
    return {
        "eventId": envelope["eventId"],
        "type": envelope["eventType"],
        "entity": int(data["id"]),
        "content": None if envelope["eventType"].endswith((".deleted", ".pinned")) else content_of(data),
    }


class Recorder:
    def __init__(self, path):
        self.path = path
        self.counts = collections.Counter()
        self._file = open(path, "w", encoding="utf-8", buffering=1 << 20)  # noqa: SIM115 - closed by close()
        self._lock = threading.Lock()
        self._accesses = []

    def __call__(self, kind, **fields):
        line = json.dumps({"kind": kind, **fields}, separators=(",", ":"))
        with self._lock:
            self.counts[kind] += 1
            self._file.write(line + "\n")

    def access(self, **fields):
        """Kept until the end, when the log tells behind which event each change stands, by the wall's clock."""
        fields["wall"] = time.time_ns() - time.monotonic_ns()
        with self._lock:
            self._accesses.append(fields)
            self.counts["access"] += 1

    def accesses(self):
        with self._lock:
            return list(self._accesses)

    def close(self):
        with self._lock:
            self._file.close()
