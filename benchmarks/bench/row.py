"""A row of the targets table: how to measure it once, and what the best of several rounds is held against."""
import dataclasses
import statistics
from typing import Callable

TOLERANCE = 1.10


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
        """Best against best, median against median."""
        ours = [sample[self.ours] for sample in samples if self.ours in sample]
        theirs = [sample[self.theirs] for sample in samples if self.theirs in sample] if self.theirs else [1.0]
        if not ours or not theirs:
            return None
        pick = min if self.low else max
        ratio, middle = pick(ours) / pick(theirs), statistics.median(ours) / statistics.median(theirs)
        return {"title": self.title, "unit": self.unit, "rounds": len(ours), "must": self.must, "aim": self.aim, "low": self.low,
                "ours": pick(ours), "ours_median": statistics.median(ours),
                "theirs": pick(theirs) if self.theirs else None, "theirs_median": statistics.median(theirs) if self.theirs else None,
                "value": ratio, "median": middle, "verdict": self.verdict(ratio)}

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
    seconds: int = 240    # bound of one measurement
