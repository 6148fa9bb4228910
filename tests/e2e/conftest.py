"""Fixtures of the end-to-end tests: one PostgreSQL cluster per run, one migrated database per module, servers on free ports."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from support import nats as messages  # noqa: E402
from support import record, ws  # noqa: E402
from support.node import Node, new_database  # noqa: E402
from support.postgres import Cluster  # noqa: E402
from support.world import Admin  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes seconds because the behaviour itself does")
    # What a thread of a test finds is the test's finding.
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")


def pytest_sessionfinish(session):
    folder = os.environ.get("BELFRY_E2E_COVERAGE")
    if folder:
        modules = {item.module.__name__ for item in session.items}
        if len(modules) == 1 and "test_zz_coverage" not in modules:
            record.save(folder, modules.pop())


@pytest.fixture(scope="session")
def cluster():
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.destroy()


@pytest.fixture
def bus(request):
    """By parameter: the URL of a NATS server of the test's own for `nats`, else the name itself."""
    if request.param != "nats":
        yield request.param
        return
    if messages.binary() is None:
        raise RuntimeError("nats-server is missing: scripts/packages install test")
    server = messages.NatsServer().start()
    yield server.url
    server.destroy()


@pytest.fixture(autouse=True)
def contract_kept():
    """Whatever a test is about: no answer and no frame during it may differ from the documents."""
    record.drain()
    yield
    ws.close_all()
    found = record.drain()
    assert not found, "differs from the documents:\n" + "\n".join(found)


@pytest.fixture(scope="module")
def database(cluster):
    return new_database(cluster)


def _stop_all(nodes):
    failures = []
    for node in nodes:
        try:
            node.stop()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="module")
def pair(database):
    """Two servers on one database, with the bus that is the default."""
    nodes = []
    try:
        for _ in range(2):
            nodes.append(Node(database))
        for node in nodes:
            node.wait_ready()
        yield nodes
    finally:
        _stop_all(nodes)


@pytest.fixture(scope="module")
def node(pair):
    return pair[0]


@pytest.fixture(scope="module")
def admin(node):
    return Admin(node)


@pytest.fixture
def start(database):
    """Starts further servers, with settings; they are stopped, and looked at, when the test ends."""
    nodes = []

    def begin(url=None, ready=True, **settings):
        made = Node(url or database, **settings)
        nodes.append(made)
        return made.wait_ready() if ready else made

    yield begin
    _stop_all([made for made in nodes if not getattr(made, "gone", False)])


@pytest.fixture
def fresh(cluster):
    """A migrated database of the test's own."""
    return new_database(cluster)
