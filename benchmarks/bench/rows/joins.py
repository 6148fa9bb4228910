"""Connecting, authenticating and joining: what it costs, how fast it goes, what a connection keeps."""
from bench.row import Check, Row
from bench.rows.fanout import deliver


def measure(setting):
    clients = setting.scaled(5000, 300)
    samples = {}
    for kind, count in (("belfry", clients), ("node", min(clients, 2000))):
        figures = deliver(setting, kind, 1, count, 1, 0, creates=0, joins_under_way=64)
        for name, value in (figures or {}).items():
            samples[f"{kind}.{name}"] = value
    return samples


ROWS = (
    Row("joins", "5000 clients connect, authenticate and join, 64 at a time", measure,
        (Check("RSS per joined idle connection (own codec: 4 KB)", "belfry.client_kb", None, 7, 2, unit="KB"),
         Check("CPU per join", "belfry.join_us", None, 60, 40, unit="us"),
         Check("joins a second / Socket.IO", "belfry.joins_per_s", "node.joins_per_s", 5, 8, low=False, unit="/s"))),
)
