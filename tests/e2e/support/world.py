"""Actors and things to act on, made over the API as an operator would."""

import datetime
import uuid

from support.http import Client
from support.tokens import token
from support.ws import Socket


def new_id():
    return str(uuid.uuid4())


def time_text(seconds_from_now):
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return then.strftime("%Y-%m-%dT%H:%M:%S.") + f"{then.microsecond // 1000:03d}Z"


def parse_time(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)


class Person(Client):
    """A caller: an HTTP client with an identity, that can also open sockets."""

    def __init__(self, node, role=None, user_id=None, lifetime=3600, **claims):
        self.id = user_id or new_id()
        super().__init__(node.port, token=token(self.id, role, lifetime, **claims))

    def on(self, node):
        """The same person at another node."""
        other = Person.__new__(Person)
        Client.__init__(other, node.port, token=self.token)
        other.id = self.id
        return other

    def socket(self, **options):
        return Socket(self.port, token=self.token, **options)

    def ticket(self):
        return self.post("/api/mobile/ws-tickets", expect=201).data["ticket"]

    def says(self, channel, text, expect=201, **fields):
        return self.post(f"/api/mobile/channels/{channel}/discussion/messages", {"body": text, **fields}, expect=expect)

    def posts(self, channel, query="", expect=200):
        return self.get(f"/api/mobile/channels/{channel}/posts{query}", expect=expect)

    def messages(self, channel, query="", expect=200):
        return self.get(f"/api/mobile/channels/{channel}/discussion/messages{query}", expect=expect)


class Admin(Person):
    def __init__(self, node, **options):
        super().__init__(node, role="ADMIN", **options)

    def on(self, node):
        other = Admin.__new__(Admin)
        Client.__init__(other, node.port, token=self.token)
        other.id = self.id
        return other

    def channel(self, discussion=None, **fields):
        """An active open broadcast channel unless told otherwise; its id. `discussion`: fields of its discussion."""
        body = {"kind": "BROADCAST", "title": "Harbour news", "status": "ACTIVE", **fields}
        made = self.post("/api/admin/channels", body, expect=201).data["id"]
        if discussion is not None:
            self.discussion(made, **discussion)
        return made

    def gated(self, key=None, **fields):
        key = key or "key." + new_id()[:8]
        return self.channel(accessPolicy="EXTERNAL_GATED", entitlementKey=key, **fields), key

    def set_channel(self, channel, expect=200, **fields):
        return self.patch(f"/api/admin/channels/{channel}", fields, expect=expect)

    def discussion(self, channel, expect=200, **fields):
        return self.put(f"/api/admin/channels/{channel}/discussion", fields, expect=expect).body.get("data")

    def publish(self, channel, text="Low tide at six.", expect=201, **fields):
        return self.post(
            f"/api/admin/channels/{channel}/posts", {"type": "TEXT", "bodyText": text, **fields}, expect=expect
        ).body.get("data")

    def change_post(self, post, **fields):
        return self.patch(f"/api/admin/posts/{post}", fields, expect=200).data

    def drop_post(self, post):
        return self.delete(f"/api/admin/posts/{post}", expect=200).data

    def pin(self, post, on=True):
        return self.request("PUT" if on else "DELETE", f"/api/admin/posts/{post}/pin", expect=200).data

    def says_officially(self, channel, text, expect=201, **fields):
        return self.post(f"/api/admin/channels/{channel}/discussion/messages", {"body": text, **fields}, expect=expect)

    def drop_message(self, message):
        return self.delete(f"/api/admin/discussion-messages/{message}", expect=200).data

    def edit_any(self, message, text):
        return self.patch(f"/api/admin/discussion-messages/{message}", {"body": text}, expect=200).data

    def restore(self, message):
        return self.post(f"/api/admin/discussion-messages/{message}/restore", expect=200).data

    def grant(self, person, key, kind="entitlements", **fields):
        return self.put(f"/api/admin/users/{person.id}/{kind}/{key}", fields, expect=200)

    def revoke(self, person, key, kind="entitlements"):
        return self.delete(f"/api/admin/users/{person.id}/{kind}/{key}", expect=200)

    def ban(self, channel, person, **fields):
        return self.put(f"/api/admin/channels/{channel}/discussion/bans/{person.id}", fields, expect=200)

    def unban(self, channel, person):
        return self.delete(f"/api/admin/channels/{channel}/discussion/bans/{person.id}", expect=200)

    def mute(self, channel, person, **fields):
        return self.put(f"/api/admin/channels/{channel}/discussion/mutes/{person.id}", fields, expect=200)

    def unmute(self, channel, person):
        return self.delete(f"/api/admin/channels/{channel}/discussion/mutes/{person.id}", expect=200)
