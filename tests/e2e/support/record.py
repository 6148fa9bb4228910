"""Holds every answer and every frame of the run against docs/openapi.yaml and docs/asyncapi.yaml, and notes what was seen.

Violations are collected (frames arrive on another thread) and fail the test during which they happened: see conftest.py.
"""

import json
import os
import re
import threading

import jsonschema
import yaml

_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
_loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _load(name):
    with open(os.path.join(_ROOT, "docs", name), encoding="utf-8") as file:
        return yaml.load(file, Loader=_loader)


OPENAPI = _load("openapi.yaml")
ASYNCAPI = _load("asyncapi.yaml")

violations = []
seen = {"operations": {}, "reasons": {}, "client": {}, "server": {}, "gaps": {}, "left": {}, "close": {}}
_lock = threading.Lock()
_validators = {}
_recent = {}  # texts of frames that were found right, the oldest first


def _note(kind, name):
    with _lock:
        seen[kind][name] = seen[kind].get(name, 0) + 1


def _violate(text):
    with _lock:
        if len(violations) < 20:
            violations.append(text)


def drain():
    with _lock:
        found = list(violations)
        violations.clear()
    return found


def _resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].lstrip("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def _validator(document, key, schema):
    if key not in _validators:
        resolver = jsonschema.RefResolver.from_schema(document)
        _validators[key] = jsonschema.Draft202012Validator(schema, resolver=resolver)
    return _validators[key]


def _check(document, key, schema, value, what):
    error = jsonschema.exceptions.best_match(_validator(document, key, schema).iter_errors(value))
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path)
        _violate(f"{what}: at '{where}': {error.message[:400]} in {json.dumps(value)[:700]}")
    return error is None


# HTTP -------------------------------------------------------------------------------------------


def _compile():
    routes = []
    for template, methods in OPENAPI["paths"].items():
        pattern = re.compile("^" + re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)) + "$")
        routes.append((template.count("{"), pattern, template, methods))
    return sorted(routes, key=lambda route: route[0])


_ROUTES = _compile()
# Answers that any route, or no route at all, can give.
_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_EVERYWHERE = {
    400: "BadRequest",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    413: "PayloadTooLarge",
    414: "RequestLineTooLong",
    431: "HeadersTooLarge",
}


def operations():
    return {
        operation["operationId"]: (method.upper(), template)
        for template, methods in OPENAPI["paths"].items()
        for method, operation in methods.items()
    }


def _find(method, path):
    for _, pattern, _, methods in _ROUTES:
        if pattern.match(path) and method.lower() in methods:
            return methods[method.lower()]
    return None


def http(method, target, answer, sent_headers, sent_body=None):
    """One exchange. A request that did not reach a route is held against the common problems."""
    del sent_headers
    path = target.split("?")[0]
    what = f"{method} {target[:120]} -> {answer.status}"
    if answer.status == 500:
        _violate(f"{what}: an internal error is never right: {answer.text[:300]}")
    operation = _find(method, path)
    responses = operation["responses"] if operation else {}
    name = operation["operationId"] if operation else None
    no_route = answer.body and isinstance(answer.body, dict) and answer.body.get("reason") == "NO_ROUTE"
    if str(answer.status) in responses and not no_route:
        response = _resolve(OPENAPI, responses[str(answer.status)])
    elif answer.status in _EVERYWHERE and (
        operation is None or no_route or not method.isupper() or answer.status in (405, 408, 413, 414, 431)
    ):
        response = OPENAPI["components"]["responses"][_EVERYWHERE[answer.status]]
    elif method in ("OPTIONS", "HEAD"):
        return
    else:
        _violate(f"{what}: this status is not declared: {answer.text[:300]}")
        return
    if name:
        _note("operations", f"{name} {answer.status}")
    _check_response((name, answer.status), response, answer, what)
    if name and 200 <= answer.status < 300 and sent_body:
        _check_accepted(name, operation, sent_body, what)


def problem_only(answer):
    """An answer to a request that never became one."""
    name = {**_EVERYWHERE, 401: "Unauthorized", 426: "UpgradeRequired", 503: "Unavailable"}.get(answer.status)
    if name:
        _check_response(
            (name, answer.status), OPENAPI["components"]["responses"][name], answer, f"raw -> {answer.status}"
        )


def _check_response(key, response, answer, what):
    for header, rule in response.get("headers", {}).items():
        rule = _resolve(OPENAPI, rule)
        value = answer.headers.get(header.lower())
        if value is None:
            if rule.get("required"):
                _violate(f"{what}: header {header} is missing")
        else:
            _check(OPENAPI, (*key, header), rule["schema"], value, f"{what}: header {header}")
    kind = answer.headers.get("content-type", "").split(";")[0].strip()
    if not _DATE.fullmatch(answer.headers.get("date", "")):
        _violate(f"{what}: no Date")
    content = response.get("content", {})
    if not content:
        return
    if kind not in content:
        _violate(f"{what}: content type '{kind}' is not declared")
        return
    value = answer.body if kind == "application/json" else answer.text
    _check(OPENAPI, (*key, kind), content[kind]["schema"], value, what)
    if isinstance(value, dict) and "requestId" in value and value["requestId"] != answer.headers.get("x-request-id"):
        _violate(f"{what}: requestId differs from X-Request-Id")
    if isinstance(value, dict) and value.get("reason"):
        _note("reasons", f"{answer.status} {value['reason']}")


def _check_accepted(name, operation, sent_body, what):
    """What the server accepts must be what the document allows."""
    body = operation.get("requestBody")
    if not body:
        return
    try:
        value = json.loads(sent_body)
    except ValueError:
        _violate(f"{what}: accepted a body that is no JSON: {sent_body[:200]!r}")
        return
    _check(OPENAPI, (name, "request"), body["content"]["application/json"]["schema"], value, f"{what}: accepted body")


# Frames -----------------------------------------------------------------------------------------


def _index(action):
    found = {}
    for operation in ASYNCAPI["operations"].values():
        inbound = operation["action"] == "receive"
        names = []
        if action == "client" and inbound:
            names = operation["messages"]
        if action == "server":
            names = operation.get("reply", {}).get("messages", []) if inbound else operation["messages"]
        for reference in names:
            name = reference["$ref"].split("/")[-1]
            payload = _resolve(ASYNCAPI, ASYNCAPI["components"]["messages"][name])["payload"]
            properties = payload["properties"]
            key = (properties["event"].get("const", "*"), properties.get("ok", {}).get("const"))
            found[key] = (name, payload)
    return found


_CLIENT = _index("client")
_SERVER = _index("server")


def messages():
    return {name for name, _ in _CLIENT.values()}, {name for name, _ in _SERVER.values()}


def _known(text):
    with _lock:
        return text in _recent


def _remember(text):
    if text is None:
        return
    with _lock:
        _recent[text] = None
        if len(_recent) > 1000:
            del _recent[next(iter(_recent))]


def frame_out(frame):
    found = _CLIENT.get((frame.get("event"), None))
    if found and _validator(ASYNCAPI, found[0], found[1]).is_valid(frame):
        _note("client", found[0])


def frame_in(frame, text=None):
    """`text`: the frame as it came. All sockets of a room get the same bytes, which are held against the document once."""
    if not isinstance(frame, dict):
        _violate(f"frame is no object: {json.dumps(frame)[:300]}")
        return
    ok = frame.get("ok")
    found = _SERVER.get(("*", False)) if ok is False else _SERVER.get((frame.get("event"), ok))
    if found is None:
        _violate(f"undeclared frame: {json.dumps(frame)[:400]}")
        return
    name, payload = found
    if not _known(text) and _check(ASYNCAPI, name, payload, frame, f"frame {name}"):
        _remember(text)
    _note("server", name)
    data = frame.get("data") or {}
    if isinstance(data, dict) and data.get("gapReason"):
        _note("gaps", data["gapReason"])
    if name == "RoomLeft":
        _note("left", str(data.get("reason")))


def closed(code):
    _note("close", str(code))


# Coverage ---------------------------------------------------------------------------------------


def save(folder, name):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
        json.dump(seen, file, indent=1, sort_keys=True)


def merged(folder):
    total = {kind: dict(counts) for kind, counts in seen.items()}
    if folder and os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".json"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    for kind, counts in json.load(file).items():
                        for key, count in counts.items():
                            total.setdefault(kind, {})[key] = total.get(kind, {}).get(key, 0) + count
    return total
