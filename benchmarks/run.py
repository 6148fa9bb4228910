#!/usr/bin/env python3
"""Measures one node against its floors and prints a table of ratios.

The server runs alone on core 0; PostgreSQL (durable: fsync on) and the load on core 1. Rows alternate in rounds, each row's floor is
measured right before it, and best is compared with best: the machine is noisy, ratios are less so.

    benchmarks/run.py [--rounds 5] [--preset release] [--rows fanout,create,list]

Needs: scripts/packages install test, and `wrk` for the list rows (left out with a message where it is missing).
"""
import argparse
import base64
import glob
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECRET = "benchmark-secret-of-thirty-two-bytes-or-more"
SERVER_CORE, LOAD_CORE = "0", "1"


def token(role="USER"):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": str(uuid.uuid4()), "role": role, "username": "bench", "exp": int(time.time()) + 36000}
    text = part(b'{"alg":"HS256"}') + "." + part(json.dumps(claims).encode())
    return text + "." + part(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest())


class Postgres:
    def __init__(self):
        self.bin = pathlib.Path(max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4])))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="belfry-bench-"))
        self.drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
        if self.drop:
            shutil.chown(self.folder, "postgres", "postgres")
        self.call("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
        command = ["taskset", "-c", LOAD_CORE, *self.drop, str(self.bin / "postgres"), "-D", f"{self.folder}/data", "-k", str(self.folder),
                   "-c", "listen_addresses=", "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB"]
        self.process = subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"host={self.folder} user=postgres dbname=postgres"
        deadline = time.monotonic() + 30
        while subprocess.run([*self.drop, str(self.bin / "pg_isready"), "-q", "-h", str(self.folder)], cwd="/").returncode != 0:
            if time.monotonic() > deadline:
                sys.exit("PostgreSQL did not start")
            time.sleep(0.05)

    def call(self, program, *arguments):
        subprocess.run([*self.drop, str(self.bin / program), *arguments], cwd="/", check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    def __init__(self, binary, url):
        environment = {**os.environ, "BELFRY_DATABASE_URL": url, "BELFRY_JWT_SECRET": SECRET, "BELFRY_LISTEN": "127.0.0.1:0",
                       "BELFRY_LOG_FORMAT": "json"}
        subprocess.run([binary, "migrate"], env=environment, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, binary, "serve"], env=environment, stderr=self.log)
        self.pid, self.port = self.process.pid, self.wait_for_port()
        self.admin = token("ADMIN")
        deadline = time.monotonic() + 30
        while self.request("GET", "/readyz")[0] != 200:
            if time.monotonic() > deadline:
                sys.exit("the server did not become ready")
            time.sleep(0.05)

    def wait_for_port(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.log.seek(0)
            found = re.search(r'"event":"listening".*"port":(\d+)', self.log.read())
            if found:
                return int(found.group(1))
            time.sleep(0.05)
        sys.exit("the server did not listen")

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {} if path == "/readyz" else {"Authorization": "Bearer " + self.admin}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        answer = response.read()
        return response.status, json.loads(answer) if answer else None

    def make(self, method, path, body):
        status, answer = self.request(method, path, body)
        if status not in (200, 201):
            sys.exit(f"{method} {path}: {status} {answer}")
        return answer["data"]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def load(*arguments):
    command = ["taskset", "-c", LOAD_CORE, str(arguments[0]), *map(str, arguments[1:])]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def fan_out_row(context, subscribers, window, messages):
    generator, server, channel, tokens = context
    direct = load(generator, "raw", "--subscribers", subscribers, "--messages", min(messages, 200))
    batch = load(generator, "raw", "--batch", "--window", max(window, 2), "--subscribers", subscribers, "--messages", messages)
    common = ["--port", server.port, "--server-pid", server.pid, "--channel", channel, "--admin-token", server.admin, "--tokens", tokens,
              "--window", window, "--messages", messages]
    alone = load(generator, *common, "--subscribers", 1)
    full = load(generator, *common, "--subscribers", subscribers)
    create_us = alone["server_us_per_delivery"]  # one subscriber: the price of a create, delivery included
    per_delivery = full["server_us_per_delivery"] - create_us / subscribers
    return {"us": per_delivery, "direct": direct["server_us_per_delivery"], "batch": batch["server_us_per_delivery"],
            "per_s": full["deliveries_per_s"], "p99_ms": full["p99_ms"], "join_us": full["join_us"], "joins_per_s": full["joins_per_s"],
            "rss_kb": full["rss_kb_per_connection"], "create_us": create_us}


def create_row(context, messages):
    generator, server, channel, tokens = context
    run = load(generator, "--port", server.port, "--server-pid", server.pid, "--channel", channel, "--admin-token", server.admin,
               "--tokens", tokens, "--window", 64, "--messages", messages, "--subscribers", 1)
    return {"per_s": run["messages_per_s"], "us": run["server_us_per_delivery"], "p99_ms": run["p99_ms"]}


def list_row(server, channel):
    wrk = shutil.which("wrk")
    if not wrk:
        return None
    done = subprocess.run(["taskset", "-c", LOAD_CORE, wrk, "-t1", "-c32", "-d4s", "--latency",
                           f"http://127.0.0.1:{server.port}/api/mobile/channels/{channel}/posts"], stdout=subprocess.PIPE, text=True, timeout=60)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    if not rate or "Non-2xx" in done.stdout:
        sys.exit(done.stdout)
    scale = {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)]
    return {"per_s": float(rate.group(1)), "p99_ms": float(p99.group(1)) * scale}


def prepare(server):
    open_channel = server.make("POST", "/api/admin/channels", {"kind": "BROADCAST", "title": "Bench", "status": "ACTIVE"})["id"]
    server.make("PUT", f"/api/admin/channels/{open_channel}/discussion", {"title": "Bench"})
    for number in range(40):
        server.make("POST", f"/api/admin/channels/{open_channel}/posts", {"type": "TEXT", "bodyText": f"{number} " + "text " * 50})
    return open_channel


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="release")
    parser.add_argument("--rows", default="fanout,create,list")
    options = parser.parse_args()
    build = ROOT / "build" / options.preset
    subprocess.run(["cmake", "--build", str(build), "--target", "fanout", "belfry"], check=True, stdout=subprocess.DEVNULL)
    generator = build / "benchmarks" / "fanout"
    postgres = Postgres()
    try:
        server = Server(str(build / "belfry"), postgres.url)
        try:
            measure(options, generator, server)
        finally:
            server.stop()
    finally:
        postgres.stop()


def measure(options, generator, server):
    channel = prepare(server)
    rows = options.rows.split(",")
    with tempfile.NamedTemporaryFile("w", suffix=".tokens") as tokens:
        tokens.write("\n".join(token() for _ in range(1000)) + "\n")
        tokens.flush()
        context = (generator, server, channel, tokens.name)
        fan_outs = {"1 x 1000, window 1": (1000, 1, 200), "1 x 1000, window 16": (1000, 16, 1600), "1 x 1000, window 64": (1000, 64, 3200)}
        results = {}
        for number in range(options.rounds):
            for name, (subscribers, window, messages) in fan_outs.items() if "fanout" in rows else ():
                results.setdefault(name, []).append(fan_out_row(context, subscribers, window, messages))
            if "create" in rows:
                results.setdefault("create", []).append(create_row(context, 6000))
            if "list" in rows and (row := list_row(server, channel)):
                results.setdefault("list", []).append(row)
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr, flush=True)
        report(fan_outs, results)


def report(fan_outs, results):
    def best(rows, key, pick=min):
        return pick(row[key] for row in rows)

    print("| fan-out | us per delivery | floor, one send each | ratio | floor, batched | ratio | deliveries/s | p99 ms |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in fan_outs:
        if rows := results.get(name):
            us, direct, batch = best(rows, "us"), best(rows, "direct"), best(rows, "batch")
            print(f"| {name} | {us:.2f} | {direct:.2f} | {us / direct:.2f} | {batch:.2f} | {us / batch:.2f} | "
                  f"{best(rows, 'per_s', max):,.0f} | {best(rows, 'p99_ms'):.1f} |")
    print()
    if rows := next((results[name] for name in fan_outs if name in results), None):
        print(f"join: {best(rows, 'join_us'):.0f} us of server CPU for connect, authenticate and join; {best(rows, 'joins_per_s', max):,.0f} joins/s one after "
              f"another; {best(rows, 'rss_kb', max):.1f} KB RSS per joined connection")
    if rows := results.get("create"):
        print(f"create message, one room, 64 writers: {best(rows, 'per_s', max):,.0f}/s, {best(rows, 'us'):.0f} us of server CPU, p99 {best(rows, 'p99_ms'):.1f} ms")
    if rows := results.get("list"):
        print(f"list 20 posts, uncached: {best(rows, 'per_s', max):,.0f}/s, p99 {best(rows, 'p99_ms'):.1f} ms")
    elif "list" in results or not shutil.which("wrk"):
        print("list rows left out: wrk is not installed")


if __name__ == "__main__":
    main()
