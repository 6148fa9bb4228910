#!/usr/bin/env python3
"""Takes one mechanism out at a time and shows the test that turns red.

Each tests/mutations/NN-name.patch begins with lines for this script:

    Invariant: which promise of docs/architecture.md falls
    Build: ninja targets
    Red: a command, run in the build folder, that passes on the real code and must fail on the mutated one

The patch is applied to a worktree of HEAD below build/mutations, never to the files you edit.
Usage: tests/mutations/run.py [name-part ...]
"""
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build" / "mutations" / "tree"
BUILD = TREE / "build" / "dev"


def call(command, cwd, **more):
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def must(command, cwd):
    done = call(command, cwd)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")


def prepare():
    if TREE.exists():
        must(["git", "checkout", "-q", "--detach", "-f", call(["git", "rev-parse", "HEAD"], ROOT).stdout.strip()], TREE)
        must(["git", "clean", "-fdq", "-e", "build"], TREE)
    else:
        TREE.parent.mkdir(parents=True, exist_ok=True)
        must(["git", "worktree", "prune"], ROOT)
        must(["git", "worktree", "add", "-q", "--detach", str(TREE), "HEAD"], ROOT)
    must(["cmake", "--preset", "dev"], TREE)


def fields(patch):
    text = patch.read_text()
    found = {name: re.search(rf"^{name}: (.+)$", text, re.M) for name in ("Invariant", "Build", "Red")}
    missing = [name for name, match in found.items() if not match]
    if missing:
        sys.exit(f"{patch.name}: no line {', '.join(missing)}")
    return {name: match.group(1) for name, match in found.items()}


def build(targets):
    return call(["ninja", "-C", str(BUILD), *targets.split()], TREE)


def red(command):
    # A hang counts as red: the mutated server stopped doing what the test waits for.
    try:
        return call(["bash", "-c", command], BUILD, timeout=300, env={**os.environ, "BELFRY_MUTATION": "1"}).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def try_patch(patch):
    """'red' when the named test fails with the patch and passes without."""
    about = fields(patch)
    built = build(about["Build"])
    if built.returncode != 0:
        return f"does not build without the patch:\n{built.stdout[-3000:]}"
    if red(about["Red"]):
        return "its test is red without the patch"
    applied = call(["git", "apply", str(patch)], TREE)
    if applied.returncode != 0:
        return f"does not apply: {applied.stdout.strip()}"
    try:
        built = build(about["Build"])
        if built.returncode != 0:
            return f"does not build:\n{built.stdout[-3000:]}"
        return "red" if red(about["Red"]) else "STAYED GREEN"
    finally:
        must(["git", "checkout", "-q", "-f", "."], TREE)


def main():
    wanted = sys.argv[1:]
    patches = [p for p in sorted((ROOT / "tests" / "mutations").glob("*.patch"))
               if not wanted or any(w in p.name for w in wanted)]
    prepare()
    failed = 0
    for patch in patches:
        start = time.monotonic()
        outcome = try_patch(patch)
        failed += outcome != "red"
        print(f"{patch.name}: {outcome} ({time.monotonic() - start:.0f} s) [{fields(patch)['Invariant']}]", flush=True)
    print(f"{len(patches) - failed} passed, {failed} failed")
    return 1 if failed or not patches else 0


if __name__ == "__main__":
    sys.exit(main())
