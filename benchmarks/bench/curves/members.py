"""One channel, more and more who joined it. No route lists members; what must not notice them is what everybody does."""
from bench.clients import Http, Native
from bench.curve import Curve, both, named, repeat
from bench.ground import Ground
from bench.seed import add_channels, add_members
from bench.tokens import token

STRANGERS = 500_000_000  # numbers of users who are no members yet


class Members(Ground):
    def __init__(self, build):
        super().__init__(build)
        self.channel, self.members, self.strangers = add_channels(self.postgres, 20)[10][0], 0, STRANGERS

    def grow(self, count):
        add_members(self.postgres, self.channel, self.members + 1, count)
        self.members = count
        self.postgres.query("belfry", "VACUUM ANALYZE")
        self.postgres.settle()


def over_rest(ground, server):
    http, path = Http(server.port), f"/api/mobile/channels/{ground.channel}"
    member = [token(1 + i * (ground.members - 1) // 49) for i in range(50)]
    stranger = [token(ground.strangers + i) for i in range(50)]
    ground.strangers += 50
    samples = {}
    for key, tokens, method, target in (("list", member, "GET", "/api/mobile/channels"), ("channel", member, "GET", path),
                                        ("join", stranger, "POST", path + "/join"), ("again", member, "POST", path + "/join"),
                                        ("leave", stranger, "POST", path + "/leave"),
                                        ("write", member, "POST", path + "/discussion/messages")):
        body = {"body": "A word or two."} if key == "write" else None
        samples |= named(key, repeat(server.pid, lambda i: http.request(tokens[i], method, target, body)))
    http.close()
    return samples


def over_socket(ground, server):
    """The join alone: the connection is there, and has answered once."""
    sockets = [Native(server.port, token(1 + i * (ground.members - 1) // 49)) for i in range(50)]
    for socket in sockets:
        socket.ask("ping", {})
    samples = repeat(server.pid, lambda i: sockets[i].ask("communication:join_discussion", {"channelId": ground.channel}))
    for socket in sockets:
        socket.close()
    return named("socket", samples)


def measure(ground, count, quick):
    ground.grow(count)
    with ground.belfry() as server:
        return {**over_rest(ground, server), **over_socket(ground, server)}


CURVE = Curve(
    "members", "Members of one channel", "members", (1000, 10_000, 100_000, 1_000_000), (1000, 10_000), (
        *both("join", "a new member joins (REST; the node has not seen that user before)"),
        *both("again", "a member joins again"),
        *both("leave", "a member leaves"),
        *both("channel", "a member asks for the channel"),
        *both("list", "a member lists channels, 20 of them"),
        *both("socket", "a member's WebSocket joins the discussion"),
        *both("write", "a member writes a message")),
    Members, measure,
    notes="One client, one request at a time, members spread over the whole range. There is no route that lists members.")
