"""A curve: one size grows, and what each of some figures becomes; and its table."""
import dataclasses
import json
import statistics
from typing import Callable

from bench.machine import cpu_us
from bench.clients import timed
from bench.report import number

REPETITIONS = 5


@dataclasses.dataclass(frozen=True)
class Figure:
    """`less`: another figure that is taken off, best from best and median from median (a difference's own best would be the luckiest one)."""
    key: str
    title: str
    unit: str
    less: str | None = None

    def judge(self, samples):
        """Best and median of the repetitions; none when it was not measured. Less is better, always."""
        found = [self.pick(samples, pick) for pick in (min, statistics.median)]
        return None if None in found else {"best": found[0], "median": found[1], "repetitions": len(samples[self.key])}

    def pick(self, samples, pick):
        if not samples.get(self.key) or self.less and not samples.get(self.less):
            return None
        return pick(samples[self.key]) - (pick(samples[self.less]) if self.less else 0)


@dataclasses.dataclass(frozen=True)
class Curve:
    key: str
    title: str
    axis: str
    sizes: tuple
    quick_sizes: tuple
    figures: tuple
    start: Callable       # (build folder) -> context of what all sizes share
    measure: Callable     # (that, size, quick) -> {figure's key: [a value of each repetition]}
    seconds: int = 300    # bound of one size, its data included
    notes: str = ""       # below the table


def repeat(pid, work, each=10, repetitions=REPETITIONS):
    """Runs work(i) `each` times a repetition: milliseconds of each time, and of each repetition the server's CPU per time."""
    samples, count = {"ms": [], "cpu": []}, 0
    for _ in range(repetitions):
        before = cpu_us(pid)
        for _ in range(each):
            samples["ms"].append(timed(lambda: work(count)))
            count += 1
        samples["cpu"].append((cpu_us(pid) - before) / each)
    return samples


def both(key, title):
    """The two figures of `repeat`."""
    return Figure(key + ".ms", title, "ms"), Figure(key + ".cpu", title + ": server CPU", "us")


def named(key, samples):
    return {f"{key}.{name}": values for name, values in samples.items()}


def table(curve, samples, errors):
    """Figures down, sizes across."""
    sizes = list(samples)
    yield f"### {curve.title}"
    yield ""
    if sizes:
        yield from rows(curve, samples, sizes)
    yield f"Across: {curve.axis}. {curve.notes}".rstrip()
    for error in errors:
        yield f"Failed: {error}"


def rows(curve, samples, sizes):
    yield f"| best (median) | unit | {' | '.join(f'{size:,}' for size in sizes)} |"
    yield "| --- | --- |" + " ---: |" * len(sizes)
    for figure in curve.figures:
        cells = [cell(figure.judge(samples[size])) for size in sizes]
        yield f"| {figure.title} | {figure.unit} | {' | '.join(cells)} |"
    yield ""


def cell(result):
    return "" if result is None else f"{number(result['best'])} ({number(result['median'])})"


def write(path, facts, curves, samples, errors):
    """`path` without suffix; again after each size, so that a run that is cut short leaves what it has."""
    done = [curve for curve in curves if curve.key in samples or curve.key in errors]
    text = "\n\n".join("\n".join(table(curve, samples.get(curve.key, {}), errors.get(curve.key, []))) for curve in done)
    head = ", ".join(f"{name}: {value}" for name, value in facts.items())
    path.with_suffix(".md").write_text(f"{head}\n\n{text}\n")
    results = {curve.key: {size: {figure.key: figure.judge(found) for figure in curve.figures} for size, found in samples.get(curve.key, {}).items()}
               for curve in done}
    path.with_suffix(".json").write_text(json.dumps({"facts": facts, "results": results, "samples": samples, "errors": errors}, indent=1) + "\n")
    return text
