"""JSON Web Tokens made by hand, so that bad ones can be made too."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "a test secret of more than thirty-two bytes"


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims, secret=SECRET, header=None, digest=hashlib.sha256):
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    signed = b64(json.dumps(head)) + "." + b64(json.dumps(claims))
    return signed + "." + b64(hmac.new(secret.encode(), signed.encode(), digest).digest())


def token(sub, role=None, lifetime=3600.0, **extra):
    """`lifetime` in seconds from now, may be negative. `exp` keeps fractions off: whole seconds only."""
    claims = {"sub": sub, "exp": int(time.time() + lifetime)}
    if role:
        claims["role"] = role
    claims.update(extra)
    return sign({key: value for key, value in claims.items() if value is not None})
