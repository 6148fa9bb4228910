"""The documents name exactly the routes that the server has, and the commands print what they should."""

import re

from support import record
from support.node import run


def test_routes_of_the_document_are_the_routes_of_the_server():
    done = run("docs", "routes")
    assert done.returncode == 0, done.stderr
    served = {re.sub(r"\{\w+\}", "{}", line.strip()) for line in done.stdout.splitlines() if line.strip()}
    declared = {f"{method} {re.sub(r'{.*?}', '{}', path)}" for method, path in record.operations().values()}
    assert served - {"GET /ws"} == declared - {"GET /ws"}


def test_version_and_help_are_on_stdout():
    version = run("version")
    assert version.returncode == 0 and re.search(r"\d+\.\d+", version.stdout)
    assert run("--help").returncode == 0


def test_an_unknown_flag_or_a_bad_setting_stops_the_start_and_is_named():
    for arguments, settings, word in (
        (["serve", "--colour", "red"], {}, "colour"),
        (["serve"], {"BELFRY_JWT_SECRET": "short"}, "BELFRY_JWT_SECRET"),
        (["serve"], {"BELFRY_EVENT_RETENTION": "soon"}, "EVENT_RETENTION"),
        (["serve"], {"BELFRY_LISTEN": "nowhere"}, "LISTEN"),
    ):
        done = run(
            *arguments,
            settings={
                "BELFRY_JWT_SECRET": "x" * 40,
                "BELFRY_DATABASE_URL": "host=/nonexistent",
                "BELFRY_LISTEN": "127.0.0.1:0",
                **settings,
            },
            timeout=15,
        )
        assert done.returncode != 0
        assert word.lower().replace("_", "-") in (done.stderr + done.stdout).lower().replace("_", "-"), (
            arguments,
            settings,
            done.stderr,
        )
        assert "short" not in done.stderr or word != "BELFRY_JWT_SECRET" or "shorter" in done.stderr
