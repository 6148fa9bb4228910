"""Commands that print something and end: what stands on stdout, what on stderr, and the exit code."""

import base64
import hashlib
import hmac
import json
import tempfile
import time
import unittest

from binary import SECRET, run, taken_port

COMMANDS = ["serve", "dev", "migrate", "token", "health", "check-config", "docs", "verify", "version"]


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Usage(unittest.TestCase):
    def test_help_lists_every_command_and_each_has_its_own(self):
        overall = run("--help")
        self.assertEqual(overall.returncode, 0)
        for command in COMMANDS:
            self.assertIn(command, overall.stdout)
            own = run(command, "--help")
            self.assertEqual((own.returncode, own.stderr), (0, ""), command)
            self.assertIn("Options:", own.stdout, command)

    def test_what_is_not_understood_is_named_on_stderr_with_exit_code_2(self):
        for arguments, named in ((["serve", "--listne", "127.0.0.1:1"], "--listne"), (["sevre"], "sevre"), ([], "subcommand"),
                                 (["serve", "--jwt-secret", "x"], "--jwt-secret"), (["serve", "--listen"], "--listen"),
                                 (["token", "--role", "ROOT"], "ROOT"), (["docs", "poems"], "poems")):
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(named, done.stderr, arguments)

    def test_version_is_one_line(self):
        done = run("version")
        self.assertRegex(done.stdout, r"^belfry \d+\.\d+\.\d+\n$")
        self.assertEqual(done.returncode, 0)


class Configuration(unittest.TestCase):
    def test_bad_settings_stop_every_command_that_needs_them(self):
        for command in ("serve", "migrate", "token", "health", "check-config", "dev"):
            done = run(command, settings={"log_level": "loud", "jwt_secret": SECRET})
            self.assertEqual((done.returncode, done.stdout), (2, ""), command)
            self.assertIn("BELFRY_LOG_LEVEL", done.stderr, command)
            self.assertIn("debug, info, warn, error, off", done.stderr, command)

    def test_serve_without_a_secret_says_what_to_set(self):
        done = run("serve")
        self.assertEqual(done.returncode, 2)
        self.assertIn("BELFRY_JWT_SECRET", done.stderr)

    def test_a_secret_is_never_printed(self):
        short = "hunter2hunter2"
        for command in ("serve", "token", "check-config"):
            done = run(command, settings={"jwt_secret": short, "database_url": f"postgresql://u:{short}@h/d"})
            self.assertEqual(done.returncode, 2)
            self.assertNotIn(short, done.stdout + done.stderr)

    def test_check_config_tells_where_each_value_comes_from(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('bus = "local"\nevent_retention = "1d"\n')
            file.flush()
            done = run("check-config", "--config", file.name, "--log-level", "warn",
                       settings={"event_retention": "2s", "jwt_secret": SECRET, "typo": "1"})
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {line.split()[0]: line.split(None, 1)[1] for line in done.stdout.splitlines()}
        self.assertRegex(rows["bus"], r"local +file .*\.toml")
        self.assertRegex(rows["event_retention"], r"2s +environment BELFRY_EVENT_RETENTION")
        self.assertRegex(rows["log_level"], r"warn +flag --log-level")
        self.assertRegex(rows["db_connections"], r"8 +default")
        self.assertRegex(rows["jwt_secret"], r"^set +environment BELFRY_JWT_SECRET")
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("BELFRY_TYPO"), 1)

    def test_echo_beyond_loopback_stops_the_start_and_is_told_by_check_config(self):
        for command in ("serve", "dev", "check-config"):
            done = run(command, "--listen", "0.0.0.0:0", settings={"test_echo": "1", "jwt_secret": SECRET})
            self.assertEqual((done.returncode, done.stdout), (2, ""), command)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("test_echo (environment BELFRY_TEST_ECHO)", done.stderr, command)
            self.assertIn("listen (flag --listen)", done.stderr, command)
        done = run("check-config", "--listen", "127.0.0.1:0", settings={"test_echo": "1", "jwt_secret": SECRET})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^test_echo +1 +environment BELFRY_TEST_ECHO$")

    def test_check_config_with_connect_fails_without_a_database(self):
        done = run("check-config", "--connect",
                   settings={"jwt_secret": SECRET, "database_url": "host=127.0.0.1 port=1 connect_timeout=1"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("database: not ready", done.stdout)


class Tokens(unittest.TestCase):
    def test_only_the_token_is_printed_and_its_signature_fits(self):
        user = "0198c2a4-0000-7000-8000-000000000001"
        done = run("token", "--sub", user, "--role", "ADMIN", "--username", "Ada", "--picture", "https://p/a", "--ttl", "2h",
                   settings={"jwt_secret": SECRET, "jwt_issuer": "iss", "jwt_audience": "aud"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        header, payload, signature = done.stdout.rstrip("\n").split(".")
        expected = hmac.new(SECRET.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
        self.assertEqual(decode(signature), expected)
        claims = json.loads(decode(payload))
        self.assertEqual(json.loads(decode(header))["alg"], "HS256")
        self.assertEqual({name: claims[name] for name in ("sub", "role", "username", "picture", "iss", "aud")},
                         {"sub": user, "role": "ADMIN", "username": "Ada", "picture": "https://p/a", "iss": "iss", "aud": "aud"})
        self.assertAlmostEqual(claims["exp"], time.time() + 7200, delta=60)

    def test_each_token_without_sub_is_another_user(self):
        subjects = {json.loads(decode(run("token", settings={"jwt_secret": SECRET}).stdout.split(".")[1]))["sub"]
                    for _ in range(2)}
        self.assertEqual(len(subjects), 2)

    def test_bad_arguments_are_named(self):
        for arguments, named in ((["--sub", "me"], "--sub"), (["--ttl", "2"], "--ttl"), (["--ttl", "0s"], "--ttl")):
            done = run("token", *arguments, settings={"jwt_secret": SECRET})
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(named, done.stderr)
        done = run("token")
        self.assertEqual(done.returncode, 2)
        self.assertIn("BELFRY_JWT_SECRET", done.stderr)


class Health(unittest.TestCase):
    def test_nothing_there_is_exit_code_1_and_one_line(self):
        listener, port = taken_port()
        listener.close()
        done = run("health", "--listen", f"127.0.0.1:{port}")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertIn(str(port), done.stdout)

    def test_a_server_that_never_answers_does_not_hold_it_for_ever(self):
        listener, port = taken_port()
        with listener:
            done = run("health", "--listen", f"127.0.0.1:{port}", timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("in time", done.stdout)


if __name__ == "__main__":
    unittest.main()
