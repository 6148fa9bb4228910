"""Many clients that come back to one room: how often the log is read, how many statements one of them costs."""
from bench.row import Check, Row
from bench.statements import LOG_READ, calls, counted, of_clients


def since(setting, events):
    """The id of the event that has `events` after it in the first room."""
    rows = setting.postgres.query("belfry", f"""
        SELECT e.event_id FROM events e JOIN room_log r ON r.id = e.room_id
        WHERE r.kind = 2 AND r.key = {setting.first_thread} ORDER BY e.seq DESC OFFSET {events} LIMIT 1""")
    return rows[0][0] if rows else None


def come_back(setting, together, events):
    clients = setting.scaled(1000, 100)
    with setting.start("belfry") as server:
        room = {"rooms": setting.rooms(1), "admin_token": setting.admin}
        missing = since(setting, events) is None
        if missing:
            setting.load("create", server, 60, messages=events + 1, warm_up=0, writers=16, **room)
        position = since(setting, events)
        with counted(setting.postgres, "belfry") as statements:
            figures = setting.load("resume", server, 60, rooms=room["rooms"], tokens=setting.tokens, clients=clients, since=position, events=events,
                                   together=together)
        metrics = server.metrics()
    return figures, statements, metrics


def replay(setting):
    figures, statements, metrics = come_back(setting, "yes", 1000)
    return {**{f"belfry.{name}": value for name, value in figures.items()}, "log_reads": calls(statements, LOG_READ),
            "log_reads_metric": metrics.get("belfry_log_reads_total", 0) + metrics.get("belfry_refills_total", 0),
            "statements": [f"{count} {query[:160]}" for count, query in statements[:12]]}


def reconnect(setting):
    figures, statements, _ = come_back(setting, "no", 10)
    return {**{f"belfry.{name}": value for name, value in figures.items()}, "per_client": of_clients(statements) / figures["clients"],
            "statements": [f"{count} {query[:160]}" for count, query in statements[:12]]}


ROWS = (
    Row("replay", "replay of 1,000 events to 1,000 clients at once", replay,
        (Check("reads of the log", "log_reads", None, 10, 2),)),
    Row("reconnect", "1,000 clients of a hot room reconnect at once", reconnect,
        (Check("statements per client, barrier apart", "per_client", None, 0.05, 0.01),)),
)
