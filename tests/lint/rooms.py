#!/usr/bin/env python3
"""Holds every #include against the table of rooms: which room may use which, and which library belongs to which room."""
import pathlib
import re
import sys

ROOMS = {
    "core": [],
    "domain": ["core"],
    "wire": ["core", "domain"],
    "runtime": ["core"],
    "outbound": ["core", "runtime", "telemetry"],
    "auth": ["core", "domain", "outbound", "telemetry"],
    "storage": ["core", "domain", "wire", "runtime", "telemetry"],
    "realtime": ["core", "domain", "wire", "runtime", "telemetry"],
    "dialects": ["core", "domain", "wire", "auth", "realtime", "runtime", "telemetry"],
    "http": ["core", "domain", "wire", "auth", "telemetry"],
    "net": ["core", "http", "dialects", "realtime", "runtime", "telemetry"],
    "config": ["core"],
    "telemetry": ["core"],
    "app": ["core", "domain", "wire", "runtime", "outbound", "auth", "storage", "realtime", "dialects", "http", "net",
            "config", "telemetry"],
}
# A library's headers, and the rooms that may include them.
LIBRARIES = {
    "pqxx/": ["storage"],
    "libpq": ["storage"],
    "boost/beast": ["net"],
    "boost/asio": ["net", "runtime", "app"],
    "nats/": ["realtime"],
    "nlohmann/": ["wire", "auth", "outbound", "dialects", "app"],
    "curl/": ["outbound"],
    "openssl/": ["auth", "net", "core"],
    "spdlog/": ["telemetry"],
    "CLI/": ["app"],
    "toml++/": ["config", "app"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def check(root: pathlib.Path) -> list[str]:
    problems = []
    for base in (root / "include" / "belfry", root / "src"):
        for path in sorted(base.rglob("*")):
            if path.suffix not in (".hpp", ".cpp"):
                continue
            room = path.relative_to(base).parts[0]
            if room not in ROOMS:
                problems.append(f"{path.relative_to(root)}: {room} is not a room")
                continue
            for include in INCLUDE.findall(path.read_text()):
                used = re.match(r"belfry/([a-z]+)/", include)
                if used and used.group(1) != room and used.group(1) not in ROOMS[room]:
                    problems.append(f"{path.relative_to(root)}: {room} may not use {used.group(1)} ({include})")
                for prefix, rooms in LIBRARIES.items():
                    if include.startswith(prefix) and room not in rooms:
                        problems.append(f"{path.relative_to(root)}: {room} may not include {include}")
    return problems


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) or "rooms: every include keeps to the table")
    sys.exit(1 if found else 0)
