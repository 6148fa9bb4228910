"""Lists of 20 posts in a channel that needs an entitlement, asked by 100 users over 32 connections."""
from bench.row import Check, Row
from bench.setting import READERS

CONNECTIONS = 32


def get(setting, kind, path, body_bytes=0):
    with setting.start(kind, body_bytes) as server:
        if server is None:
            return {}
        low, high = setting.post_range
        figures = setting.load("get", server, setting.scaled(4, 1), path=path, low=low, high=high, connections=CONNECTIONS, tokens=setting.readers)
    return {f"{kind}.{name}": value for name, value in figures.items()}


def uncached(setting):
    """Every request another page: nothing to remember."""
    path = f"/api/mobile/channels/{setting.posts_channel}/posts?before_id={{}}"
    low, high = setting.post_range
    alone = setting.pgbench("list_posts.sql", CONNECTIONS, setting.scaled(4, 1), channel=setting.posts_channel, low=low, high=high, readers=READERS)
    return {"postgres.per_s": alone, **get(setting, "belfry", path), **get(setting, "node", path)}


def hot(setting):
    path = f"/api/mobile/channels/{setting.posts_channel}/posts"
    samples = get(setting, "belfry", path)
    return {**get(setting, "static", path, int(samples["belfry.answer_bytes"]) - 200), **samples, **get(setting, "node", path)}


ROWS = (
    Row("posts", "list posts, uncached", uncached,
        (Check("requests a second / Node", "belfry.per_s", "node.per_s", 3.5, 4.5, low=False, unit="/s"),
         Check("requests a second / PostgreSQL alone, access read too", "belfry.per_s", "postgres.per_s", 0.7, 0.9, low=False, unit="/s"))),
    Row("posts-hot", "list posts, always the newest page", hot,
        (Check("requests a second / Node", "belfry.per_s", "node.per_s", 15, None, low=False, unit="/s"),
         Check("requests a second / static Beast answer", "belfry.per_s", "static.per_s", None, 0.6, low=False, unit="/s"))),
)
