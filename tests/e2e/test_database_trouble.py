"""The database has a bad day. Whatever happens: every request is answered in bounded time, 503 with Retry-After if it cannot be
served; what was acknowledged is there once, nothing else was delivered; and the node is ready again by itself within 5 s."""

import itertools
import os
import threading
import time

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
        wait.until(lambda: wire.planned() == 0, "all cuts were made", timeout=30)
    assert wire.cuts == {"before": 20, "after": 20}
    assert crowd.refusals == 0, "the outcome of each was learned"
    ready_again(crowd)
    crowd.check()
