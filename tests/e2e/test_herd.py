"""Many who come at once."""

import signal
from concurrent.futures import ThreadPoolExecutor

from support import ws
from support.http import Client
from support.tokens import token
from support.world import Admin, new_id

HERD = 1000
ROOM = "communication:join_channel_posts"


def statements(node):
    for line in Client(node.port).get("/metrics", expect=200).text.splitlines():
        if line.startswith("belfry_database_statements_total "):
            return int(float(line.split()[1]))
    raise AssertionError("no such metric")


def test_a_thousand_who_were_never_seen_join_with_few_statements(start, cluster, fresh):
    node = start(fresh)
    channel = Admin(node).channel()
    people = [new_id() for _ in range(HERD)]
    with ThreadPoolExecutor(16) as pool:
        sockets = list(pool.map(lambda who: ws.Socket(node.port, token=token(who, None, 3600)), people))
    before = statements(node)
    # All at once, however slowly this process sends: nothing is read before everything is there.
    node.process.send_signal(signal.SIGSTOP)
    try:
        ws.send_to_all(sockets, {"id": "j", "event": ROOM, "data": {"channelId": channel}})
    finally:
        node.process.send_signal(signal.SIGCONT)
    for sock in sockets:
        assert sock.reply("j", timeout=30)["ok"]
    spent = statements(node) - before
    # Each alone: an introduction, BEGIN, what decides, COMMIT. How many share them depends on how fast they are read.
    assert spent <= 0.3 * HERD, spent
    database = next(part for part in fresh.split() if part.startswith("dbname=")).removeprefix("dbname=")
    assert int(cluster.sql(database, "SELECT count(*) FROM users")[0][0]) >= HERD
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ws.Socket.close, sockets))
