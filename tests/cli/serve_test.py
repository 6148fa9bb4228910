"""`belfry serve` where something is missing: it starts, says so, and ends when told to."""

import signal
import unittest

from binary import SECRET, Running, get, run, taken_port

NOWHERE = {"jwt_secret": SECRET, "listen": "127.0.0.1:0", "database_url": "host=127.0.0.1 port=1 connect_timeout=1 dbname=x"}


class WithoutDatabase(unittest.TestCase):
    def setUp(self):
        self.node = Running("serve", settings=NOWHERE | {"ops_listen": "127.0.0.1:0", "unknown_thing": "hidden"})
        self.addCleanup(self.node.end)

    def test_it_serves_what_needs_none_and_says_what_is_wrong(self):
        base = self.node.event("listening")["url"]
        ops = self.node.event("listening_ops")["url"]
        self.assertEqual(get(ops + "/healthz")[0], 200)
        self.assertEqual(get(ops + "/readyz")[0], 503)
        self.assertEqual(get(ops + "/metrics")[0], 200)
        self.assertEqual(get(base + "/healthz")[0], 404)
        self.assertEqual(get(base + "/api/mobile/channels")[0], 503)
        self.assertEqual(get(ops + "/api/mobile/channels")[0], 404)
        self.assertTrue(self.node.event("not_ready")["reason"])
        asked = run("health", "--ops-listen", ops.removeprefix("http://"))
        self.assertEqual((asked.returncode, len(asked.stdout.splitlines())), (1, 1))
        self.assertIn("not ready", asked.stdout)
        self.assertEqual(self.node.end(), 0)
        self.assertEqual(self.node.out, [], "stdout has only what a command prints")
        warnings = [line for line in self.node.err if "BELFRY_UNKNOWN_THING" in line]
        self.assertEqual(len(warnings), 1)
        self.assertNotIn("hidden", warnings[0])
        self.assertNotIn(SECRET, self.node.text())

    def test_ctrl_c_ends_it_too(self):
        self.node.event("listening")
        self.assertEqual(self.node.end(signal.SIGINT), 0)


class CannotStart(unittest.TestCase):
    def test_a_taken_port_is_one_clear_line_and_exit_code_1(self):
        listener, port = taken_port()
        with listener:
            done = run("serve", "--listen", f"127.0.0.1:{port}", "--log-format", "text", settings=NOWHERE)
        self.assertEqual(done.returncode, 1)
        reasons = [line for line in done.stderr.splitlines() if "cannot_start" in line]
        self.assertEqual(len(reasons), 1, done.stderr)
        self.assertIn(str(port), reasons[0])


if __name__ == "__main__":
    unittest.main()
