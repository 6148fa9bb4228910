"""`belfry dev` from an empty folder to the tour's own commands, stopped kindly and unkindly."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from binary import SECRET, Running, get, run, wait_until


def tour_of(node):
    """The shell variables of the tour, and its curl lines."""
    node.line(node.out, "python3 -m websockets")
    text = "\n".join(node.out)
    variables = dict(re.findall(r"^([A-Z]+)=(\S+)$", text, re.M))
    return variables, re.findall(r"^curl .*$", text, re.M)


def paste(variables, line):
    done = subprocess.run(["sh", "-c", line], env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True,
                          timeout=60)
    return json.loads(done.stdout)


def postmaster(folder):
    try:
        with open(os.path.join(folder, "pg", "postmaster.pid")) as file:
            return int(file.readline())
    except (FileNotFoundError, ValueError):
        return None


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


class Dev(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base = tempfile.mkdtemp(prefix="belfry-dev-test-")
        os.chmod(base, 0o755)  # root's cluster runs as another user
        cls.folder = os.path.join(base, "data")
        cls.addClassCleanup(shutil.rmtree, base, ignore_errors=True)

    def start(self):
        node = Running("dev", "--data-dir", self.folder, "--listen", "127.0.0.1:0", "--log-format", "json")
        self.addCleanup(node.end)
        return node

    def assert_nothing_left(self, pid):
        self.assertIsNone(postmaster(self.folder))
        self.assertFalse(alive(pid))

    def test_tour_second_start_kill_and_restart(self):
        node = self.start()
        variables, lines = tour_of(node)
        pid = postmaster(self.folder)
        with self.subTest("every command of the tour does what it says"):
            answers = [paste(variables, line) for line in lines]
            titles = [[item["title"] for item in answer["data"]["items"]] for answer in answers[:2]]
            self.assertEqual(titles[0], ["Harbour notices"])
            self.assertEqual(titles[1], ["Night watch", "Harbour notices"])
            self.assertEqual(len(answers[2]["data"]["items"]), 2)
            self.assertEqual(answers[3]["data"]["count"], 1)
            self.assertEqual(answers[4]["reason"], "CHANNEL_LOCKED")
            self.assertEqual(answers[5]["data"]["author"]["username"], "Mira")
            self.assertEqual(answers[6]["reason"], "DISCUSSION_BANNED")
            self.assertEqual(answers[7]["data"]["type"], "TEXT")
        with self.subTest("the demo shows each kind of post, a tombstone, a pin and slow mode"):
            url, ada = variables["URL"], variables["ADA"]
            channels = {item["title"]: item for item in get(url + "/api/admin/channels", ada)[1]["data"]["items"]}
            self.assertEqual({name: (c["accessPolicy"], c["status"], c["visibility"]) for name, c in channels.items()}, {
                "Harbour notices": ("OPEN", "ACTIVE", "PUBLIC"), "Night watch": ("EXTERNAL_GATED", "ACTIVE", "PUBLIC"),
                "Bell founders": ("OPEN", "ACTIVE", "PRIVATE"), "Regatta 2025": ("OPEN", "ARCHIVED", "PUBLIC")})
            open_channel = f"{url}/api/mobile/channels/{channels['Harbour notices']['id']}"
            posts = get(open_channel + "/posts")[1]["data"]["items"]
            self.assertEqual({post["type"] for post in posts}, {"TEXT", "LINK", "CHART", "MEDIA"})
            self.assertEqual((sum(p["isDeleted"] for p in posts), sum(p["isPinned"] for p in posts)), (1, 1))
            discussion = get(open_channel + "/discussion", variables["MIRA"])[1]["data"]
            self.assertTrue(discussion["slowModeEnabled"])
        with self.subTest("a second one on the same data says who has it"):
            second = run("dev", "--data-dir", self.folder, "--listen", "127.0.0.1:0")
            self.assertEqual(second.returncode, 1)
            self.assertIn(str(node.process.pid), second.stderr)
        with self.subTest("a node on the local bus is not ready beside another, and is again without it"):
            with open(os.path.join(self.folder, "sockets")) as file:
                database = f"host={file.read().strip()} user=belfry dbname=postgres"
            other = Running("serve", settings={"database_url": database, "jwt_secret": SECRET, "listen": "127.0.0.1:0",
                                               "bus": "local"})
            self.addCleanup(other.end)
            # Not its first word: it may not have asked the database yet.
            wait_until(lambda: any('"event":"not_ready"' in line and "local" in json.loads(line)["reason"] for line in list(other.err)),
                       "the second says that it is not alone")
            wait_until(lambda: get(variables["URL"] + "/readyz")[0] == 503, "the first sees the second")
            self.assertEqual(other.end(), 0)
            wait_until(lambda: get(variables["URL"] + "/readyz")[0] == 200, "the first is alone again")
        with self.subTest("Ctrl-C stops both"):
            self.assertEqual(node.end(signal.SIGINT), 0, node.text())
            self.assert_nothing_left(pid)
        with self.subTest("the data, the ids and the tokens are there again; killed, it leaves no server running"):
            again = self.start()
            before = len(get(tour_of(again)[0]["URL"] + "/api/mobile/channels/1/posts", variables["MIRA"])[1]["data"]["items"])
            self.assertEqual(before, 6)
            self.assertFalse(any("writing the demo" in line for line in again.out))
            orphan = postmaster(self.folder)
            again.process.kill()
            again.process.wait()
            wait_until(lambda: not alive(orphan), "PostgreSQL ends with its parent")
        with self.subTest("and it starts after that"):
            third = self.start()
            url = tour_of(third)[0]["URL"]
            self.assertEqual(get(url + "/readyz")[0], 200)
            pid = postmaster(self.folder)
            self.assertEqual(third.end(), 0)
            self.assert_nothing_left(pid)
        with open(os.path.join(self.folder, "sockets")) as file:
            self.assertFalse(os.path.exists(file.read().strip()))


if __name__ == "__main__":
    unittest.main()
