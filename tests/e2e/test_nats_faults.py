"""NATS with bad days: what is lost, doubled, late, cut off or of a lost history costs time, never an event."""

import concurrent.futures
import signal
import subprocess
import time

import pytest

from support import wait
from support.lines import Line, NatsLine
from support.nats import NatsServer
from support.node import new_database
from support.postgres import Cluster
from support.world import Admin, Person

from test_nats import LATEST, both_alive, metric, mostly_within_a_second, servers  # noqa: F401


@pytest.fixture
def lines():
    made = []

    def begin(kind, *arguments, **options):
        made.append(kind(*arguments, **options))
        return made[-1]

    yield begin
    for line in made:
        line.close()


def arrives(sock, event, wanted):
    """The next event must be this one, and in time. How long it took."""
    begun = time.monotonic()
    frame = sock.next(event, timeout=LATEST)
    assert frame["data"]["data"]["id"] == wanted
    return time.monotonic() - begun


def test_messages_lost_doubled_and_turned_cost_no_event(start, fresh, servers, lines):
    nats = servers()
    line = lines(NatsLine, nats, seed=7, loss=0.1, twice=0.2, late=0.2)
    near, far = start(fresh, BELFRY_BUS=nats.url), start(fresh, BELFRY_BUS=line.url)
    both_alive([near, far])
    admin = Admin(near)
    channel = admin.channel(discussion={})
    with Person(far).socket() as posts, Person(far).socket() as talk:
        posts.join_posts(channel)
        talk.join_discussion(channel)
        delays = []
        for number in range(60):
            made = admin.publish(channel, f"Note {number}")
            delays.append(arrives(posts, "channel_post.created", made["id"]))
        mostly_within_a_second(delays)
        # And many at once, from many.
        people = [Person(near) for _ in range(8)]

        def burst(person):
            return [person.says(channel, f"{person.id} {number}").data["id"] for number in range(25)]

        with concurrent.futures.ThreadPoolExecutor(len(people)) as pool:
            said = [one for made in pool.map(burst, people) for one in made]
        heard = [talk.next("discussion_message.created", timeout=LATEST)["data"]["data"]["id"] for _ in said]
        assert heard == sorted(said, key=int), "each once, in order"
        assert posts.pending() == [] and talk.pending() == []
    assert line.lost and line.doubled and line.turned, "the line did what it was for"
    assert metric(far, "belfry_hints_delivered_total") > 0 and metric(far, "belfry_hints_read_total") > 0


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_a_bus_that_falls_silent_for_one_node(start, fresh, servers, lines, how):
    nats = servers()
    line = lines(NatsLine, nats)
    near, far = start(fresh, BELFRY_BUS=nats.url), start(fresh, BELFRY_BUS=line.url)
    both_alive([near, far])
    admin = Admin(near)
    channel = admin.channel()
    with Person(far).socket() as sock:
        sock.join_posts(channel)
        # Silent: heartbeats come back and hints do not, which only the sweep can know.
        (line.cut if how == "cut" else line.hold)()
        delays = [
            arrives(sock, "channel_post.created", admin.publish(channel, f"Note {number}")["id"])
            for number in range(15)
        ]
        mostly_within_a_second(delays)
        (line.heal if how == "cut" else line.release)()
        both_alive([near, far], timeout=30)
        direct = metric(far, "belfry_hints_delivered_total")
        for number in range(10):
            arrives(sock, "channel_post.created", admin.publish(channel, f"After {number}")["id"])
        assert metric(far, "belfry_hints_delivered_total") > direct
        assert sock.pending() == []


def test_a_partition_between_two_servers_of_a_cluster(start, fresh, servers, lines):
    first = servers()
    route = lines(Line, first.cluster)
    second = servers(routes=[route])
    wait.until(lambda: first.about("routez")["num_routes"] and second.about("routez")["num_routes"], "one cluster")
    near, far = start(fresh, BELFRY_BUS=first.url), start(fresh, BELFRY_BUS=second.url)
    both_alive([near, far])
    admin = Admin(near)
    channel, late = admin.channel(), admin.channel()
    with Person(far).socket() as sock:
        sock.join_posts(channel)
        # The other server learns of the interest in a moment.
        wait.until(lambda: heard_directly(admin, channel, sock, far), "hints cross the route")
        route.cut()
        direct = metric(far, "belfry_hints_delivered_total")
        sock.join_posts(late)
        delays = []
        for number in range(15):
            for room in (channel, late):
                delays.append(arrives(sock, "channel_post.created", admin.publish(room, f"Apart {number}")["id"]))
        mostly_within_a_second(delays)
        assert metric(far, "belfry_hints_delivered_total") == direct, "nothing crossed"
        route.heal()  # what lay in the line arrives now: old
        wait.until(lambda: heard_directly(admin, channel, sock, far), "hints cross the route again", timeout=30)
        assert sock.pending() == []
        assert len(sock.sync_posts(late, limit=100)["events"]) == 15
    assert not any("forked" in node.log() for node in (near, far))


def heard_directly(admin, channel, sock, node):
    before = metric(node, "belfry_hints_delivered_total")
    arrives(sock, "channel_post.created", admin.publish(channel, "Do you hear me?")["id"])
    return metric(node, "belfry_hints_delivered_total") > before


def test_a_node_is_sent_only_what_it_reads(start, fresh, servers, lines):
    nats = servers()
    line = lines(NatsLine, nats)
    near, far = start(fresh, BELFRY_BUS=nats.url), start(fresh, BELFRY_BUS=line.url)
    both_alive([near, far])
    admin = Admin(near)
    channel, other = admin.channel(), admin.channel()
    admin.publish(channel, "unread")
    assert line.seen == []
    with Person(far).socket() as sock:
        sock.join_posts(channel)
        for number in range(5):
            admin.publish(other, f"elsewhere {number}")
            arrives(sock, "channel_post.created", admin.publish(channel, f"here {number}")["id"])
        # What a sweep found first is said nevertheless, a moment later.
        wait.until(lambda: len(line.seen) >= 5, "each was said")
        assert all(subject.endswith(f".room.1.{channel}") for subject in line.seen)
        count = len(line.seen)
        made = Admin(far).publish(channel, "its own")
        arrives(sock, "channel_post.created", made["id"])
        # Behind a message of another's, an echo would have come.
        arrives(sock, "channel_post.created", admin.publish(channel, "another's")["id"])
        wait.until(lambda: len(line.seen) > count, "it was said")
        assert len(line.seen) == count + 1, "no echo"


def test_who_joined_hears_from_then_on_however_long_subscribing_takes(start, fresh, servers, lines):
    nats = servers()
    line = lines(NatsLine, nats, subscribing=0.05)
    near, far = start(fresh, BELFRY_BUS=nats.url), start(fresh, BELFRY_BUS=line.url)
    both_alive([near, far])
    admin = Admin(near)
    rooms = [admin.channel() for _ in range(8)]
    with Person(far).socket() as sock:
        for channel in rooms:
            sock.join_posts(channel)
            arrives(sock, "channel_post.created", admin.publish(channel, "just after")["id"])
    # All of them, if the machine is not so slow that a node does not wait any longer.
    wait.until(lambda: len(line.seen) >= 5, "hints of what was written behind the join")


@pytest.fixture
def own_cluster():
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.destroy()


def as_postgres(cluster, *command):
    subprocess.run([*cluster._prefix, *command], check=True, timeout=60)


def test_a_hint_of_a_lost_history_is_no_event(own_cluster, start, servers, lines):
    """The standby that is promoted never had the last post. Its hint fits in every number, and comes afterwards."""
    cluster = own_cluster
    database = new_database(cluster)
    nats = servers()
    line = lines(NatsLine, nats)
    near, far = start(database, BELFRY_BUS=nats.url), start(database, BELFRY_BUS=line.url)
    both_alive([near, far])
    admin = Admin(near)
    channel, other = admin.channel(), admin.channel()
    with Person(far).socket() as sock:
        sock.join_posts(channel)
        sock.join_posts(other)
        arrives(sock, "channel_post.created", admin.publish(channel, "kept")["id"])
        cluster.stop()
        as_postgres(cluster, "cp", "-a", cluster.data, cluster.data + ".standby")
        cluster.start()
        near.wait_ready(), far.wait_ready()
        both_alive([near, far])
        line.hold()
        far.process.send_signal(signal.SIGSTOP)
        lost = admin.publish(channel, "lost with the tail")["id"]
        # The line takes it while the node stands still.
        wait.until(line.held, "the hint is on its way")
        cluster.stop(signal.SIGQUIT)
        as_postgres(cluster, "mv", cluster.data, cluster.data + ".old")
        as_postgres(cluster, "mv", cluster.data + ".standby", cluster.data)
        as_postgres(cluster, "touch", cluster.data + "/standby.signal")
        cluster.start()
        cluster.sql("postgres", "SELECT pg_promote()")
        far.process.send_signal(signal.SIGCONT)
        near.wait_ready(timeout=30), far.wait_ready(timeout=30)
        swept = metric(far, "belfry_sweeps_total")
        wait.until(lambda: metric(far, "belfry_sweeps_total") >= swept + 3, "the node has looked at its positions")
        read = metric(far, "belfry_hints_read_total")
        line.release()
        wait.until(lambda: metric(far, "belfry_hints_read_total") > read, "the hint arrived, and was not believed")
        made = wait.until(lambda: admin.publish(channel, "the other history")["id"], "writing goes on")
        arrives(sock, "channel_post.created", made)
        assert sock.pending() == []
        created = [f["data"]["data"]["id"] for f in sock.frames if f.get("event", "").endswith("channel_post.created")]
        assert len(created) == 2, f"kept, and of the other history; {lost} was lost"
        assert not any("forked" in node.log() for node in (near, far))
