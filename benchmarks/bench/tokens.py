"""Tokens for admins and readers."""
import base64
import hashlib
import hmac
import json
import time

SECRET = "benchmark-secret-of-thirty-two-bytes-or-more"


def user_id(number):
    return f"00000000-0000-4000-8000-{number:012d}"


def token(number, role="USER"):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": user_id(number), "role": role, "username": "bench", "exp": int(time.time()) + 86400}
    text = part(b'{"alg":"HS256"}') + "." + part(json.dumps(claims).encode())
    return text + "." + part(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest())
