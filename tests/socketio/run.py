#!/usr/bin/env python3
"""run.py <script> <arguments>: runs a script of this folder by Node, with the packages of the lock file.

Ends with 77, and says why, where there is no Node, or its packages are neither here nor to be had."""
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def install():
    """From the lock file, once. None, or why not."""
    with open(FOLDER / "package-lock.json") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (FOLDER / "node_modules").exists():
            return None
        if not shutil.which("npm"):
            return "there is no npm"
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=FOLDER, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=240)
        return None if done.returncode == 0 else "npm ci: " + done.stdout[-500:]


def main():
    node = os.environ.get("BELFRY_NODE", "node")
    if not shutil.which(node):
        print("skipped: there is no", node)
        return SKIPPED
    if problem := install():
        print("skipped:", problem)
        return SKIPPED
    return subprocess.run([node, FOLDER / sys.argv[1], *sys.argv[2:]]).returncode


if __name__ == "__main__":
    sys.exit(main())
