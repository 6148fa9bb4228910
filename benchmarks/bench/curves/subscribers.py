"""One room, more and more who listen."""
from bench.curve import REPETITIONS, Curve, Figure
from bench.ground import Ground
from bench.histogram import quantile
from bench.report import say
from bench.seed import add_channels
from bench.tokens import token

WINDOW = 16
MOST = 17_900  # of the 18,000 connections that a node admits with 20,000 descriptors; the writers need some too
BOUND = 60


class Room(Ground):
    def __init__(self, build):
        super().__init__(build)
        (channel, _), = add_channels(self.postgres, 1)
        self.room = self.write("room", [channel])
        self.tokens = self.write("tokens", [token(number) for number in range(1, MOST + 1)])


def messages_for(clients, quick):
    """About three million deliveries, but not more messages than a few seconds of writing."""
    messages = max(20 * WINDOW, min(4000, 3_000_000 // clients))
    return messages // 10 + WINDOW if quick else messages


def once(ground, clients, quick):
    messages = messages_for(clients, quick)
    ground.postgres.settle()
    with ground.belfry() as server:
        figures = ground.load("fanout", server, BOUND, clients=clients, window=WINDOW, messages=messages, creates=max(messages, 800), rooms=ground.room,
                              tokens=ground.tokens, admin_token=ground.admin)
        p99 = quantile(server.metrics(), "belfry_commit_to_socket_seconds", 0.99)
    return {"whole": figures["us_with_create"], "write": figures["create_share"], "message": figures["us_with_create"] * clients,
            "bytes": figures["client_kb"] * 1024, "join": figures["join_us"], "to_socket": 1000 * p99}


def measure(ground, clients, quick):
    found = []
    for number in range(1, REPETITIONS + 1):
        found.append(once(ground, clients, quick))
        say(f"subscribers {clients:,}: {number}/{REPETITIONS}")
    return {name: [sample[name] for sample in found] for name in found[0]}


CURVE = Curve(
    "subscribers", "Subscribers of one room", "subscribers", (10, 100, 1000, 5000, 10_000, MOST), (10, 100), (
        Figure("whole", "server CPU per delivery, window 16", "us", less="write"),
        Figure("message", "server CPU per message, its write included", "us"),
        Figure("to_socket", "commit to socket, p99", "ms"),
        Figure("bytes", "RSS per connection that joined", "B"),
        Figure("join", "server CPU per connection: handshake, token, join", "us")),
    Room, measure, seconds=400,
    notes=f"A process has 20,000 descriptors here, the server keeps 320 of them for other things and admits 18,000 connections: {MOST:,} listen at most. "
          "With ten who listen, the cost of a delivery is the small difference of two large figures.")
