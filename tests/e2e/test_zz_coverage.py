"""Runs last: whatever the documents declare was exercised by the other files."""

import os

import pytest

from support import record
from support.node import run


@pytest.fixture(scope="module")
def total():
    merged = record.merged(os.environ.get("BELFRY_E2E_COVERAGE"))
    assert merged[
        "operations"
    ], "nothing was recorded: run the other files first (BELFRY_E2E_COVERAGE names the folder)"
    return merged


def test_every_operation_was_exercised_and_succeeded(total):
    succeeded = {key.split()[0] for key in total["operations"] if key.split()[1].startswith(("1", "2"))}
    assert set(record.operations()) - succeeded == set()


def test_every_declared_status_was_seen(total):
    """All but 500, which must never be seen, and 503, which is the same code for every route."""
    external = "BELFRY_ENTITLEMENTS" in run("docs", "configuration").stdout
    missing = set()
    for methods in record.OPENAPI["paths"].values():
        for operation in methods.values():
            for status in set(operation["responses"]) - {"500", "503"}:
                name = operation["operationId"]
                if status == "409" and name.endswith(("Entitlement", "Feature")) and not external:
                    continue
                if f"{name} {status}" not in total["operations"]:
                    missing.add(f"{name} {status}")
    assert missing == set()


def test_every_message_was_exercised(total):
    client, server = record.messages()
    assert client - set(total["client"]) == set()
    assert server - set(total["server"]) == set()


def test_every_reason_was_seen(total):
    declared = set()
    for name, schema in record.OPENAPI["components"]["schemas"].items():
        if name.startswith("Problem"):
            declared |= set(schema["properties"].get("reason", {}).get("enum", []))
    seen = {key.split()[1] for key in total["reasons"]}
    if "BELFRY_ENTITLEMENTS" not in run("docs", "configuration").stdout:
        declared.discard("ENTITLEMENTS_EXTERNAL")  # nothing but an external provider gives it
    assert declared - seen == set()


def test_every_end_of_a_subscription_gap_and_close_code_was_seen(total):
    # SERVICE_UNAVAILABLE takes five silent minutes of an entitlement provider: too long for here.
    left = set(
        record.ASYNCAPI["components"]["messages"]["RoomLeft"]["payload"]["properties"]["data"]["properties"]["reason"][
            "enum"
        ]
    )
    assert left - {"SERVICE_UNAVAILABLE"} - set(total["left"]) == set()
    assert set(total["gaps"]) == {"UNKNOWN_EVENT", "EXPIRED"}
    assert {"1003", "1009", "1012", "4001", "4029", "4400"} - set(total["close"]) == set()
