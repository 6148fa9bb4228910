"""A row of the targets table: how to measure it once, and what the best of several rounds is held against."""
import dataclasses
import statistics
from typing import Callable

TOLERANCE = 1.10


def figure(samples, name, pick):
    """`pick` of all rounds. A cost per delivery is picked with the write in it and the write's share is picked and taken off then: of differences,
    the least would be the one with the luckiest error."""
    if name is None:
        return None
    if name.endswith(".us") and any(name[:-3] + ".create_share" in sample for sample in samples):
        whole, share = figure(samples, name + "_with_create", pick), figure(samples, name[:-3] + ".create_share", pick)
        return whole - share
    values = [sample[name] for sample in samples if name in sample]
    return pick(values) if values else None


@dataclasses.dataclass(frozen=True)
class Check:
    """`ours` against `theirs` (a ratio), or alone. Names are keys of the row's samples."""
    title: str
    ours: str
    theirs: str | None
    must: float | None
    aim: float | None
    low: bool = True       # less is better
    unit: str = ""

    def judge(self, samples):
        """Best against best, median against median; none where a figure is missing or is no cost at all."""
        best, middle = min if self.low else max, statistics.median
        found = {"ours": figure(samples, self.ours, best), "ours_median": figure(samples, self.ours, middle),
                 "theirs": figure(samples, self.theirs, best), "theirs_median": figure(samples, self.theirs, middle)}
        if found["ours"] is None or self.theirs and not (found["theirs"] and found["theirs"] > 0 and found["theirs_median"] > 0):
            return None
        value, median = (found["ours"] / found["theirs"], found["ours_median"] / found["theirs_median"]) if self.theirs else (
            found["ours"], found["ours_median"])
        return {**found, "title": self.title, "unit": self.unit, "rounds": len(samples), "must": self.must, "aim": self.aim, "low": self.low,
                "value": value, "median": median, "verdict": self.verdict(value)}

    def meets(self, value, target):
        return value <= target * TOLERANCE if self.low else value * TOLERANCE >= target

    def verdict(self, value):
        if self.aim is not None and self.meets(value, self.aim):
            return "aim"
        if self.must is None:
            return "below aim"
        return "pass" if self.meets(value, self.must) else "MISS"


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    measure: Callable     # (setting) -> {name: figure}
    checks: tuple
    seconds: int = 400    # bound of one measurement
