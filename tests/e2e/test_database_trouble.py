"""The database has a bad day. Whatever happens: every request is answered in bounded time, 503 with Retry-After if it cannot be
served; what was acknowledged is there once, nothing else was delivered; and the node is ready again by itself within 5 s."""

import itertools
import os
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import wait
from support.crowd import PATIENCE, Crowd, ready_again, refused_properly, serves, timed
from support.node import migrate, new_database
from support.parallel import in_parallel
from support.trouble import DurableCluster, Holder, SmallDisk, Standby, Wire, path_for
from support.world import Admin, Person, new_id


@pytest.fixture
def durable():
    made = DurableCluster()
    try:
        made.start()
        yield made
    finally:
        made.destroy()


@pytest.fixture
def wire(cluster):
    made = Wire(cluster)
    yield made
    made.close()


def name_in(url):
    return url.split("dbname=")[1].split()[0]


def test_restarts_as_after_a_crash(start, durable):
    url = new_database(durable)
    nodes = [start(url), start(url)]
    with Crowd(nodes) as crowd:
        for _ in range(2):
            crowd.goes_on()
            durable.crash()
            crowd.is_refused()
            wait.until(lambda: not any(node.ready() for node in nodes), "no node is ready", timeout=5)
            durable.start()
            ready_again(crowd)
        crowd.goes_on()
    crowd.check()


def test_connections_cut_exactly_at_commit(start, cluster, wire):
    name = name_in(new_database(cluster))
    node = start(wire.url(name))
    with Crowd([node]) as crowd:
        crowd.goes_on(10)
        wire.plan(itertools.islice(itertools.cycle(["before", None, "after", None, None]), 100))
        wait.until(lambda: wire.planned() == 0 and sum(wire.cuts.values()) == 40, "all cuts were made", timeout=30)
    assert wire.cuts == {"before": 20, "after": 20}
    assert crowd.refusals == 0, "the outcome of each was learned"
    ready_again(crowd)
    crowd.check()


def test_an_outcome_that_cannot_be_learned_is_503_and_a_retry_finds_it(start, durable):
    wire = Wire(durable)
    try:
        node = start(wire.url(name_in(new_database(durable))))
        with Crowd([node], channels=1, writers=0) as crowd, Admin(node) as admin:
            room, text = crowd.rooms[0], new_id()
            gone = threading.Event()

            def crash():
                durable.crash()
                gone.set()

            wire.plan(["after"], on_cut=crash)
            answer, seconds = timed(lambda: room.write(admin, text))
            refused_properly(answer, seconds)
            assert wire.cuts["after"] == 1
            assert gone.wait(timeout=40), "a slow machine answers before the server is gone"
            durable.start()
            ready_again(crowd)
            again = room.write(admin, text)
            assert again.status in (200, 201)
            crowd.acknowledged[text] = (room, again.data["id"])
        crowd.check()
    finally:
        wire.close()


def others_keep_working(crowd, stuck, seconds):
    """For that long, whoever writes to the rooms in `stuck` is refused in time, and all other rooms are served."""
    node, until = crowd.nodes[0], time.monotonic() + seconds
    free = [room for room in crowd.rooms if room not in stuck]
    served, slowest, done = 0, 0.0, threading.Event()

    def press(index):
        with Admin(node) as admin:
            room = stuck[index % len(stuck)]
            while not done.is_set():
                text = new_id()
                answer, taken = timed(lambda: room.write(admin, text))
                refused_properly(answer, taken)
                crowd.unknown.add(text)

    pressure = [threading.Thread(target=press, args=(index,), daemon=True) for index in range(12)]
    for thread in pressure:
        thread.start()
    try:
        with Admin(node) as admin:
            while time.monotonic() < until or served < 10:
                for room in free:
                    answer, taken = timed(lambda room=room: crowd.write(admin, room))
                    assert answer.status == 201, answer
                    served, slowest = served + 1, max(slowest, taken)
                timed(admin.ticket)
                for room in crowd.rooms:
                    (admin.posts if room.posts else admin.messages)(room.channel)
    finally:
        done.set()
    for thread in pressure:
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive()
    assert slowest < PATIENCE / 2, f"{served} writes elsewhere, the slowest took {slowest:.2f} s"


@pytest.mark.parametrize("posts", [False, True])
def test_a_room_that_somebody_keeps_locked_costs_only_itself(start, fresh, cluster, posts):
    """BELFRY_E2E_LONG_LOCK=1: for a minute; else as long as it takes to see it."""
    seconds = 60 if os.environ.get("BELFRY_E2E_LONG_LOCK") else 3
    node = start(fresh)
    with Crowd([node], writers=0) as crowd:
        stuck = [room for room in crowd.rooms if room.posts == posts][:1]
        kind = 1 if posts else 2
        statement = f"SELECT FROM room_log WHERE kind = {kind} ORDER BY id LIMIT 1 FOR UPDATE"
        with Holder(cluster, name_in(fresh), statement):
            others_keep_working(crowd, stuck, seconds)
            assert node.ready()
        serves(crowd, node)
    crowd.check()


def test_a_table_that_somebody_keeps_locked(start, cluster):
    tables = ["posts, messages", "room_log", "commit_journal", "events", "users"]
    nodes = [start(new_database(cluster)) for _ in tables]

    def one(index):
        node = nodes[index]
        with Crowd([node], channels=1, writers=0) as crowd:
            database = name_in(node.settings["BELFRY_DATABASE_URL"])
            with Holder(cluster, database, f"LOCK TABLE {tables[index]} IN ACCESS EXCLUSIVE MODE"):
                statuses = in_parallel(6, lambda number: use(crowd, number))
                assert 503 in statuses, f"somebody needed {tables[index]}"
                assert node.ready()
            serves(crowd, node)
        crowd.check()

    in_parallel(len(tables), one)


def use(crowd, number):
    """A write or a read by somebody new; its status."""
    room = crowd.rooms[number % 2]
    with Admin(crowd.nodes[0]) as admin:
        if number % 3 < 2:
            text = new_id()
            crowd.unknown.add(text)
            answer, seconds = timed(lambda: room.write(admin, text))
        else:
            read = admin.posts if room.posts else admin.messages
            answer, seconds = timed(lambda: read(room.channel, expect=None))
    if answer.status not in (200, 201):
        refused_properly(answer, seconds)
    return answer.status


SLEEPY = """
CREATE FUNCTION sleepy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.schema > 0 AND NEW.payload::text LIKE '%sleepy%' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$;
CREATE TRIGGER sleepy BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION sleepy();
"""


def test_statements_that_do_not_end(start, fresh, cluster):
    node = start(fresh)
    cluster.sql(name_in(fresh), SLEEPY)
    with Crowd([node], writers=0) as crowd:

        def write(index):
            with Admin(node) as admin:
                room, text = crowd.rooms[index], f"sleepy-{index}"
                crowd.unknown.add(text)
                answer, seconds = timed(lambda: room.write(admin, text))
                refused_properly(answer, seconds)
                assert seconds > 1, "it was tried"

        with Person(node) as person:
            sleepers = [threading.Thread(target=write, args=(index,), daemon=True) for index in range(2)]
            for thread in sleepers:
                thread.start()
            with Admin(node) as admin:
                answer, seconds = timed(lambda: crowd.write(admin, crowd.rooms[3]))
                assert answer.status == 201 and seconds < 3, "another room's posts wait for none of that"
            for room in crowd.rooms:
                (person.posts if room.posts else person.messages)(room.channel)
            for thread in sleepers:
                thread.join(timeout=PATIENCE)
                assert not thread.is_alive()
        assert node.ready()
        serves(crowd, node)
    crowd.check()
    assert not any("sleepy" in text for text in crowd.acknowledged)


def test_no_connections_left(start, durable):
    durable.sql("postgres", "CREATE ROLE clerk LOGIN")
    durable.sql("postgres", "CREATE DATABASE small OWNER clerk")
    url = f"host={durable.sockets} dbname=small user=clerk"
    migrate(url)
    node = start(url)

    def connections(condition="true"):
        return int(durable.sql("postgres", f"SELECT count(*) FROM pg_stat_activity WHERE usename = 'clerk' AND {condition}")[0][0])

    def terminate(condition):
        durable.sql("postgres", f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'clerk' AND {condition}")

    wait.until(lambda: connections("application_name = 'belfry'") == 8, "all threads have their connection")
    with Crowd([node], writers=0) as crowd:
        # Two threads lose theirs and get no other.
        durable.sql("postgres", f"ALTER ROLE clerk CONNECTION LIMIT {connections() - 2}")
        terminate("pid IN (SELECT pid FROM pg_stat_activity WHERE application_name = 'belfry' LIMIT 2)")
        for _ in range(5):
            serves(crowd, node)
        assert crowd.refusals == 0, "the others do the work"
        # Nobody has one.
        durable.sql("postgres", "ALTER ROLE clerk CONNECTION LIMIT 0")
        terminate("true")
        wait.until(lambda: not node.ready(), "not ready", timeout=5)
        with Admin(node) as admin:
            for room in crowd.rooms:
                text = new_id()
                refused_properly(*timed(lambda: room.write(admin, text)))
                refused_properly(*timed(lambda: admin.posts(room.channel, expect=None)))
        durable.sql("postgres", "ALTER ROLE clerk CONNECTION LIMIT -1")
        ready_again(crowd)
        wait.until(lambda: connections("application_name = 'belfry'") == 8, "all threads have a connection again")
    crowd.check()


@pytest.fixture
def small_disk():
    disk = SmallDisk(64)
    if not disk.mounted:
        disk.remove()
        pytest.skip("mounting a small tmpfs is refused here: a full disk cannot be tried")
    yield disk
    disk.remove()


def test_a_full_disk(start, durable, small_disk):
    place = path_for(durable, small_disk.folder, "tables")
    durable.sql("postgres", f"CREATE TABLESPACE small LOCATION '{place}'")
    durable.sql("postgres", "CREATE DATABASE small TABLESPACE small")
    url = durable.url("small")
    migrate(url)
    node = start(url)
    with Crowd([node]) as crowd:
        crowd.goes_on(20)
        small_disk.fill()
        crowd.is_refused(timeout=30)
        assert node.ready(), "it can still be read"
        with Person(node) as person:
            for room in crowd.rooms:
                (person.posts if room.posts else person.messages)(room.channel)
        small_disk.free()
        ready_again(crowd)
        crowd.goes_on(20)
    crowd.check()


def test_a_full_disk_under_the_write_ahead_log(start, durable, small_disk):
    durable.stop()
    place, log = path_for(durable, small_disk.folder, "wal"), os.path.join(durable.data, "pg_wal")
    subprocess.run(["cp", "-a", log + "/.", place], check=True)  # with their owner
    shutil.rmtree(log)
    os.symlink(place, log)
    durable.start()
    url = new_database(durable)
    node = start(url)
    with Crowd([node]) as crowd:
        crowd.goes_on(20)
        small_disk.fill()

        def full():
            try:
                durable.sql("postgres", "SELECT pg_switch_wal()")
            except subprocess.CalledProcessError:
                return True

        wait.until(full, "there is no room for another segment", timeout=30)
        crowd.is_refused()
        small_disk.free()
        if not wait_ended(durable):
            durable.stop()
        durable.start()
        ready_again(crowd)
        crowd.goes_on(20)
    crowd.check()


def wait_ended(cluster):
    """PostgreSQL that cannot write its log ends by itself, or tries to start over."""
    try:
        return wait.until(cluster.ended, "it ended", timeout=2)
    except AssertionError:
        return False


@pytest.fixture
def copied(durable):
    """A primary and a standby that streams from it."""
    standby = Standby(durable)
    try:
        yield durable, standby
    finally:
        standby.destroy()


def caught_up(primary, standby):
    end = primary.sql("postgres", "SELECT pg_current_wal_lsn()")[0][0]
    wait.until(
        lambda: standby.sql("postgres", f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == [["t"]], "the standby has it all"
    )


def test_a_promoted_standby_that_lost_the_tail(start, copied):
    primary, standby = copied
    url = new_database(primary)
    both = url.replace(f"host={primary.sockets}", f"host={primary.sockets},{standby.sockets}")
    nodes = [start(both), start(both)]
    with Crowd(nodes, writers=0) as crowd, Admin(nodes[0]) as admin:
        kept, lost = crowd.rooms[:2], crowd.rooms[2:]
        for room in crowd.rooms:
            for _ in range(3):
                assert crowd.write(admin, room).status == 201
        gated, key = admin.gated()
        vip = Person(nodes[1])
        vip_socket = vip.socket()
        admin.grant(vip, key)
        vip_socket.join_posts(gated)
        caught_up(primary, standby)
        standby.stop_receiving(primary)
        # The tail: events of two rooms, a channel of its own, and the end of somebody's right.
        tails = [[room.write(admin, new_id()).data["id"] for _ in range(4)] for room in lost]
        heads = [reader_has(room, crowd.sockets, tail) for room, tail in zip(lost, tails)]
        young = admin.channel(discussion={})
        with admin.socket() as sock:
            sock.join_discussion(young)
        admin.revoke(vip, key)
        vip_socket.until("communication:room_left")
        primary.crash()
        wait.until(lambda: not any(node.ready() for node in nodes), "no node is ready", timeout=5)
        standby.promote()
        ready_within(nodes, 5)

        for sock in crowd.sockets:
            left = [sock.until("communication:room_left") for _ in lost]
            assert {frame["data"]["reason"] for frame in left} == {"SERVICE_UNAVAILABLE"}
            for room, head in zip(lost, heads):
                last = room.join(sock)["lastEventId"]
                assert last < head, "what the standby never had is gone"
                _, gap = room.sync(sock, head)
                assert gap, "who saw it is told so"
        # The right that was taken away in the tail is back, here as in the database.
        vip_socket.join_posts(gated)
        # As many events as were lost, and more: hubs that stayed ahead would keep them to themselves.
        marks = [len(sock.frames) for sock in crowd.sockets]
        for room in crowd.rooms:
            for node in nodes + nodes + nodes:
                with admin.on(node) as writer:
                    assert crowd.write(writer, room).status == 201
        for room, head in zip(lost, heads):
            log, _ = room.sync(crowd.sockets[0])
            assert [event["eventId"] for event in log] == sorted({event["eventId"] for event in log})
            assert log[-1]["eventId"] > head, "ids stay above those of the lost history"
        for room in crowd.rooms:
            made = {entity for where, entity in crowd.acknowledged.values() if where is room}
            for sock, mark in zip(crowd.sockets, marks):
                wait.until(lambda: len(live(room, sock, mark)) >= 6, "delivered live")
                assert len(live(room, sock, mark)) == 6 and set(live(room, sock, mark)) <= made
        # Ids of the lost channel and discussion go to others; nobody remembers what they were.
        again = admin.channel(discussion={})
        for node in nodes:
            with admin.on(node).socket() as sock:
                sock.join_discussion(again)
        assert sum("room_left" in frame.get("event", "") for sock in crowd.sockets for frame in sock.frames) == len(
            lost
        ) * len(nodes), "the other rooms go on"
        for sock in crowd.sockets:
            for room in kept:
                assert room.has(sock.frames[-1]) or live(room, sock, mark)


def live(room, sock, mark=0):
    return [frame["data"]["data"]["id"] for frame in list(sock.frames)[mark:] if room.has(frame)]


def reader_has(room, sockets, entities):
    """Waits until all have the events of these; the id of the last."""
    for sock in sockets:
        wait.until(lambda sock=sock: live(room, sock)[-len(entities) :] == entities, "the tail is delivered")
    return [frame for frame in sockets[0].frames if room.has(frame)][-1]["data"]["eventId"]


def ready_within(nodes, seconds):
    begun = time.monotonic()
    for node in nodes:
        wait.until(node.ready, "ready", timeout=max(0.1, seconds - (time.monotonic() - begun)), every=0.02)


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def waiting(primary):
    return primary.sql("postgres", WAITING)


def test_a_synchronous_standby_that_is_away(start, copied):
    """A commit that waits for its copy in vain is not acknowledged, since the next failover could take it back."""
    primary, standby = copied
    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.sql("postgres", "SELECT pg_reload_conf()")
    node = start(new_database(primary))
    with Crowd([node], channels=1, writers=0) as crowd:
        known = Admin(node)
        assert crowd.write(known, crowd.rooms[0]).status == 201
        receiver = int(standby.sql("postgres", "SELECT pid FROM pg_stat_wal_receiver")[0][0])
        os.kill(receiver, signal.SIGSTOP)
        try:
            with Admin(node) as admin:

                def write(index):
                    with known.on(node) as writer:
                        text = new_id()
                        crowd.unknown.add(text)
                        if index == 2:
                            refused_properly(*timed(lambda: writer.post("/api/mobile/ws-tickets")))
                        else:
                            refused_properly(*timed(lambda: crowd.rooms[index].write(writer, text)))

                # Two whose wait somebody cancels, which PostgreSQL turns into a warning; one that waits as long as it may.
                with ThreadPoolExecutor(3) as pool:
                    writes = [pool.submit(write, index) for index in range(2)]
                    wait.until(lambda: len(waiting(primary)) >= 2, "both wait for the standby")
                    primary.sql("postgres", f"SELECT pg_cancel_backend(pid) FROM ({WAITING}) AS w")
                    for done in [*writes, pool.submit(write, 2)]:
                        done.result(timeout=2 * PATIENCE)
                for room in crowd.rooms:
                    (admin.posts if room.posts else admin.messages)(room.channel)
            assert node.ready()
            wait.until(lambda: "canceling wait for synchronous replication" in node.log(), "the log has the server's words")
        finally:
            os.kill(receiver, signal.SIGCONT)
        wait.until(lambda: Standby.streams(primary), "the standby streams")
        serves(crowd, node)
    crowd.check()
