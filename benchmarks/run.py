#!/usr/bin/env python3
"""Runs the rows of the targets table and prints it: what Belfry costs against raw sends, PostgreSQL alone, and a Node server.

The server under test runs alone on core 0; PostgreSQL (fsync on) and the load on core 1. In each round every row is measured once, its floor
right before it; best is compared with best, because machines are noisier than ratios. Unattended: each measurement has a time limit, a
row that fails is noted and the rest goes on, and the table (.md, .json) is written after each of them.

    benchmarks/run.py                                  all rows, 5 rounds
    benchmarks/run.py --rows fanout-16,create          some rows; a name's beginning is enough (--rows fanout); --list names them
    benchmarks/run.py --rounds 1 --quick               a minute or two, small sizes: does it run? Its figures mean nothing
    benchmarks/run.py --out results/night               where the table goes

Needs: scripts/packages install test; node and npm for the Node peer (its rows say so where they are missing).
"""
import argparse
import datetime
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from bench import machine, report  # noqa: E402
from bench.report import say  # noqa: E402
from bench.rows import ROWS  # noqa: E402
from bench.setting import Setting  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="", help="names or beginnings of names, separated by commas")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=pathlib.Path, default=None, help="where to write the table, without suffix")
    parser.add_argument("--minutes", type=float, default=180, help="no measurement is begun after that")
    parser.add_argument("--profile", type=pathlib.Path, default=None, help="file for a perf record of Belfry in the measured phase")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def chosen(names):
    wanted = [name for name in names.split(",") if name]
    exact = {row.key for row in ROWS}
    unknown = [name for name in wanted if not any(row.key.startswith(name) for row in ROWS)]
    if unknown:
        sys.exit(f"no such rows: {', '.join(unknown)}; there are {', '.join(sorted(exact))}")
    return [row for row in ROWS if not wanted or row.key in wanted or any(row.key.startswith(name) for name in wanted if name not in exact)]


def measure(row, setting):
    """One measurement with its time limit."""
    with machine.time_limit(row.seconds):
        return row.measure(setting)


def run_rounds(options, rows, setting, path, facts):
    samples, errors = {}, {}
    end = time.monotonic() + options.minutes * 60
    for number in range(1, options.rounds + 1):
        for row in rows:
            if time.monotonic() > end:
                errors.setdefault("run", []).append(f"stopped in round {number}: time is up")
                return samples, errors
            busy = machine.others_busy()
            begun = time.monotonic()
            try:
                sample = measure(row, setting)
                samples.setdefault(row.key, []).append({**sample, "busy_before": round(busy, 3)})
                note = summary(row, [sample])
            except Exception as problem:  # noqa: BLE001: the next row must run
                errors.setdefault(row.key, []).append(f"round {number}: {type(problem).__name__}: {problem}")
                note = f"FAILED {type(problem).__name__}: {str(problem).strip()[:300]}"
            say(f"round {number}/{options.rounds} {row.key} {time.monotonic() - begun:.0f} s{f', others used {busy:.0%}' if busy > 0.05 else ''}: {note}")
            report.write(path, facts, rows, samples, errors)
    return samples, errors


def summary(row, samples):
    found = [result for _, result in report.judge(row, samples) if result]
    return "; ".join(f"{result['title']} {report.number(result['value'])}" for result in found) or "no figures"


def main():
    options = parse()
    if options.list:
        print("\n".join(f"{row.key:18} {row.title}" for row in ROWS))
        return
    rows = chosen(options.rows)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    folder = machine.build(options.preset, "belfry", "belfry_load", "belfry_static_answer")
    path = options.out or folder / "benchmarks" / "results"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"begun": f"{datetime.datetime.now():%Y-%m-%d %H:%M}", "rounds": options.rounds, "quick": options.quick, "preset": options.preset, **machine.describe()}
    say(f"{len(rows)} rows, {options.rounds} rounds, results in {path}.md and .json")
    setting = Setting(folder, options.quick, options.profile)
    try:
        if setting.peer_problem:
            say(f"without the Node peer: {setting.peer_problem}")
        say("data is ready")
        samples, errors = run_rounds(options, rows, setting, path, facts)
    finally:
        setting.close()
    facts["ended"] = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
    print(report.write(path, facts, rows, samples, errors))
    for key, problems in errors.items():
        for problem in problems:
            print(f"{key}: {problem}")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
