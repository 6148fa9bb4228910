"""The end of a run: everybody at the head, the last state by every road, and the log."""

import time

from actors import Caller, read_page
from ledger import Ledger
from readers import Connection


def settle(world, readers, seconds):
    """Waits until what the readers have is what the log has."""
    ledger, begun = Ledger(world.fleet), time.monotonic_ns()

    def behind():
        found = []
        for reader in readers:
            connection = reader.connection
            for place, kind in reader.subscriptions:
                room = getattr(place, kind)
                if connection is None or room not in connection.joined:
                    found.append(f"{reader.name} is not in {room}")
                elif connection.heads.get(room) != ledger.heads.get(room):
                    found.append(f"{reader.name} is behind in {room}")
        return found

    while (left := behind()) and (at := time.monotonic_ns()) - begun < 1e9 * world.pulse.bound(seconds, begun, at):
        time.sleep(0.1)
    if left:
        world.failures.append(f"{len(left)} subscriptions are not at the head {seconds} s after the last write: {left[:3]}")
    return ledger


def last_word(world, readers, ledger):
    """Readers are stopped: their last state, everything by REST and by replay once more, and the log."""
    rec = world.rec
    for reader in readers:
        if reader.connection is not None:
            for room in list(reader.connection.joined):
                rec("settled", reader=reader.connection.name, user=reader.caller.user, room=room, at=time.monotonic_ns())
            reader.drop()
    judge = Caller(world, world.rng, user=world.member)
    replay(world, judge)
    for place in world.places:
        read_all(world, judge, place, "post", place.posts)
        read_all(world, judge, place, "message", place.messages)
    for place in world.vast[::10]:
        read_all(world, judge, place, "post", place.posts)
    judge.close()
    ledger.write(rec)
    placed = 0
    for access in rec.accesses():
        placed += ledger.place(access) and not access["may"]
        rec("access", **access)
        access.clear()  # an hour has many, some of them with the names of 500 rooms
    rec("tally", what="placed revocations", count=placed)


def replay(world, judge):
    """The whole log of each room, one page after the other."""
    connection = Connection(world, judge.user, judge.token, world.fleet.port(world.rng))
    world.stop.clear()
    for place in world.places:
        for kind in ("posts", "messages"):
            connection.send("sync", place, kind, limit=500)
            while connection._replies:  # each answer asks for the next page
                if not connection.read(60):
                    world.failures.append(f"no replay of {getattr(place, kind)} within 60 s")
                    return connection.close()
    return connection.close()


def read_all(world, judge, place, what, room):
    order, cursor = ("after", 0) if what == "post" else ("newest", None)
    while True:
        page = read_page(world, judge, place, what, order, cursor, 100)
        if page is None:
            world.failures.append(f"a page of {room} was refused at the end")
            return
        for item in page[0]:
            deleted = item["content"] is None
            world.rec("final", room=room, entity=item["entity"], deleted=deleted, content=item["content"])
        if not page[1]:
            return
        order, cursor = ("after" if what == "post" else "before"), page[0][-1]["entity"]
