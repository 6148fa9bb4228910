"""What a node counts when nobody is there: before anybody came, and after all have left."""

import os
import time

GAUGES = ("belfry_http_connections", "belfry_ws_connections", "belfry_ws_queued_bytes", "belfry_rooms", "belfry_subscriptions",
          "belfry_jobs_queued", "belfry_timers")


def counted(fleet, node):
    values = fleet.metrics(node)
    found = {name.removeprefix("belfry_"): int(values[name]) for name in GAUGES}
    # Each connection of the database pool is one descriptor, and the pool grows under load.
    found["descriptors"] = len(os.listdir(f"/proc/{node.process.pid}/fd")) - int(values["belfry_database_connections"])
    return found


def at_rest(fleet, node, seconds=20):
    """When two looks, half a second apart, see the same; else what was seen last."""
    end, before = time.monotonic() + seconds, None
    while (found := counted(fleet, node)) != before and time.monotonic() < end:
        before = found
        time.sleep(0.5)
    return found


def back(fleet, node, baseline, seconds):
    end = time.monotonic() + seconds
    while (found := counted(fleet, node)) != baseline and time.monotonic() < end:
        time.sleep(0.3)
    return found
