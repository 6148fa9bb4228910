"""Entitlements that somebody else decides: an HTTP service that answers, changes its mind, or is silent."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support import wait
from support.node import run
from support.world import Admin, Person, time_text


pytestmark = pytest.mark.skipif(
    "BELFRY_ENTITLEMENTS" not in run("docs", "configuration").stdout, reason="this server has no external provider"
)


class Provider:
    """`grants` is the truth: user -> key -> validUntil (None: no end). `broken`: answers 500. `silent`: does not answer."""

    def __init__(self):
        self.grants, self.asked, self.broken, self.silent = {}, [], False, False
        self._ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802 - the library's name
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(body)
                if outer.silent:
                    outer._ended.wait(60)
                    return
                answer = {
                    "grants": {
                        user: {
                            key: {"active": True, "validUntil": outer.grants[user][key]}
                            for key in body["keys"]
                            if key in outer.grants.get(user, {})
                        }
                        for user in body["users"]
                    }
                }
                text = json.dumps(answer).encode()
                self.send_response(500 if outer.broken else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/grants"

    def end(self):
        self._ended.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def provider():
    made = Provider()
    yield made
    made.end()


@pytest.fixture
def guarded(start, fresh, provider):
    return start(fresh, BELFRY_ENTITLEMENTS=provider.url)


def test_the_provider_decides_and_our_own_grants_are_refused(guarded, provider):
    admin, reader, stranger = Admin(guarded), Person(guarded), Person(guarded)
    channel, key = admin.gated(discussion={"requiredFeatureKey": "deck.pass"})
    provider.grants[reader.id] = {key: None}
    reader.posts(channel)
    assert stranger.posts(channel, expect=403).reason == "ENTITLEMENT_REQUIRED"
    assert reader.messages(channel, expect=403).reason == "FEATURE_REQUIRED"
    assert any(reader.id in asked["users"] and key in asked["keys"] for asked in provider.asked)
    for kind in ("entitlements", "features"):
        for method in ("PUT", "DELETE"):
            answer = admin.request(method, f"/api/admin/users/{reader.id}/{kind}/{key}", expect=409)
            assert answer.reason == "ENTITLEMENTS_EXTERNAL"


def test_access_changed_is_a_revocation_everywhere(guarded, start, provider):
    other = start(guarded.settings["BELFRY_DATABASE_URL"], BELFRY_ENTITLEMENTS=provider.url)
    admin, reader = Admin(guarded), Person(guarded)
    channel, key = admin.gated()
    provider.grants[reader.id] = {key: None}
    with reader.socket() as near, reader.on(other).socket() as far:
        for sock in (near, far):
            sock.join_posts(channel)
        admin.publish(channel)
        for sock in (near, far):
            sock.next("channel_post.created")
        provider.grants[reader.id] = {}
        admin.post(f"/api/admin/users/{reader.id}/access-changed", expect=200)
        admin.publish(channel, "too late")
        for sock in (near, far):
            assert sock.next("communication:room_left")["data"]["reason"] == "ENTITLEMENT_REQUIRED"
            assert sock.pending() == []


def test_an_end_that_the_provider_names_is_kept_by_the_clock(guarded, provider):
    admin, reader = Admin(guarded), Person(guarded)
    channel, key = admin.gated()
    provider.grants[reader.id] = {key: time_text(3)}
    with reader.socket() as sock:
        sock.join_posts(channel)
        provider.grants[reader.id] = {}
        assert sock.next("communication:room_left", timeout=15)["data"]["reason"] == "ENTITLEMENT_REQUIRED"


def test_what_is_not_remembered_is_not_asked_for_in_advance(guarded, provider):
    """Decisions for memory are made one after the other: one that waits for the provider would hold up all the others."""
    admin, first, second = Admin(guarded), Person(guarded), Person(guarded)
    channel, _ = admin.gated()
    second.posts(admin.channel())  # known here from now on, as the page below is after the first who asks
    provider.broken = True
    before = len(provider.asked)
    first.posts(channel, expect=503)
    alone = len(provider.asked) - before
    assert alone > 0
    second.posts(channel, expect=503)
    assert len(provider.asked) == before + 2 * alone


@pytest.mark.parametrize("how", ["broken", "silent"])
def test_without_an_answer_nothing_is_allowed_and_open_channels_go_on(guarded, provider, how):
    admin, known, unknown = Admin(guarded), Person(guarded), Person(guarded)
    channel, key = admin.gated()
    free = admin.channel()
    provider.grants[known.id] = provider.grants[unknown.id] = {key: None}
    with known.socket() as sock, unknown.socket() as late:
        sock.join_posts(channel)
        setattr(provider, how, True)
        assert unknown.posts(channel, expect=503).headers["retry-after"]
        late.fails("communication:join_channel_posts", {"channelId": channel}, "SERVICE_UNAVAILABLE")
        admin.post(f"/api/admin/users/{known.id}/access-changed", expect=503)
        unknown.posts(free)
        admin.publish(channel)
        sock.next("channel_post.created")  # lives on its last answer
        setattr(provider, how, False)
        wait.until(
            lambda: unknown.get(f"/api/mobile/channels/{channel}/posts").status == 200,
            "the breaker closes again",
            timeout=40,
        )
