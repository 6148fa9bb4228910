"""What all rows share: the data, and how to start each contender."""
import contextlib
import pathlib
import subprocess

from bench.ground import ADMIN, Ground
from bench.machine import Failed, SERVER_CORE, on_core
from bench.servers import Peer, Small, install_peer
from bench.tokens import token, user_id

HERE = pathlib.Path(__file__).resolve().parents[1]
READERS = 100
ENTITLEMENT = "bench"


class Setting(Ground):
    def __init__(self, build, quick, profile=None):
        self.quick = quick
        self.static_binary = build / "benchmarks" / "belfry_static_answer"
        self.sizes = {"rooms": 100 if quick else 1000, "posts": 2000 if quick else 20000, "tokens": 1000 if quick else 10000}
        self.peer_problem = None
        try:
            install_peer(HERE / "peer")
        except (Failed, OSError, subprocess.TimeoutExpired) as problem:
            self.peer_problem = str(problem)
        super().__init__(build, profile)
        try:
            self.seed()
            self.frame_bytes = self.measure_frame()
        except BaseException:
            self.close()
            raise

    def scaled(self, full, quick):
        return quick if self.quick else full

    # Data ---------------------------------------------------------------------------------------

    def seed(self):
        with self.belfry() as server:
            self.seed_rooms(server)
            self.seed_posts(server)
        self.postgres.query("belfry", "VACUUM ANALYZE")
        self.postgres.query("postgres", "CREATE DATABASE peer TEMPLATE belfry")
        self.tokens = self.write("tokens", [token(number) for number in range(1, self.sizes["tokens"] + 1)])
        self.readers = self.write("readers", [token(number) for number in range(1, READERS + 1)])

    def seed_rooms(self, server):
        self.channels, threads = [], []
        for number in range(self.sizes["rooms"]):
            channel = server.request(self.admin, "POST", "/api/admin/channels", {"kind": "BROADCAST", "title": f"Room {number}", "status": "ACTIVE"})["id"]
            threads.append(server.request(self.admin, "PUT", f"/api/admin/channels/{channel}/discussion", {"title": "Bench"})["id"])
            self.channels.append(channel)
        self.first_thread = threads[0]
        if threads != list(range(threads[0], threads[0] + len(threads))):
            raise Failed("discussion ids are not in a row")

    def seed_posts(self, server):
        """Through SQL: the reads under test do not look at the log, and the servers that answer them start afterwards."""
        self.posts_channel = server.request(self.admin, "POST", "/api/admin/channels", {
            "kind": "BROADCAST", "title": "Posts", "status": "ACTIVE", "accessPolicy": "EXTERNAL_GATED", "entitlementKey": ENTITLEMENT})["id"]
        for number in range(1, READERS + 1):
            server.request(self.admin, "PUT", f"/api/admin/users/{user_id(number)}/entitlements/{ENTITLEMENT}", {})
        self.postgres.query("belfry", f"""
            INSERT INTO posts (channel_id, published_at, created_by, type, body_text, created_at, updated_at)
            SELECT {self.posts_channel}, now(), '{user_id(ADMIN)}', 0, repeat('A word or two. ', 10) || n, now(), now()
            FROM generate_series(1, {self.sizes['posts']}) n""")
        low, high = self.postgres.query("belfry", f"SELECT min(id), max(id) FROM posts WHERE channel_id = {self.posts_channel}")[0]
        self.post_range = (int(low) + 100, int(high))

    def measure_frame(self):
        """How long an event is on the wire: the raw floors send frames of that size."""
        with self.belfry() as server:
            figures = self.load("fanout", server, 30, clients=1, messages=20, rooms=self.rooms(1), tokens=self.tokens, admin_token=self.admin)
        return round(figures["frame_bytes"])

    def rooms(self, count):
        return self.write(f"rooms-{count}", self.channels[:count])

    def numbers(self, count):
        """Rooms of a raw server."""
        return self.write(f"numbers-{count}", range(count))

    # Contenders ---------------------------------------------------------------------------------

    def start(self, kind, body_bytes=0):
        """A fresh one: belfry, node, direct, batch, static."""
        if kind == "belfry":
            self.postgres.settle()
            return self.belfry()
        if kind == "node":
            if self.peer_problem:
                return contextlib.nullcontext(None)
            self.postgres.settle()
            return Peer(HERE / "peer", self.postgres.folder, "peer")
        if kind == "static":
            return Small(kind, [self.static_binary, body_bytes])
        return Small(kind, [self.generator, "raw-server", "--mode", kind])

    def pgbench(self, script, clients, seconds, **variables):
        """Transactions a second of one of our scripts; pgbench takes the server's place on its core."""
        defines = [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
        command = [*self.postgres.drop, self.postgres.bin / "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", 1, "-T", seconds, "-f", HERE / "sql" / script,
                   *defines, "-h", self.postgres.folder, "-U", "postgres", "peer"]
        self.postgres.settle()
        done = subprocess.run(on_core(SERVER_CORE, command), cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds + 60)
        rate = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("tps = ")]
        if done.returncode != 0 or not rate:
            raise Failed("pgbench: " + (done.stdout + done.stderr)[-500:])
        return float(rate[0])
