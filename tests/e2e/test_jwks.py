"""Tokens signed with private keys whose public halves the server reads from a file or fetches."""

import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.tokens import SECRET, b64
from support.world import Person, new_id


def openssl(*arguments, data=b""):
    return subprocess.run(["openssl", *arguments], input=data, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def raw_signature(der):
    """The two numbers of an ECDSA signature, 32 bytes each, out of their DER form."""
    numbers, at = [], 2
    for _ in range(2):
        size = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + size], "big").to_bytes(32, "big"))
        at += 2 + size
    return b"".join(numbers)


class Key:
    OPTIONS = {
        "RS256": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "EdDSA": ["-algorithm", "ED25519"],
    }

    def __init__(self, alg, kid, folder):
        self.alg, self.kid, self.path = alg, kid, folder / f"{kid}.pem"
        openssl("genpkey", *self.OPTIONS[alg], "-out", str(self.path))

    def public(self):
        der = openssl("pkey", "-in", str(self.path), "-pubout", "-outform", "DER")
        if self.alg == "EdDSA":
            fields = {"kty": "OKP", "crv": "Ed25519", "x": b64(der[-32:])}
        elif self.alg == "ES256":
            fields = {"kty": "EC", "crv": "P-256", "x": b64(der[-64:-32]), "y": b64(der[-32:])}
        else:
            modulus = openssl("rsa", "-in", str(self.path), "-noout", "-modulus").decode().strip().split("=")[1]
            fields = {"kty": "RSA", "n": b64(bytes.fromhex(modulus)), "e": b64(b"\x01\x00\x01")}
        return {"kid": self.kid, "use": "sig", **fields}

    def sign(self, claims, kid=True, alg=None):
        header = {"alg": alg or self.alg, **({"kid": self.kid} if kid else {})}
        text = b64(json.dumps(header)) + "." + b64(json.dumps(claims))
        if self.alg == "EdDSA":
            message = self.path.with_suffix(".message")
            message.write_bytes(text.encode())
            signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(self.path), "-in", str(message))
        else:
            signature = openssl("dgst", "-sha256", "-sign", str(self.path), data=text.encode())
            signature = raw_signature(signature) if self.alg == "ES256" else signature
        return text + "." + b64(signature)


def claims(**more):
    return {"sub": new_id(), "exp": int(time.time()) + 600, **more}


def status(node, token):
    answer = Person(node).request("GET", "/api/mobile/channels", token=token)
    return answer.status, answer.reason


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {alg: Key(alg, f"key-{alg}", folder) for alg in Key.OPTIONS}


@pytest.fixture
def key_file(tmp_path, keys):
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [key.public() for key in keys.values()]}))
    return path


@pytest.mark.parametrize("alg", list(Key.OPTIONS))
def test_a_key_set_in_a_file_verifies_each_algorithm(start, fresh, keys, key_file, alg):
    node = start(fresh, BELFRY_JWT_JWKS=str(key_file))
    key = keys[alg]
    assert status(node, key.sign(claims())) == (200, None)
    assert status(node, key.sign(claims(), kid=False)) == (200, None)
    assert status(node, key.sign(claims(exp=int(time.time()) - 60))) == (401, "TOKEN_EXPIRED")
    assert status(node, key.sign(claims())[:-8] + "AAAAAAAA") == (401, "TOKEN_INVALID")
    for other in Key.OPTIONS:
        if other != alg:
            assert status(node, key.sign(claims(), alg=other)) == (401, "TOKEN_INVALID"), "the key's type binds the algorithm"
    assert status(node, key.sign(claims(), alg="none")) == (401, "TOKEN_INVALID")
    assert status(node, Person(node).token) == (200, None), "HS256 beside it: `alg` chooses"


class Issuer:
    """Serves a key set that the test changes; counts how often it is asked."""

    def __init__(self):
        self.keys, self.asked, self.broken = [], 0, False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802 - the library's name
                outer.asked += 1
                text = json.dumps({"keys": [key.public() for key in outer.keys]}).encode()
                self.send_response(500 if outer.broken else 200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_keys_are_fetched_once_and_unknown_ones_at_a_bounded_rate(start, fresh, keys, issuer):
    issuer.keys = [keys["EdDSA"]]
    # Signed in advance: a process for each would take a good part of the ten seconds.
    known, unknown = ([keys[alg].sign(claims()) for _ in range(5)] for alg in ("EdDSA", "RS256"))
    node = start(fresh, BELFRY_JWT_JWKS=issuer.url)
    for token in known:
        assert status(node, token) == (200, None)
    assert issuer.asked == 1
    for token in 4 * unknown:
        assert status(node, token) == (401, "TOKEN_INVALID")
    assert issuer.asked == 1, "within ten seconds of the last fetch"


def test_without_a_key_set_the_answer_is_503_and_secrets_go_on(start, fresh, keys, issuer):
    issuer.broken = True
    node = start(fresh, BELFRY_JWT_JWKS=issuer.url, BELFRY_JWT_SECRET=SECRET)
    assert status(node, keys["ES256"].sign(claims()))[0] == 503
    assert status(node, Person(node).token) == (200, None)
