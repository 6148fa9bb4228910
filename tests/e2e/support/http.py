"""A small HTTP client over http.client. Every answer is held against docs/openapi.yaml at once."""

import gzip
import http.client
import json
import socket

from support import record

_UNSET = object()


class Answer:
    def __init__(self, status, headers, raw):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.raw = raw
        body = gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw
        self.text = body.decode("utf-8") if body else ""
        self.body = None
        if self.text and "json" in self.headers.get("content-type", ""):
            self.body = json.loads(self.text)

    @property
    def data(self):
        return self.body["data"]

    @property
    def reason(self):
        return self.body.get("reason")

    @property
    def code(self):
        return self.body.get("code")

    def fields(self):
        return [detail["field"] for detail in self.body.get("details", [])]

    def __repr__(self):
        return f"<{self.status} {self.text[:600]}>"


class Client:
    """One keep-alive connection, made on first use and made again when the server closed it."""

    def __init__(self, port, token=None, timeout=15.0, headers=None):
        self.port = port
        self.token = token
        self.headers = dict(headers or {})
        self._connection = None
        self._timeout = timeout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def request(self, method, path, body=_UNSET, token=_UNSET, headers=None, expect=None):
        """`body`: bytes go as they are, anything else as JSON. `expect`: the status, or a failure that shows the answer."""
        sent = {**self.headers, **(headers or {})}
        given = self.token if token is _UNSET else token
        if given is not None and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {given}"
        data = None
        if body is not _UNSET:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        elif method in ("POST", "PUT", "PATCH"):
            data = b""
        fresh = self._connection is None
        try:
            answer = self._exchange(method, path, data, sent)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if fresh or method != "GET":  # a write is never sent twice behind a test's back
                raise
            answer = self._exchange(method, path, data, sent)
        record.http(method, path, answer, sent, data)
        if expect is not None:
            assert answer.status == expect, f"{method} {path}: expected {expect}, got {answer}"
        return answer

    def _exchange(self, method, path, data, headers):
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._connection.request(method, path, body=data, headers=headers)
            response = self._connection.getresponse()
            raw = response.read()
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return Answer(response.status, response.getheaders(), raw)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=_UNSET, **options):
        return self.request("POST", path, body, **options)

    def put(self, path, body=_UNSET, **options):
        return self.request("PUT", path, body, **options)

    def patch(self, path, body=_UNSET, **options):
        return self.request("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)


class RawConnection:
    """Bytes out, bytes in: for requests that no client library would send."""

    def __init__(self, port, timeout=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, method="GET", path=None):
        """Reads one response; None when the peer closed instead."""
        line = self._file.readline(65536)
        if not line:
            return None
        version, status = line.split(b" ")[:2]
        assert version.startswith(b"HTTP/1."), line
        headers = []
        while True:
            line = self._file.readline(65536)
            if line in (b"\r\n", b""):
                break
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.strip(), value.strip()))
        found = {name.lower(): value for name, value in headers}
        raw = b""
        if method != "HEAD" and int(status) not in (204, 304) and int(status) >= 200:
            if found.get("transfer-encoding", "").lower() == "chunked":
                while True:
                    size = int(self._file.readline().split(b";")[0], 16)
                    raw += self._file.read(size)
                    self._file.readline()
                    if size == 0:
                        break
            elif "content-length" in found:
                raw = self._file.read(int(found["content-length"]))
            else:
                raw = self._file.read()
        answer = Answer(int(status), headers, raw)
        if path is not None:
            record.http(method, path, answer, {})
        else:
            record.problem_only(answer)
        return answer

    def closed(self):
        """True when the peer has ended the connection; waits for it up to the timeout."""
        try:
            return self._file.read(1) == b""
        except (ConnectionResetError, TimeoutError):
            return True
