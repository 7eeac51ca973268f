"""What a benchmark yields: rows of samples, held against a baseline and a target. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["ms", "s", "MB", "%", "x", "clips/s", "requests/s", "count"]
Judged = Literal["median", "p95", "min", "max", "ratio"]


@dataclass(frozen=True, slots=True)
class Target:
    """What must hold of one figure of a row: at most `limit`, or at least it."""

    judged: Judged
    limit: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        figure = "" if self.judged == "median" else f"{self.judged} "
        return f"{figure}{'≥' if self.at_least else '≤'} {self.limit:.3g}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the median of a row stands in a plot."""

    plot: Literal["latency", "throughput", "first-audio"]
    line: str
    x: float


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured, several times.

    Attributes:
        samples: what soundalike took or gave, in `unit`; empty where it could not be measured,
            which `note` then explains.
        baseline: the same of what it is compared with, in the same run.
        errors: word error rate, 0 to 1, over all samples together, where text came out.
        baseline_errors: that of the baseline.
        in_turns: each sample and its baseline are of the same thing, taken one after the other.
    """

    name: str
    unit: Unit
    samples: tuple[float, ...]
    baseline: tuple[float, ...] = ()
    target: Target | None = None
    errors: float | None = None
    baseline_errors: float | None = None
    place: Place | None = None
    baseline_place: Place | None = None
    note: str = ""
    in_turns: bool = False

    @property
    def ratio(self) -> float | None:
        """Median to the baseline's median; of what was taken in turns the median of the ratios,
        which load that comes and goes changes less."""
        if not (self.samples and self.baseline):
            return None
        if self.in_turns:
            pairs = zip(self.samples, self.baseline, strict=True)
            return statistics.median(sample / below for sample, below in pairs)
        below = statistics.median(self.baseline)
        return statistics.median(self.samples) / below if below else None

    @property
    def figures(self) -> dict[str, float] | None:
        """`median`, `p95`, `min` and `max` of the samples, if there are any."""
        if not self.samples:
            return None
        return {
            "median": statistics.median(self.samples),
            "p95": percentile(self.samples, 95),
            "min": min(self.samples),
            "max": max(self.samples),
        }

    @property
    def met(self) -> bool | None:
        """Whether the target holds; None where there is none, or nothing to hold against it."""
        if self.target is None or self.figures is None:
            return None
        value = {**self.figures, "ratio": self.ratio}[self.target.judged]
        return None if value is None else self.target.met(value)

    def as_json(self) -> dict[str, Any]:
        """Everything, and what follows from it."""
        return {**asdict(self), "figures": self.figures, "ratio": self.ratio, "met": self.met}


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that `percent` of all samples do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def milliseconds(seconds: Sequence[float]) -> tuple[float, ...]:
    return tuple(1000 * value for value in seconds)
