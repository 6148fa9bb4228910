#!/usr/bin/env python3
"""Measures how cost grows: subscribers of a room, rooms of a node, events of a room, members of a channel. One table for each.

The server under test runs alone on core 0; PostgreSQL (its own, fsync on, gone afterwards) and the load on core 1. Unattended: each size has a time
limit, one that fails is noted and the curve ends there, and the tables (.md, .json) are written after each size.

    benchmarks/scale.py                          all curves; made to end within 25 minutes where nothing else runs; needs 25 GB of disk
    benchmarks/scale.py --curves rooms,members   some curves; --list names them
    benchmarks/scale.py --quick                  three minutes, small sizes: does it run? Its figures mean nothing
    benchmarks/scale.py --out results/night      where the tables go
    benchmarks/scale.py --built build/release    builds nothing: what is there is measured

Needs: scripts/packages install test.
"""
import argparse
import datetime
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from bench import curve as tables, machine  # noqa: E402
from bench.curves import CURVES  # noqa: E402
from bench.report import number, say  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", default="", help="names, separated by commas")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--built", type=pathlib.Path, default=None, help="folder with belfry and benchmarks/belfry_load: builds nothing")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=pathlib.Path, default=None, help="where to write the tables, without suffix")
    parser.add_argument("--minutes", type=float, default=60, help="no size is begun after that")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def chosen(names):
    wanted = [name for name in names.split(",") if name]
    unknown = set(wanted) - {curve.key for curve in CURVES}
    if unknown:
        sys.exit(f"no such curves: {', '.join(sorted(unknown))}; there are {', '.join(curve.key for curve in CURVES)}")
    return [curve for curve in CURVES if not wanted or curve.key in wanted]


def run(curve, build, quick, end, keep):
    """All sizes of one curve, growing. `keep(size, samples, note)` after each."""
    with curve.start(build) as shared:
        for size in curve.quick_sizes if quick else curve.sizes:
            if time.monotonic() > end:
                raise machine.Failed(f"{size:,} was not begun: time is up")
            busy, begun = machine.others_busy(), time.monotonic()
            try:
                with machine.time_limit(curve.seconds):
                    samples = curve.measure(shared, size, quick)
            except Exception as problem:
                raise machine.Failed(f"{size:,}: {type(problem).__name__}: {str(problem).strip()[:300]}") from problem
            keep(size, samples, f"{time.monotonic() - begun:.0f} s{f', others used {busy:.0%} before' if busy > 0.05 else ''}")


def summary(curve, samples):
    judged = [(figure, figure.judge(samples)) for figure in curve.figures]
    return "; ".join(f"{figure.key} {number(result['best'])} {figure.unit}" for figure, result in judged if result)


def run_all(options, curves, build, path, facts):
    samples, errors = {}, {}
    end = time.monotonic() + options.minutes * 60
    for curve in curves:
        def keep(size, found, note):
            samples.setdefault(curve.key, {})[size] = found
            say(f"{curve.key} {size:,} {note}: {summary(curve, found)}")
            tables.write(path, facts, curves, samples, errors)

        say(f"{curve.key}: {curve.title}")
        try:
            run(curve, build, options.quick, end, keep)
        except Exception as problem:  # noqa: BLE001: the next curve must run
            errors.setdefault(curve.key, []).append(str(problem))
            say(f"{curve.key} FAILED {problem}")
            tables.write(path, facts, curves, samples, errors)
    return samples, errors


def main():
    options = parse()
    if options.list:
        print("\n".join(f"{curve.key:14} {curve.title}: {', '.join(f'{size:,}' for size in curve.sizes)}" for curve in CURVES))
        return
    curves = chosen(options.curves)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    folder = options.built or machine.build(options.preset, "belfry", "belfry_load")
    path = options.out or folder / "benchmarks" / "scale"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"begun": f"{datetime.datetime.now():%Y-%m-%d %H:%M}", "quick": options.quick, "preset": options.preset, **machine.describe()}
    say(f"{len(curves)} curves, tables in {path}.md and .json")
    samples, errors = run_all(options, curves, folder, path, facts)
    facts["ended"] = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
    print(tables.write(path, facts, curves, samples, errors))
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
