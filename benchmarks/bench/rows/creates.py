"""Durable messages by 64 writers, in one room and over a hundred."""
from bench.row import Check, Row

WRITERS = 64
NODE_SHARE = 8


def write(setting, kind, rooms, messages):
    with setting.start(kind) as server:
        if server is None:
            return {}
        figures = setting.load("create", server, 60, rooms=setting.rooms(rooms), writers=WRITERS, messages=messages, admin_token=setting.admin)
    return {f"{kind}.{name}": value for name, value in figures.items()}


def measure_with(rooms):
    def measure(setting):
        count = min(rooms, setting.sizes["rooms"])
        messages = setting.scaled(20000, 1000)
        alone = setting.pgbench("create_message.sql", WRITERS, setting.scaled(5, 4), first_thread=setting.first_thread,
                                last_thread=setting.first_thread + count - 1)
        return {"postgres.per_s": alone, **write(setting, "belfry", count, messages), **write(setting, "node", count, messages // NODE_SHARE)}
    return measure


ROWS = (
    Row("create", "create message, 1 room, 64 writers", measure_with(1),
        (Check("messages a second / Node", "belfry.per_s", "node.per_s", 10, 20, low=False, unit="/s"),
         Check("messages a second / PostgreSQL, one transaction each", "belfry.per_s", "postgres.per_s", 5, 10, low=False, unit="/s"),
         Check("p99", "belfry.p99_ms", None, 15, 8, unit="ms"))),
    Row("create-rooms", "create message, 100 rooms, 64 writers", measure_with(100),
        (Check("messages a second / Node", "belfry.per_s", "node.per_s", 5, 8, low=False, unit="/s"),
         Check("p99", "belfry.p99_ms", None, 15, 8, unit="ms"))),
)
