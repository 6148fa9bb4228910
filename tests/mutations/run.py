#!/usr/bin/env python3
"""Takes one mechanism out at a time and shows the test that turns red.

Each tests/mutations/NN-name.patch begins with lines for this script:

    Invariant: which promise of docs/architecture.md falls
    Takes out: what the server no longer does
    Build: ninja targets
    Red: a command, run in the build folder, that passes on the real code and must fail on the mutated one

The patch is applied to a worktree of HEAD below build/mutations, never to the files you edit.
Usage: tests/mutations/run.py [name-part ...]
       tests/mutations/run.py --table       prints the table of README.md
       tests/mutations/run.py --check       says whether all patches apply to the files as they are, and are in that table
"""
import os
import pathlib
import re
import signal
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
    # Only what stands above the diff: the diff may hold anything.
    text = patch.read_text().split("\ndiff --git", 1)[0]
    found = {name: re.search(rf"^{name}: (.+)$", text, re.M) for name in ("Invariant", "Takes out", "Build", "Red")}
    missing = [name for name, match in found.items() if not match]
    if missing:
        sys.exit(f"{patch.name}: no line {', '.join(missing)}")
    return {name: match.group(1) for name, match in found.items()}


def build(targets, **more):
    return call(["ninja", "-C", str(BUILD), *targets.split()], TREE, **more)


def run(command):
    """What the test says: '' when it passes, else why it does not."""
    process = subprocess.Popen(["bash", "-c", command], cwd=BUILD, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        # The whole session: a child that lives on would hold the pipe open.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "it hangs"
    if "Running 0 tests" in output:
        sys.exit(f"no test matches: {command}")
    if process.returncode == 0:
        return ""
    failed = re.search(r"^\[  FAILED  \] ([^ \n,(]+)", output, re.M)
    if failed:
        return failed.group(1)
    # A hang or a crash is red as well: the mutated server stopped doing what the test waits for.
    if process.returncode == 124:
        return "it hangs"
    begun = re.findall(r"^\[ RUN      \] (.+)$", output, re.M)
    return f"{begun[-1]} crashes" if begun else f"exit {process.returncode}: {output[-300:].strip()}"


def try_without(patches):
    """What each test says on the real code, in one build for all of them."""
    abouts = [fields(patch) for patch in patches]
    built = build(" ".join(sorted({target for about in abouts for target in about["Build"].split()})))
    if built.returncode != 0:
        sys.exit(f"does not build without a patch:\n{built.stdout[-3000:]}")
    return {command: run(command) for command in sorted({about["Red"] for about in abouts})}


def try_patch(patch, without):
    """'red, …' when the named test fails with the patch and passes without."""
    about = fields(patch)
    if why := without[about["Red"]]:
        return f"its test is red without the patch: {why}"
    applied = call(["git", "apply", str(patch)], TREE)
    if applied.returncode != 0:
        return f"does not apply: {applied.stdout.strip()}"
    try:
        # Past ccache: where a run was ended while it compiled, the cache may hold the real code under the mutated one's key.
        built = build(about["Build"], env=os.environ | {"CCACHE_DISABLE": "1"})
        if built.returncode != 0:
            return f"does not build:\n{built.stdout[-3000:]}"
        why = run(about["Red"])
        return f"red, {why}" if why else "STAYED GREEN"
    finally:
        must(["git", "checkout", "-q", "-f", "."], TREE)


def table(patches):
    lines = ["| patch | promise that falls | test that turns red | what it takes out |", "| --- | --- | --- | --- |"]
    for patch in patches:
        about = fields(patch)
        tests = re.findall(r"(\w+)'? --gtest_filter='?([^' ]+)", about["Red"])
        names = ", ".join(f"`{binary}` {name}" for binary, joined in tests for name in joined.split(":"))
        lines.append(f"| `{patch.stem}` | {about['Invariant']} | {names or about['Red']} | {about['Takes out']} |")
    return "\n".join(lines) + "\n"


def check(patches):
    wrong = []
    for patch in patches:
        fields(patch)
        applied = call(["git", "apply", "--check", str(patch)], ROOT)
        if applied.returncode != 0:
            wrong.append(f"{patch.name} does not apply: {applied.stdout.strip()}")
    if table(patches) not in (ROOT / "tests" / "mutations" / "README.md").read_text():
        wrong.append("the table of README.md is not what --table prints")
    print("\n".join(wrong) or f"{len(patches)} patches apply")
    return 1 if wrong else 0


def patches_of(parts):
    every = sorted((ROOT / "tests" / "mutations").glob("*.patch"))
    return [p for p in every if not parts or any(part in p.name for part in parts)]


def main():
    wanted = sys.argv[1:]
    if wanted == ["--table"]:
        print(table(patches_of([])), end="")
        return 0
    if wanted == ["--check"]:
        return check(patches_of([]))
    patches = patches_of(wanted)
    prepare()
    without = try_without(patches)
    failed = 0
    for patch in patches:
        start = time.monotonic()
        outcome = try_patch(patch, without)
        failed += not outcome.startswith("red")
        print(f"{patch.name}: {outcome} ({time.monotonic() - start:.0f} s) [{fields(patch)['Invariant']}]", flush=True)
    print(f"{len(patches) - failed} passed, {failed} failed")
    return 1 if failed or not patches else 0


if __name__ == "__main__":
    sys.exit(main())
