"""What a node asks its database, from the database's own log."""

import os
import re

from support import wait
from support.node import Node, new_database
from support.postgres import Cluster

LINE = re.compile(r"^(belfry|belfry-batch)\|LOG:  execute (\w+):", re.M)


class TalkingCluster(Cluster):
    def _command(self, program, *arguments):
        if program == "postgres":
            arguments += ("-c", "log_statement=all", "-c", "log_line_prefix=%a|")
        return super()._command(program, *arguments)


class Told:
    """One node on a cluster of its own. What it runs while nobody asks for anything is left out."""

    def __init__(self):
        self.cluster = TalkingCluster()
        self.node = None
        try:
            self.cluster.start()
            self.node = Node(new_database(self.cluster))
            self.node.wait_ready()
            self._read = 0
            wait.until(lambda: self._sweeps() >= 3, "it has swept a few times")
            self._background = self._new()
        except BaseException:
            self.cluster.destroy()
            raise

    def _sweeps(self):
        with self.node.client() as client:
            lines = client.get("/metrics", expect=200).text.splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("belfry_sweeps_total "))

    def _new(self):
        with open(os.path.join(self.cluster.folder, "server.log"), encoding="utf-8", errors="replace") as log:
            log.seek(self._read)
            text = log.read()
            self._read = log.tell()
        return {name for _, name in LINE.findall(text)}

    def ran(self):
        """The names of the statements since the last call."""
        return self._new() - self._background

    def stop(self):
        try:
            self.node.stop()
        finally:
            self.cluster.destroy()
