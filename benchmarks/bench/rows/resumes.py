"""Many clients that come back to one room: how often the log is read, how many statements one of them costs."""
from bench.row import Check, Row
from bench.statements import LOG_READ, calls, counted, of_clients


def since(setting, events):
    """The id of the event that has `events` after it in the first room; none when there are not that many."""
    rows = setting.postgres.query("belfry", f"""
        SELECT e.event_id FROM events e JOIN room_log r ON r.id = e.room_id
        WHERE r.kind = 2 AND r.key = {setting.first_thread} ORDER BY e.seq DESC OFFSET {events} LIMIT 1""")
    return rows[0][0] if rows else None


def come_back(setting, together, events):
    """All of them were there before, so that each is known; then they come again, and that is counted."""
    with setting.start("belfry") as server:
        rooms = setting.rooms(1)
        if since(setting, events) is None:
            setting.load("create", server, 60, rooms=rooms, admin_token=setting.admin, messages=events + 1, warm_up=0, writers=16)
        options = {"rooms": rooms, "tokens": setting.tokens, "clients": setting.scaled(1000, 100), "since": since(setting, events),
                   "events": events}
        setting.load("resume", server, 120, together="no", joins_under_way=64, **options)
        before = server.metrics()
        with counted(setting.postgres, "belfry") as statements:
            figures = setting.load("resume", server, 120, together=together, **options)
        after = server.metrics()
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    sample = {f"belfry.{name}": value for name, value in figures.items()}
    sample["log_reads"] = calls(statements, LOG_READ)
    sample["barriers"] = grown.get("belfry_barriers_total", 0)
    sample["per_client"] = of_clients(statements, sample["barriers"]) / figures["clients"]
    sample["statements"] = [f"{count} {query[:200]}" for count, query in statements[:15]]
    return sample


def replay(setting):
    return come_back(setting, "yes", setting.scaled(1000, 100))


def reconnect(setting):
    return come_back(setting, "no", 10)


ROWS = (
    Row("replay", "replay of 1,000 events to 1,000 clients at once", replay,
        (Check("reads of the log", "log_reads", None, 10, 2),)),
    Row("reconnect", "1,000 clients of a hot room reconnect at once", reconnect,
        (Check("statements per client, barrier apart", "per_client", None, 0.05, 0.01),)),
)
