"""What a server asked PostgreSQL, counted by PostgreSQL (pg_stat_statements, on only while it is needed)."""
import contextlib
import re

# Not caused by a client: the sweep, the heartbeat, presence and housekeeping. They run with nobody connected.
BACKGROUND = re.compile(r"commit_journal|pg_notify|LISTEN|pg_advisory|pg_try_advisory|pg_locks|pg_stat|pg_class|pg_inherits|schema_migrations|nodes|"
                        r"pg_is_in_recovery|set_config|idempotency_keys|ws_tickets WHERE", re.IGNORECASE)
# What a barrier asks: the time, and heads of rooms. Other jobs ask that too, so only as many are taken off as there were barriers.
BARRIER = (re.compile(r"^SELECT \(extract\(\S+ FROM clock_timestamp"), re.compile(r"^SELECT r\.kind, r\.key, r\.id, r\.last_seq\b(?!.*\boldest\b)"))
LOG_READ = re.compile(r"\bFROM events\b.*\bpayload\b|\bpayload\b.*\bFROM events\b", re.IGNORECASE | re.DOTALL)


@contextlib.contextmanager
def timed(postgres, database):
    """Yields a list that holds (calls, milliseconds of all of them, query) afterwards."""
    def track(what):
        postgres.query("postgres", f"ALTER SYSTEM SET pg_stat_statements.track = '{what}'")
        postgres.query("postgres", "SELECT pg_reload_conf()")

    statements = []
    track("top")
    postgres.query(database, "SELECT pg_stat_statements_reset()")
    try:
        yield statements
        rows = postgres.query(database, "SELECT calls, total_exec_time, regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements s "
                                        "JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() ORDER BY calls DESC")
        statements += [(int(calls), float(spent), query) for calls, spent, query in rows]
    finally:
        track("none")


@contextlib.contextmanager
def logged(postgres, application):
    """Yields a function that returns (milliseconds, statement's first line) of what that application ran since. By PostgreSQL's own log, which counts
    the commit of a statement that is a transaction of its own; the cluster needs LOGGED."""
    def log(least):
        postgres.query("postgres", f"ALTER SYSTEM SET log_min_duration_statement = {least}")
        postgres.query("postgres", "SELECT pg_reload_conf()")

    line = re.compile(rf"^{re.escape(application)} LOG:  duration: ([0-9.]+) ms  [^:]*: (.*)$", re.MULTILINE)
    path = postgres.folder / "log"
    begin = path.stat().st_size

    def found():
        with open(path, "rb") as file:
            file.seek(begin)
            return [(float(spent), statement) for spent, statement in line.findall(file.read().decode(errors="replace"))]

    log(0)
    try:
        yield found
    finally:
        log(-1)


LOGGED = {"log_line_prefix": "%a "}


@contextlib.contextmanager
def counted(postgres, database):
    """Yields a list that holds (calls, query) afterwards."""
    statements = []
    with timed(postgres, database) as found:
        yield statements
    statements += [(calls, query) for calls, _, query in found]


def calls(statements, pattern):
    return sum(count for count, query in statements if pattern.search(query))


def of_clients(statements, barriers):
    """What is left when the background and that many barriers are taken off."""
    total = sum(count for count, query in statements if not BACKGROUND.search(query))
    return total - sum(min(barriers, calls(statements, pattern)) for pattern in BARRIER)
