"""A node among its operators: start without a database, outages, draining, metrics, buses."""

import json
import signal
import socket
import threading
import time

from support import wait
from support.http import Client
from support.node import migrate, new_database, run
from support.parallel import Background
from support.postgres import Cluster
from support.world import Admin, Person
from support.ws import RawSocket, Socket


def test_a_node_without_a_database_lives_says_why_and_recovers(start, cluster):
    name = "late_" + str(time.time_ns())
    node = start(cluster.url(name), ready=False)
    person = Person(node)
    with node.client() as client:
        client.get("/healthz", expect=200)
        client.get("/readyz", expect=503)
        answer = client.get("/api/mobile/channels", expect=503)
        assert answer.code == "SERVICE_UNAVAILABLE" and int(answer.headers["retry-after"]) >= 1
        person.post("/api/mobile/ws-tickets", expect=503)
        client.get("/metrics", expect=200)
        assert (
            run(
                "health", settings={"BELFRY_LISTEN": f"127.0.0.1:{node.port}", "BELFRY_JWT_SECRET": "x" * 40}
            ).returncode
            == 1
        )
        cluster.create_database(name)
        wait.until(
            lambda: "migrate" in client.get("/readyz", expect=503).text or "migrat" in node.log(),
            "it says that the schema is missing",
            timeout=15,
        )
        client.get("/api/mobile/channels", expect=503)
        migrate(cluster.url(name))
        node.wait_ready(timeout=20)
        client.get("/api/mobile/channels", expect=200)
        with person.socket() as sock:
            sock.join_posts(Admin(node).channel())
    assert (
        run("health", settings={"BELFRY_LISTEN": f"127.0.0.1:{node.port}", "BELFRY_JWT_SECRET": "x" * 40}).returncode
        == 0
    )


def test_migrating_twice_is_nothing_and_serve_never_migrates(start, cluster):
    url = new_database(cluster)
    migrate(url)
    empty = new_database(cluster, migrated=False)
    node = start(empty, ready=False)
    with node.client() as client:
        wait.until(lambda: "migrate" in client.get("/readyz", expect=503).text, "it has seen that the schema is missing")
        tables = cluster.sql(
            empty.split("dbname=")[1].split()[0], "SELECT count(*) FROM pg_tables WHERE schemaname='public'"
        )
        assert tables == [["0"]]


def test_an_outage_of_the_database_is_503_and_loses_no_acknowledged_write(start):
    private = Cluster()
    try:
        private.start()
        url = new_database(private)
        node = start(url)
        admin = Admin(node)
        channel = admin.channel(discussion={})
        acknowledged, refused, lock = [], [], threading.Lock()

        def write(index):
            with admin.on(node) as writer:
                answer = writer.post(f"/api/admin/channels/{channel}/discussion/messages", {"body": f"by {index}"})
            with lock:
                if answer.status == 201:
                    acknowledged.append(answer.data["id"])
                else:
                    assert answer.status == 503, answer
                    refused.append(answer)

        with Person(node).socket() as sock, Background(3, write):
            sock.join_discussion(channel)
            for how in (signal.SIGINT, signal.SIGQUIT):
                goal = len(acknowledged) + 20
                wait.until(lambda goal=goal: len(acknowledged) >= goal, "writes go on", timeout=20)
                seen = len(refused)
                private.stop(how)
                wait.until(lambda seen=seen: len(refused) > seen, "writes are refused", timeout=20)
                wait.until(lambda: not node.ready(), "the node is not ready", timeout=20)
                with node.client() as client:
                    client.get("/healthz", expect=200)
                    assert client.get("/api/mobile/channels", expect=503).headers["retry-after"]
                sock.ok("ping")
                sock.fails("communication:sync_discussion", {"channelId": channel}, "SERVICE_UNAVAILABLE")
                private.start()
                node.wait_ready(timeout=30)
            goal = len(acknowledged) + 20
            wait.until(lambda: len(acknowledged) >= goal, "writes go on again", timeout=20)
        stored, query = set(), "?limit=100"
        with admin.on(node) as reader:
            while True:
                page = reader.messages(channel, query).data
                stored |= {item["id"] for item in page["items"]}
                if not page["has_more"]:
                    break
                query = f"?limit=100&before_id={page['cursor']['next_before_id']}"
        assert set(acknowledged) <= stored, "an acknowledged write is gone"
        assert len(acknowledged) == len(set(acknowledged))
        with Person(node).socket() as sock:
            events, since = [], None
            while True:
                page = sock.sync_discussion(channel, since, limit=500)
                events += page["events"]
                since = page["lastEventId"]
                if not page["hasMore"]:
                    break
        assert {
            event["data"]["id"] for event in events
        } == stored, "every row has its event, and no event is without its row"
    finally:
        private.destroy()


def test_no_part_of_the_databases_password_is_told(start):
    node = start("postgresql://belfry:Ab3xK/9Qz@localhost/belfry", ready=False)  # libpq takes Ab3xK for a port
    wait.until(lambda: '"database_not_ready"' in node.log(), "it has tried")
    with node.client() as client:
        told = client.get("/readyz", expect=503).body["message"]
    assert told == "the database cannot be reached"
    assert "%2F" in node.log(), "the operator learns what to do"
    for part in ("Ab3", "9Qz"):
        assert part not in node.log()


def test_a_joined_room_goes_on_after_an_outage(start):
    private = Cluster()
    try:
        private.start()
        node = start(new_database(private))
        admin = Admin(node)
        channel = admin.channel()
        with Person(node).socket() as sock:
            sock.join_posts(channel)
            admin.publish(channel, "before")
            first = sock.next("channel_post.created")
            private.stop()
            wait.until(lambda: not node.ready(), "the node is not ready", timeout=20)
            private.start()
            node.wait_ready(timeout=30)
            admin.close()
            made = admin.publish(channel, "after")["id"]
            frame = sock.next("channel_post.created", timeout=15)
            assert frame["data"]["data"]["id"] == made and frame["prevEventId"] == first["data"]["eventId"]
    finally:
        private.destroy()


def test_sigterm_drains(start, database):
    node, other = start(), start()
    admin = Admin(other)
    channel = admin.channel()
    people = [Person(node) for _ in range(8)]
    sockets = [person.socket() for person in people] + [Socket(node.port)]
    for sock in sockets[:-1]:
        sock.join_posts(channel)
    admin.publish(channel)
    for sock in sockets[:-1]:
        sock.next("channel_post.created")
    node.terminate()
    delays = [sock.until("server:draining")["data"]["reconnectInMs"] for sock in sockets]
    assert len(set(delays)) >= 7, delays
    for sock in sockets:
        assert sock.closed(timeout=15) == 1012
    node.stop()
    with people[0].on(other).socket() as sock:
        assert len(sock.sync_posts(channel)["events"]) == 1


def test_a_request_that_runs_is_finished_while_draining(start):
    node = start()
    admin = Admin(node)
    channel = admin.channel(discussion={})
    outcomes, lock = [], threading.Lock()

    def write(_):
        try:
            with admin.on(node) as writer:
                answer = writer.post(f"/api/admin/channels/{channel}/discussion/messages", {"body": "x"})
            with lock:
                outcomes.append(answer.status)
        except ConnectionRefusedError:
            with lock:
                outcomes.append("refused")
        except (ConnectionError, OSError):
            with lock:
                outcomes.append("cut")

    with Background(3, write):
        wait.until(lambda: outcomes.count(201) > 10, "writers write")
        node.terminate()
        wait.until(lambda: "refused" in outcomes, "the door is shut", timeout=15)
    assert set(outcomes) <= {201, 503, "refused", "cut"}
    assert outcomes.count("cut") <= 6, outcomes.count("cut")
    node.stop()


def test_a_second_signal_ends_it_at_once(start):
    node = start()
    with RawSocket(node.port):  # which answers no close, so that the drain waits for it
        node.terminate()
        wait.until(lambda: '"draining"' in node.log(), "it drains")
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(timeout=10) == 128 + signal.SIGTERM
    node.gone = True
    wait.until(lambda: '"stopped_at_once"' in node.log(), "it said so")


def test_a_local_bus_beside_another_live_node_is_not_ready(start, fresh):
    first = start(fresh, BELFRY_BUS="local")
    second = start(fresh, ready=False)
    wait.until(lambda: not first.ready(), "the node with the local bus sees the other", timeout=15)
    with first.client() as client:
        assert "local" in client.get("/readyz", expect=503).text
        client.get("/healthz", expect=200)
    second.stop()
    second.gone = True
    wait.until(first.ready, "alone again it is ready", timeout=15)


def test_metrics_are_prometheus_text_and_count(node, admin):
    def read():
        answer = Client(node.port).get("/metrics", expect=200)
        values, helps, types = {}, set(), {}
        for line in answer.text.splitlines():
            if line.startswith("# HELP "):
                helps.add(line.split()[2])
            elif line.startswith("# TYPE "):
                types[line.split()[2]] = line.split()[3]
            elif line:
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values, helps, types

    before, helps, types = read()
    assert types and set(types) <= helps and set(types.values()) <= {"counter", "gauge", "histogram"}
    for name in before:
        base = name.split("{")[0]
        assert base in types or base.rsplit("_", 1)[0] in types, name
    channel = admin.channel()
    with Person(node).socket() as sock:
        sock.join_posts(channel)
        admin.publish(channel)
        sock.next("channel_post.created")
        during = read()[0]
    assert {
        name: value for name, value in during.items() if "deliver" in name and value > before[name]
    }, "a delivery is counted"
    assert {
        name: value
        for name, value in during.items()
        if "commit_to_socket" in name and "_count" in name and value > before[name]
    }


def test_ops_routes_move_to_their_own_address(start):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    node = start(ready=False, BELFRY_OPS_LISTEN=f"127.0.0.1:{port}")
    with Client(port) as ops:
        wait.until(lambda: ops.get("/readyz").status == 200, "ready at the ops address")
        ops.get("/healthz", expect=200)
        ops.get("/metrics", expect=200)
        assert ops.get("/api/mobile/channels", expect=404).reason == "NO_ROUTE"
    api = node if node.port != port else None
    if api:
        with node.client() as client:
            for path in ("/healthz", "/readyz", "/metrics"):
                assert client.get(path, expect=404).reason == "NO_ROUTE"
            client.get("/api/mobile/channels", expect=200)
    done = run("health", settings={"BELFRY_OPS_LISTEN": f"127.0.0.1:{port}", "BELFRY_JWT_SECRET": "x" * 40})
    assert done.returncode == 0, done.stderr


def test_logs_are_json_lines_without_secrets(start, fresh):
    node = start(fresh, BELFRY_LOG_LEVEL="debug")
    admin, person = Admin(node), Person(node)
    channel = admin.channel(discussion={})
    ticket = person.ticket()
    with Socket(node.port, query=f"?ticket={ticket}") as sock:
        sock.join_discussion(channel)
        person.says(channel, "words nobody should log")
        sock.next("discussion_message.created")
        sock.authenticate(person.token)
    person.get("/api/mobile/channels?token=hidden-in-a-query", expect=200)
    node.stop()
    node.gone = True
    lines = [line for line in node.lines if line]
    assert len(lines) > 3
    for line in lines:
        assert isinstance(json.loads(line), dict), line
    log = node.log()
    for secret in (
        person.token,
        admin.token,
        ticket,
        "words nobody should log",
        node.settings["BELFRY_JWT_SECRET"],
        person.token.split(".")[2],
        "hidden-in-a-query",
    ):
        assert secret not in log
