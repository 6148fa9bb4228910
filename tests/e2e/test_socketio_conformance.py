"""Engine.IO 4 and Socket.IO 5 as stock clients speak them: the scripts of tests/socketio against a node with echo handlers."""

import os
import pathlib
import subprocess
import sys

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "socketio"
SKIPPED = 77  # of run.py: there is no Node, or no registry
INTERVAL_MS = 300
# Long enough that a busy machine is not taken for a client that fell silent. The first script has cases that wait for it.
TIMEOUT_MS = {"protocol.js": 2000, "stock.js": 5000}
PLENTY = "100000"


@pytest.fixture
def echoing(start):
    """Starts a node for one of the scripts. What bounds clients is out of the way: hundreds of connections and events come at once."""

    def begin(script, **settings):
        return start(
            BELFRY_TEST_ECHO="1",
            BELFRY_SOCKETIO_PING_INTERVAL=f"{INTERVAL_MS}ms",
            BELFRY_SOCKETIO_PING_TIMEOUT=f"{TIMEOUT_MS[script]}ms",
            BELFRY_WS_HANDSHAKE_RATE=PLENTY,
            BELFRY_WS_COMMAND_BURST=PLENTY,
            BELFRY_WS_COMMAND_RATE=PLENTY,
            **settings,
        )

    return begin


def conforms(node, script):
    times = f"{INTERVAL_MS},{TIMEOUT_MS[script]}"
    command = [sys.executable, "-B", SCRIPTS / "run.py", script, f"http://127.0.0.1:{node.port}", "--times", times]
    done = subprocess.run(
        command, env=os.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=500, check=False,
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, f"{script} ended with {done.returncode}:\n{done.stdout}"
    assert node.ready()


@pytest.mark.parametrize("io_threads", ["1", "4"])
def test_the_protocols_are_spoken_as_they_are_written(echoing, io_threads):
    conforms(echoing("protocol.js", BELFRY_IO_THREADS=io_threads), "protocol.js")


@pytest.mark.parametrize("io_threads", ["1", "4"])
def test_stock_clients_find_what_they_expect(echoing, io_threads):
    conforms(echoing("stock.js", BELFRY_IO_THREADS=io_threads), "stock.js")
