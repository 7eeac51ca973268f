"""Whether a curve is flat: what is taken late in a run is what was taken early in it."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.soak.vitals import FIGURES, Sample


@dataclass(frozen=True, slots=True)
class Room:
    """How much more may be taken late than early: a share of it, and an amount."""

    share: float
    amount: float


ROOM = {
    "server_memory": Room(0.05, 8),
    "hosts_memory": Room(0.15, 25),
    "server_handles": Room(0, 2),
    "hosts_handles": Room(0, 2),
    "server_threads": Room(0, 2),
    "hosts_threads": Room(0, 2),
    "processes": Room(0, 0),
    "files": Room(0, 0),
}
"""Of each figure. Handles and threads come and go by ones; what a process that is fresh takes of
memory is less than what one takes that has worked."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure at rest in the second and in the last quarter of a run, as medians."""

    figure: str
    early: float
    late: float
    most: float
    """At any moment of the run, also in the midst of work."""

    @property
    def flat(self) -> bool:
        room = ROOM[self.figure]
        return self.late <= self.early * (1 + room.share) + room.amount


def trends(
    samples: Sequence[Sample], rests: Iterable[tuple[float, float]], end: float
) -> list[Trend]:
    """The trend of every figure.

    Args:
        rests: when nothing was asked of the server, in seconds, as beginnings and ends.
        end: of the run, in seconds.

    Raises:
        ValueError: one of the two quarters has no sample at rest.
    """
    spans = list(rests)
    at_rest = [s for s in samples if any(begin <= s.seconds <= over for begin, over in spans)]
    early = [sample for sample in at_rest if end / 4 <= sample.seconds < end / 2]
    late = [sample for sample in at_rest if sample.seconds >= end * 3 / 4]
    if not (early and late):
        raise ValueError("the run was too short: a quarter of it has no moment of rest")
    return [
        Trend(
            figure,
            statistics.median(getattr(sample, figure) for sample in early),
            statistics.median(getattr(sample, figure) for sample in late),
            max(getattr(sample, figure) for sample in samples),
        )
        for figure in FIGURES
    ]
